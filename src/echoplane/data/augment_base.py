"""What all augmentations share: a range, a chance, and the check of a probability."""

from __future__ import annotations

import numpy as np

from echoplane.errors import UsageError

#: Lowest and highest value, drawn evenly.
Between = tuple[float, float]


def chance(rng: np.random.Generator, p: float) -> bool:
    """Return True with probability `p`."""
    return bool(rng.random() < p)


def between(rng: np.random.Generator, bounds: Between) -> float:
    """Return a number drawn evenly from the range."""
    low, high = bounds
    return low + (high - low) * rng.random()


def unit(what: str, **values: float) -> None:
    """Refuse values outside of [0, 1].

    Raises
    ------
    UsageError
        Names the setting and the value.
    """
    for name, value in values.items():
        if not 0 <= value <= 1:
            raise UsageError(f"augmentation {what}.{name} {value}: must lie in [0, 1].")
