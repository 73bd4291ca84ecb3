"""Vector pictures of the figures, as SVG text. Needs matplotlib (extra ``train``)."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from echoplane._optional import need
from echoplane.metrics.calibration import ReliabilityBin
from echoplane.metrics.selective import risk_coverage

_INK, _ACCENT, _PALE = "#22303c", "#0b6e99", "#c9d6df"
# Okabe and Ito's colours, told apart by colour-blind readers too.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C564B")

#: Letters of a view's name; longer ones are shortened, for they would be larger than the figure.
_LONGEST = 32


def _figure(width: float, height: float) -> tuple[Any, Any]:
    """Return a figure and its axes, made without pyplot so that no global state or screen is touched."""
    need("matplotlib", "train", "draw figures")
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _svg(figure: Any) -> str:
    from matplotlib import rc_context

    stream = io.StringIO()
    # A fixed salt and no date: the same figures give the same text.
    with rc_context({"svg.hashsalt": "echoplane", "svg.fonttype": "none", "font.family": "sans-serif"}):
        figure.savefig(stream, format="svg", metadata={"Date": None}, transparent=True)
    text = stream.getvalue()
    return text[text.index("<svg") :]


def _short(name: str) -> str:
    """Return a name with its middle cut out where it is long."""
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 8]}\N{HORIZONTAL ELLIPSIS}{name[-7:]}"


def confusion(counts: Sequence[Sequence[int]], views: Sequence[str], title: str = "") -> str:
    """Draw a confusion matrix: shade by share of the row, numbers are counts.

    Parameters
    ----------
    counts : (K, K) of int
        Rows truth, columns answer.
    views : sequence of str, (K,)
    title : str

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    table = np.asarray(counts, dtype=float)
    share = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    few, names = len(views) <= 8, [_short(view) for view in views]
    side = 1.6 + (0.52 if few else 0.36) * len(views)
    room = 0.09 * max(0, max(map(len, names), default=0) - 8)  # inches; tick labels would leave the axes none
    figure, axes = _figure(side + 0.4 + room, side + room)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(views)), names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(views)), names)
    axes.set_xlabel("answer")
    axes.set_ylabel("truth")
    axes.set_title(title, fontsize=10)
    for i, j in np.ndindex(table.shape):
        if table[i, j]:
            axes.text(j, i, f"{int(table[i, j])}", ha="center", va="center", fontsize=8 if few else 6,
                      color="white" if share[i, j] > 0.55 else _INK)  # fmt: skip
    return _svg(figure)


def reliability(bins: Sequence[ReliabilityBin], ece: float) -> str:
    """Draw accuracy against confidence, with the count of each bin beside its point."""
    figure, axes = _figure(4.2, 4.0)
    axes.plot([0, 1], [0, 1], color=_PALE, lw=1, zorder=1)
    x, y = [b.confidence for b in bins], [b.accuracy for b in bins]
    total = max(sum(b.count for b in bins), 1)
    axes.plot(x, y, color=_ACCENT, lw=1.2, zorder=2)
    axes.scatter(x, y, s=[20 + 300 * b.count / total for b in bins], color=_ACCENT, zorder=3)
    for b in bins:
        axes.annotate(str(b.count), (b.confidence, b.accuracy), (6, -10), textcoords="offset points", fontsize=7)
    axes.set(xlim=(0, 1.02), ylim=(0, 1.05), xlabel="confidence", ylabel="share right")
    axes.set_title(f"reliability, ECE {ece:.3f}", fontsize=10)
    return _svg(figure)


def roc(y_true: npt.NDArray[np.integer], probabilities: npt.NDArray[np.floating], views: Sequence[str]) -> str:
    """Draw one curve a view against the rest; views that do not occur are left out."""
    figure, axes = _figure(4.8, 4.0)
    axes.plot([0, 1], [0, 1], color=_PALE, lw=1)
    for k, view in enumerate(views):
        positive = np.asarray(y_true) == k
        if not positive.any() or positive.all():
            continue
        order = np.argsort(-probabilities[:, k], kind="stable")
        last = np.flatnonzero(np.diff(probabilities[order, k], append=-np.inf) != 0)
        hits = np.cumsum(positive[order])[last] / positive.sum()
        alarms = np.cumsum(~positive[order])[last] / (~positive).sum()
        again, colour = divmod(k, len(_COLOURS))
        style = ("-", "--", ":")[again % 3]
        axes.plot(np.r_[0, alarms], np.r_[0, hits], style, lw=1.3, label=view, color=_COLOURS[colour])
    axes.set(xlim=(-0.01, 1), ylim=(0, 1.01), xlabel="false alarms", ylabel="found")
    axes.set_title("each view against the rest", fontsize=10)
    axes.legend(fontsize=7, frameon=False, loc="lower right")
    return _svg(figure)


def risk_against_coverage(confidence: npt.NDArray[np.floating], right: npt.NDArray[np.bool_]) -> str:
    """Draw the error rate among the most confident answers, for every share answered."""
    answered, risk = risk_coverage(np.asarray(confidence, dtype=float), right)
    figure, axes = _figure(4.2, 4.0)
    axes.step(answered, risk, where="post", color=_ACCENT, lw=1.4)
    axes.set(xlim=(0, 1), ylim=(0, max(0.05, float(risk.max()) * 1.1)), xlabel="share answered", ylabel="share wrong")
    axes.set_title("risk and coverage", fontsize=10)
    return _svg(figure)
