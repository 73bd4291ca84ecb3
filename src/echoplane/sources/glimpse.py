"""A first look at a cine while it is opened: which frames, how small, and whether it can hold colour at all."""

from __future__ import annotations

from echoplane.records import Cine

#: Frames looked at, spread over this many seconds from the start: some of a heart beat, decoded in one go.
_FRAMES = 4
_SECONDS = 0.8
_USUAL_FPS = 30.0


def moments(cine: Cine) -> list[int]:
    """Return the numbers of a few frames from the start of a cine, within one heart beat."""
    last = min(cine.n_frames - 1, round(_SECONDS * (cine.fps or _USUAL_FPS)))
    return sorted({round(last * i / (_FRAMES - 1)) for i in range(_FRAMES)})


def reduction(width: int) -> int:
    """Return how much to reduce frames of some width, 1, 2, 4 or 8 times; 400 columns are enough."""
    return next((r for r in (8, 4, 2) if width // r >= 400), 1)


def holds_grey_only(cine: Cine) -> bool:
    """Say whether the file can hold nothing but grey."""
    return cine.facts.get("color") == "grey" or cine.facts.get("pixels", "").startswith("gray")
