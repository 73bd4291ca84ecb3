"""Results as rows of a table, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from echoplane.errors import UsageError
from echoplane.records import ViewResult

Row = dict[str, Any]


def columns(vocabulary: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the columns of a result file, in order."""
    head = ("file", "status", "view", "best_view", "probability")
    return (*head, *(f"p_{label}" for label in vocabulary), "votes", "frames", "fps", "seconds", "reason")


def to_row(result: ViewResult, vocabulary: Sequence[str]) -> Row:
    """Flatten a result into the columns; what there is none of is None, or empty text.

    `votes` lists the labels by the number of clips that chose them, as ``A4C:3 A2C:1``; the leading labels of a tie are
    joined, as ``A4C=A2C:2 A3C:1``. `frames` is the number of frames in the cine, `seconds` the time this file took.
    """
    return {
        "file": result.file,
        "status": str(result.status),
        "view": result.view,
        "best_view": result.best_view,
        "probability": _rounded(result.probability, 6),
        **{f"p_{label}": _rounded(result.probabilities.get(label), 6) for label in vocabulary},
        "votes": votes_text(result),
        "frames": result.n_frames or None,
        "fps": _rounded(result.fps, 3),
        "seconds": _rounded(sum(result.seconds.values()), 4) if result.seconds else None,
        "reason": " ".join(" ".join(result.reasons).split()),
    }


def votes_text(result: ViewResult) -> str:
    """Return the clips' votes as the `votes` column shows them."""
    if not result.clip_votes:
        return ""
    leaders = result.vote.split("=")
    others = [(label, n) for label, n in result.clip_votes.items() if label not in leaders]
    return " ".join([f"{result.vote}:{result.clip_votes[leaders[0]]}", *(f"{label}:{n}" for label, n in others)])


def to_json(result: ViewResult) -> str:
    """Return a result as one line of JSON; :func:`from_json` gives it back, equal."""
    return msgspec.json.encode(result).decode()


def from_json(text: str | bytes) -> ViewResult:
    """Read back what :func:`to_json` wrote.

    Raises
    ------
    UsageError
        When the text is something else.
    """
    try:
        return msgspec.json.decode(text, type=ViewResult)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UsageError(f"is not a result of echoplane: {error}") from error


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
