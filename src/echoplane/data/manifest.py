"""What a data set says about its cines, before any of them is opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from echoplane.data.labels import LabelTable
from echoplane.sources.item import SourceItem


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """One cine of a labelled data set.

    Attributes
    ----------
    cine : str
        Key: the path below the data set's folder, with ``/``.
    item : SourceItem
        What :func:`echoplane.sources.open.open_cine` opens.
    given_label : str
        The view as the data set spells it; ``""`` when it has none.
    given_shares : mapping of str to float
        Soft label, in the data set's spelling.
    patient, study, split : str
        As the data set gives them, ``""`` when it does not; `split` is ``train``, ``validation`` or ``test``.
    fps : float or None
        Frame rate given beside the file, used where the file does not say its own.
    still : bool
        True when the data set is known to hold single frames, so that one frame is no fault.
    extra : mapping of str to JSON value
        Other columns worth keeping.
    """

    cine: str
    item: SourceItem
    given_label: str = ""
    given_shares: Mapping[str, float] = field(default_factory=dict)
    patient: str = ""
    study: str = ""
    split: str = ""
    fps: float | None = None
    still: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)


#: Why a line without a view is left out; result files of ``predict`` have many.
NO_VIEW = "Has no view."


@dataclass(frozen=True, slots=True)
class Failure:
    """One file or cine that does not reach the store.

    Attributes
    ----------
    file : str
        Relative to the data set's folder.
    status : str
        A value of :class:`echoplane.records.Status`, or ``"missing"``, ``"no_label"``, ``"label_conflict"``,
        ``"name_conflict"``, ``"left_out"``, ``"elsewhere"``, ``"error"``.
    reason : str
        Why, in one or two sentences.
    given_label : str
        The label that a sheet gives it, where one does.
    """

    file: str
    status: str
    reason: str
    given_label: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Manifest:
    """All cines of a data set, and what of it cannot be used.

    Attributes
    ----------
    rows : tuple of ManifestRow
        Every key once, after :func:`settle`.
    failures : tuple of Failure
        Files that are missing, have no label, or two.
    notes : tuple of str
        What to know of the data set as a whole.
    """

    rows: tuple[ManifestRow, ...]
    failures: tuple[Failure, ...] = ()
    notes: tuple[str, ...] = ()

    def given_labels(self) -> dict[str, int]:
        """Return every label in the data set's spelling, with the number of cines that have it."""
        counts: dict[str, int] = {}
        for row in self.rows:
            for label in {row.given_label, *row.given_shares} - {""}:
                counts[label] = counts.get(label, 0) + 1
        return dict(sorted(counts.items()))


def settle(manifest: Manifest, labels: LabelTable) -> Manifest:
    """Make every key stand once: lines that agree become one; cines with two labels, patients or parts are failures.

    A cine with two labels is not used at all, because there is no telling which of them is right; nor are two cines of
    one name. Two spellings of one view, as `labels` or the vocabulary have it, are one label.
    """
    failures = list(manifest.failures)
    by_key: dict[str, list[ManifestRow]] = {}
    for row in manifest.rows:
        by_key.setdefault(row.cine, []).append(row)
    kept = []
    for key, same in by_key.items():
        if len({tuple(row.item.all_files) for row in same}) > 1:
            reason = "Is the name of two cines, of different files. Rename one of them; neither is used."
            failures.append(Failure(key, "name_conflict", reason))
            continue
        views = {_meaning(row.given_label, labels): row.given_label for row in same}
        splits = sorted({row.split for row in same if row.split})
        # Who the patients are does not belong into a message.
        said = (
            f"Is labelled {' and '.join(map(repr, sorted(views.values())))}." if len(views) > 1 else "",
            "Is said to be of different patients." if len({row.patient for row in same if row.patient}) > 1 else "",
            f"Is for {' and '.join(map(repr, splits))}." if len(splits) > 1 else "",
        )
        if odd := [why for why in said if why]:
            failures.append(Failure(key, "label_conflict", f"{odd[0]} Correct that; it is not used."))
        else:
            kept.append(_merged(same))
    return replace(manifest, rows=tuple(sorted(kept, key=lambda row: row.cine)), failures=tuple(failures))


def _meaning(given: str, labels: LabelTable) -> str:
    """Return what a label means; of one that nobody knows yet, what is compared of its spelling."""
    return labels.resolve(given) or given.strip().casefold()


def _merged(same: list[ManifestRow]) -> ManifestRow:
    """Return one row for lines that agree: what one of them leaves open, another may say."""
    first = same[0]
    return replace(
        first,
        patient=next((row.patient for row in same if row.patient), ""),
        study=next((row.study for row in same if row.study), ""),
        split=next((row.split for row in same if row.split), ""),
        fps=next((row.fps for row in same if row.fps is not None), None),
    )
