"""A sampling rule is data: which frames of a cine make which clip. Saved in every bundle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from echoplane.errors import UsageError

Kind = Literal["every_kth", "sliding", "seconds"]
Short = Literal["loop", "hold", "refuse"]


@dataclass(frozen=True, slots=True)
class SamplingRule:
    """Which frames make which clip.

    Attributes
    ----------
    kind : {"every_kth", "sliding", "seconds"}
        ``every_kth``: consecutive windows of ``frames * step`` frames, each giving `step` interleaved clips of every
        `step`-th frame; ``sliding``: a window of `frames` frames, `step` apart, moved on by `stride`; ``seconds``:
        `frames` frames spread evenly over `seconds`, at whatever rate the cine runs.
    frames : int
        Frames of a clip (N).
    step : int
        ``every_kth``, ``sliding``: frame numbers from one frame of a clip to the next (k).
    stride : int
        ``sliding``: frame numbers from the start of one clip to the start of the next.
    seconds : float
        ``seconds``: the time a clip spans, N frame intervals of ``seconds / frames`` each.
    max_clips : int
        At most so many clips, spread evenly over the cine; bounds the work.
    short : {"loop", "hold", "refuse"}
        What a cine too short for one clip gets: played again from the start, its last frame held, or an error. One of
        less than half a clip's ``seconds`` is spread over one instead of the first two.
    assumed_fps : float
        ``seconds``: the rate taken for a cine that does not say its own, or one that cannot be true.
    """

    kind: Kind = "seconds"
    frames: int = 16
    step: int = 1
    stride: int = 8
    seconds: float = 1.0
    max_clips: int = 4
    short: Short = "loop"
    assumed_fps: float = 30.0

    def __post_init__(self) -> None:
        for what in ("frames", "step", "stride", "max_clips"):
            if getattr(self, what) < 1:
                raise UsageError(f"sampling {what} {getattr(self, what)}: must be at least 1.")
        for what in ("seconds", "assumed_fps"):
            if not 0 < getattr(self, what) < float("inf"):
                raise UsageError(f"sampling {what} {getattr(self, what)}: must be above 0.")


#: The sampling rules that come with the package, by name.
RULES: dict[str, SamplingRule] = {
    "default": SamplingRule(),
    "reference": SamplingRule(kind="every_kth", frames=10, step=5, max_clips=1000, short="refuse"),
}


def rule_named(name: str) -> SamplingRule:
    """Look a rule up.

    Raises
    ------
    UsageError
        When there is none of that name; the message lists those that exist.
    """
    try:
        return RULES[name]
    except KeyError:
        raise UsageError(f"no sampling rule is called {name!r}; known: {', '.join(RULES)}.") from None
