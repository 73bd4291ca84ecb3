"""Evaluate: from labelled predictions to figures with intervals, a page, and a list of what was misread."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from echoplane._files import atomic_write, each_path, text_cell, write_csv
from echoplane.errors import StoreError, UsageError
from echoplane.inference.engine import load_engine
from echoplane.metrics import plots
from echoplane.metrics.calibration import Scaling
from echoplane.metrics.intervals import Comparison, Interval
from echoplane.metrics.predictions import Predictions
from echoplane.metrics.summary import Summary, compare_predictions, summarise
from echoplane.models.bundle import Bundle
from echoplane.models.bundle_facts import BundleFacts
from echoplane.pipelines import _html
from echoplane.pipelines._marks import WORDS, marker
from echoplane.pipelines.answer import Progress, answer_store, rows_in
from echoplane.pipelines.promises import Promises, promises
from echoplane.records import UInt8Array
from echoplane.store.reader import open_stores

#: Gives frames by (cine, answer, truth), (T, H, W) or (T, H, W, 3), or None where there are none.
Pictures = Callable[[str, str, str], UInt8Array | None]

_WORDS = {
    "accuracy": "accuracy, summed probabilities",
    "accuracy_votes": "accuracy, majority vote",
    "accuracy_clips": "accuracy, single clips",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "kappa": "Cohen's kappa",
    "top2_accuracy": "truth among the first two",
    "family_accuracy": "apical against short axis",
    "auroc": "AUROC, mean over views",
    "ece": "ECE, 15 bins of equal width",
    "ece_equal_mass": "ECE, 15 bins of equal count",
    "mce": "MCE",
    "brier": "Brier score",
    "aurc": "area under risk and coverage",
}

_NO_INTERVAL = (
    "ECE and MCE have no interval: chance makes them larger, and resampling adds chance to chance, so that the figures "
    "of resamples lie too high. On few cines honest probabilities show an ECE above 0 as well."
)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was found.

    Attributes
    ----------
    name : str
        Of the model or the file of predictions.
    summary : Summary
    calibration : Scaling or None
        Applied before all figures.
    against : str
        Name of the model compared with, or "".
    comparison : Comparison or None
        Accuracy by cine of this model minus that of the other.
    promises : Promises or None
        How often the bundle's sets hold the true view, and how cines end with its thresholds.
    warnings : tuple of str
        Why the figures may not be what they seem.
    """

    name: str
    summary: Summary
    calibration: Scaling | None = None
    against: str = ""
    comparison: Comparison | None = None
    promises: Promises | None = None
    warnings: tuple[str, ...] = ()


def evaluate(
    predictions: Predictions,
    name: str = "model",
    calibration: Scaling | None = None,
    against: tuple[str, Predictions] | None = None,
    repeats: int = 1000,
    facts: BundleFacts | None = None,
    against_calibration: Scaling | None = None,
    warnings: Sequence[str] = (),
) -> Evaluation:
    """Work out all figures.

    Parameters
    ----------
    predictions : Predictions
        On cines the network was not trained on.
    name : str
    calibration : Scaling, optional
    against : (str, Predictions), optional
        Another model, by name, on (some of) the same cines.
    repeats : int
        Resamples of patients for the intervals.
    facts : BundleFacts, optional
        Of the bundle that the predictions are of, to see whether it keeps its promises.
    against_calibration : Scaling, optional
        Of the other model.
    warnings : sequence of str
        What is known already against the figures, as :func:`echoplane.pipelines.trained_on.trained_on` says it.

    Raises
    ------
    UsageError
        When the bundle has other views than the predictions, or the other model answered other cines.
    """
    scalings = (calibration, against_calibration)
    comparison = compare_predictions(predictions, against[1], repeats, scalings=scalings) if against else None
    kept = promises(predictions, facts, repeats) if facts else None
    summary = summarise(predictions, calibration, repeats)
    said = tuple(text for text in (*warnings, predictions.no_patient()) if text)
    return Evaluation(name, summary, calibration, against[0] if against else "", comparison, kept, said)


def write_evaluation(
    found: Evaluation,
    predictions: Predictions,
    folder: str | Path,
    pictures: Pictures | None = None,
    words: str = "",
) -> list[Path]:
    """Write ``evaluation.json``, ``report.html`` and ``misread.csv`` into a folder.

    Parameters
    ----------
    found : Evaluation
    predictions : Predictions
        What it was worked out from.
    folder : str or Path
        Made if needed; files of these names are replaced.
    pictures : callable, optional
        Frames, (T, H, W) or (T, H, W, 3), for the small moving pictures of misread cines: given a cine's name, the
        answer and the truth.
    words : str
        What is to be said about the pictures.

    Returns
    -------
    list of Path
        The files written.
    """
    folder = Path(folder)
    paths = [folder / "evaluation.json", folder / "report.html", folder / "misread.csv"]
    with atomic_write(paths[0]) as stream:
        stream.write(msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n")
    with atomic_write(paths[1]) as stream:
        stream.write(report(found, predictions, pictures, words))
    misread = [(text_cell(c), t, a, f"{p:.4f}") for c, t, a, p in found.summary.misread]
    write_csv(paths[2], [("cine", "true_view", "answer", "probability"), *misread])
    return paths


def verdict(comparison: Comparison, first: str, second: str) -> str:
    """Say in a sentence whether one model is better than another."""
    d = comparison.difference
    value, low, high = d.value, d.low, d.high
    if d.low > 0:
        word = f"{first} reads more cines right than {second}"
    elif d.high < 0:
        # The better one comes first, so the difference is above 0.
        word, value, low, high = f"{second} reads more cines right than {first}", -d.value, -d.high, -d.low
    else:
        word = f"No difference between {first} and {second} can be told on these cines"
    both = f"on the {comparison.cines} cines that both answered"
    interval = f"{100 * low:+.1f} to {100 * high:+.1f}, {100 * d.level:.0f} % interval by patient"
    if math.isnan(low):
        interval = "no interval: too few patients"
    odd = (
        f" Beware: of {comparison.otherwise} of these {comparison.cines} cines the two give the true view other names, "
        "for they tell other views apart; right means different things there, and fewer views are easier to tell."
        if comparison.otherwise
        else ""
    )
    return (
        f"{word}: {100 * value:+.1f} points of accuracy ({interval}) {both}; {comparison.only_first} cines only "
        f"{first} reads right, {comparison.only_second} only {second}; exact McNemar p = {comparison.p_value:.3g}.{odd}"
    )


def report(
    found: Evaluation,
    predictions: Predictions,
    pictures: Pictures | None = None,
    words: str = "",
    most: int = 60,
) -> str:
    """Return the page as HTML; the `most` surest mistakes are shown as moving pictures where there are frames."""
    s = found.summary
    lead = f"{s.cines} cines ({s.clips} clips) of {s.people}. Intervals: bootstrap over these, 95 %."
    body = [
        *([_html.section("Warnings", *map(_html.paragraph, found.warnings))] if found.warnings else []),
        _html.section("Figures", _figures(s.figures), _html.paragraph(_NO_INTERVAL), _per_view(s)),
        _html.section(
            "Confusion",
            _html.side_by_side(
                plots.confusion(s.confusion_clips, s.views, "single clips"),
                plots.confusion(s.confusion_sums, s.views, "summed probabilities"),
                plots.confusion(s.confusion_votes, s.views, f"majority vote ({s.ties} ties)"),
            ),
        ),
        _html.section("Confidence", _curves(found, predictions)),
        *([_html.section("Promises", *_promises(found.promises))] if found.promises else []),
    ]
    if found.comparison:
        said = _html.paragraph(verdict(found.comparison, found.name, found.against))
        body.insert(2 if found.warnings else 1, _html.section("Comparison", said))
    body.append(_html.section(f"Misread: {len(s.misread)} cines", *_misread(s, pictures, words, most)))
    return _html.page(f"Evaluation of {found.name}", lead, body)


def _figures(figures: dict[str, Interval]) -> str:
    return _html.table(
        ["figure", "value", "from", "to"], [(_WORDS[name], i.value, i.low, i.high) for name, i in figures.items()]
    )


def _per_view(s: Summary) -> str:
    rows = [(v.view, v.cines, v.precision, v.recall.value if v.recall else None, v.recall.low if v.recall else None,
             v.recall.high if v.recall else None, v.f1, v.auroc) for v in s.per_view]  # fmt: skip
    return _html.table(["view", "cines", "precision", "recall", "from", "to", "F1", "AUROC"], rows)


def _curves(found: Evaluation, predictions: Predictions) -> str:
    p = predictions.cine_probabilities(found.calibration)
    right = p.argmax(axis=1) == predictions.y_true
    ece = found.summary.figures["ece"].value
    return _html.side_by_side(
        plots.reliability(found.summary.reliability, ece),
        plots.risk_against_coverage(p.max(axis=1), right),
        plots.roc(predictions.y_true, p, predictions.views),
    )


def _promises(kept: Promises) -> list[str]:
    endings = _html.table(
        ["cines", "count", "right", "from", "to", "wrong", "unsure", "right of those answered"],
        [(e.of, e.cines, e.right.value, e.right.low, e.right.high, e.wrong.value, e.unsure.value, e.right_of_answered)
         for e in kept.endings],
    )  # fmt: skip
    said = "As predict ends them, with the bundle's thresholds; 'other' is right for what the bundle does not answer."
    if not kept.sets:
        return [_html.paragraph(said), endings, _html.paragraph("The bundle has no prediction sets.")]
    sets = _html.table(
        ["promised", "hold the true view", "from", "to", "views in a set", "covered least", "of its cines"],
        [(s.level, s.coverage.value, s.coverage.low, s.coverage.high, s.size, s.worst_view, s.worst)
         for s in kept.sets],
    )  # fmt: skip
    return [_html.paragraph(said), endings, _html.paragraph("Prediction sets:"), sets]


def _misread(s: Summary, pictures: Pictures | None, words: str, most: int) -> list[str]:
    shown = []
    for cine, truth, answer, probability in s.misread[:most]:
        caption = f"{cine}: {truth}, read as {answer} ({probability:.2f})"
        frames = pictures(cine, answer, truth) if pictures else None
        if frames is not None and len(frames):
            chosen = np.linspace(0, len(frames) - 1, min(len(frames), 24)).astype(int)
            shown.append(_html.moving_picture(frames[chosen], caption, side=max(112, frames.shape[2])))
    rows = [(c, t, a, p) for c, t, a, p in s.misread]
    said = [_html.paragraph(words)] if words and shown else []
    return [*said, _html.side_by_side(*shown), _html.table(["cine", "truth", "answer", "probability"], rows)]


def predictions_from(
    inputs: str | Path | Sequence[str | Path],
    bundle: str | Bundle | None = None,
    split: str | None = None,
    progress: Progress | None = None,
    *,
    mirrored: bool = False,
) -> tuple[Predictions, dict[str, int]]:
    """Read predictions, or make them by running a bundle over stores.

    Parameters
    ----------
    inputs : path or sequence of path
        One ``.npz`` file of predictions, or one or more stores.
    bundle : str, Bundle or None
        For stores; None takes the weights that ship with the package.
    split : str, optional
        For stores: which rows, as :func:`echoplane.pipelines.answer.rows_in` takes it.
    progress : callable, optional
        For stores: called with (done, total).
    mirrored : bool
        For stores: with left and right of every frame exchanged.

    Returns
    -------
    predictions : Predictions
    left_out : dict of str to int
        Reasons, and how many cines each left out; empty for a file of predictions.

    Raises
    ------
    DataError, StoreError, BundleError, UsageError
        When an input cannot be read, or does not fit the bundle.
    """
    given = list(each_path(inputs))
    files = [Path(path) for path in given if path.endswith(".npz")]
    if files:
        if len(given) != 1:
            raise UsageError("give one file of predictions, or stores; not both, and not several files.")
        if split:
            raise UsageError(f"a split ({split}) is for stores; {files[0]} holds answers of which all count.")
        return Predictions.load(files[0]), {}
    loaded = bundle if isinstance(bundle, Bundle) else Bundle.load(bundle)
    engine = load_engine(loaded)
    answers = answer_store(loaded, engine, open_stores(given), rows_in(split), progress, mirrored=mirrored)
    return answers.predictions, answers.left_out


def check_shared(
    name: str, other: Predictions, inputs: str | Path | Sequence[str | Path], split: str | None = None
) -> None:
    """Refuse answers to compare with that are about none of the cines, before these are answered.

    Parameters
    ----------
    name : str
        Of the file with the answers, for the message.
    other : Predictions
    inputs, split
        Stores, and which of their rows, as :func:`predictions_from` takes them.

    Raises
    ------
    UsageError
        Names a cine of each.
    """
    keep = rows_in(split)
    asked = {row.cine for store in open_stores(inputs) for row in store.rows if keep is None or keep(row)}
    if asked and asked.isdisjoint(other.cines):
        raise UsageError(
            f"{name}: answers none of the {len(asked)} cines that are to be answered (its first is {other.cines[0]!r}, "
            f"theirs {min(asked)!r}). Cines are known by their names in the stores; give answers to the same stores."
        )


def store_pictures(inputs: str | Path | Sequence[str | Path], bundle: Bundle | None = None) -> tuple[Pictures, str]:
    """Return what finds a cine by the name that :func:`predictions_from` gives it, and what to say of the pictures.

    Parameters
    ----------
    inputs : path or sequence of path
        Stores.
    bundle : Bundle, optional
        Whose answers they are: where its network has an activation map of its own, the map of the mistake stands
        beside the cine.

    Raises
    ------
    UsageError
        When a store was prepared by another recipe than the bundle's.
    """
    stores = open_stores(inputs)
    mark = marker(bundle, stores) if bundle else None
    places = {row.cine: (store, i) for store in stores for i, row in enumerate(store.rows)}

    def pictures(name: str, answer: str, truth: str) -> UInt8Array | None:
        store, i = places.get(name, (None, 0))
        if store is None:
            return None
        try:
            marked = mark(store, i, answer, truth) if mark else None
            return store.frames(i) if marked is None else marked
        except StoreError:
            return None

    return pictures, WORDS if mark else ""
