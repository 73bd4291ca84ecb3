"""What a network answered on labelled cines: the file that cross-validation writes and `evaluate` reads.

Letters: V cines, C clips, K views.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from echoplane._files import atomic_write
from echoplane.errors import DataError, UsageError
from echoplane.metrics.calibration import Floats, Scaling, mean_by_cine

_FORMAT = "echoplane-predictions-1"

#: What a group of cines rests on, and how many of them are called.
PATIENT, STUDY, CINE = "patient", "study", "cine"
_COUNTED = {
    PATIENT: ("patient", "patients"),
    STUDY: ("study", "studies"),
    CINE: ("lone cine", "lone cines"),
}


@dataclass(frozen=True, eq=False)
class Predictions:
    """Logits for every clip of labelled cines.

    Attributes
    ----------
    views : tuple of str
        The K labels, in the order of the logits' columns.
    cines : tuple of str
        Name of each cine (V), unique.
    groups : tuple of str
        Patient of each cine (V), or what stands for one; what intervals resample and splits keep together.
    y_true : int64 array, (V,)
        Index into `views`.
    cine_of_clip : int64 array, (C,)
        Row of the cine each clip belongs to; every cine has at least one clip.
    logits : float32 array, (C, K)
        Uncalibrated.
    folds : int64 array, (V,)
        Fold whose network answered; 0 where there is only one.
    sources : tuple of str
        File of each cine (V), or empty strings; used for the pictures in a report.
    known_by : tuple of str
        What the group of each cine (V) rests on, `PATIENT`, `STUDY` or `CINE`; empty where nothing says it, as in files
        of earlier versions.
    """

    views: tuple[str, ...]
    cines: tuple[str, ...]
    groups: tuple[str, ...]
    y_true: npt.NDArray[np.int64]
    cine_of_clip: npt.NDArray[np.int64]
    logits: npt.NDArray[np.float32]
    folds: npt.NDArray[np.int64]
    sources: tuple[str, ...]
    known_by: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        v, c, k = len(self.cines), len(self.cine_of_clip), len(self.views)
        sizes = {len(self.groups), len(self.y_true), len(self.folds), len(self.sources)}
        sizes |= {len(self.known_by)} if self.known_by else set()
        if sizes != {v} or self.logits.shape != (c, k):
            raise UsageError(
                f"{v} cines, {c} clips, {k} views, but arrays of {sizes} rows and logits {self.logits.shape}"
            )
        if len(set(self.cines)) != v:
            raise UsageError("two cines have the same name")
        if not np.array_equal(np.unique(self.cine_of_clip), np.arange(v)):
            raise UsageError("every cine needs at least one clip, and every clip a cine")
        if v and not (self.y_true.min() >= 0 and self.y_true.max() < k):
            raise UsageError(f"true views reach from {self.y_true.min()} to {self.y_true.max()}, expected 0 to {k - 1}")

    def clip_probabilities(self, scaling: Scaling | None = None) -> Floats:
        """Return calibrated probabilities of each clip, (C, K)."""
        return (scaling or Scaling()).apply(self.logits)

    def cine_probabilities(self, scaling: Scaling | None = None) -> Floats:
        """Return the mean of the clips' calibrated probabilities, (V, K)."""
        return mean_by_cine(self.clip_probabilities(scaling), self.cine_of_clip)

    def people(self) -> str:
        """Return how many groups the cines are of, in words: patients, or what stands for them."""
        if not self.known_by:
            return f"{_number(len(set(self.groups)), 'group', 'groups')} (patients where known)"
        members = {kind: {g for g, k in zip(self.groups, self.known_by, strict=True) if k == kind} for kind in _COUNTED}
        parts = [_number(len(found), *_COUNTED[kind]) for kind, found in members.items() if found]
        return " and ".join(parts) + ("" if members[PATIENT] else " (no patient known)")

    def no_patient(self) -> str:
        """Return a sentence where cines are known not to have a patient, else an empty string."""
        count = sum(kind != PATIENT for kind in self.known_by)
        if not count:
            return ""
        return (
            f"No patient is known for {count} of {len(self.cines)} cines: the study counts in its place, or else each "
            "cine by itself. Where several of these are of one person, intervals are too narrow, and cines that seem "
            "left out are not."
        )

    def take(self, rows: Sequence[int] | npt.NDArray[np.int64]) -> Predictions:
        """Return the predictions of some cines, by row number, in the order given, each once."""
        wanted = np.asarray(rows, dtype=np.int64)
        place = np.full(len(self.cines), -1)
        place[wanted] = np.arange(len(wanted))
        clips = np.flatnonzero(place[self.cine_of_clip] >= 0)
        return replace(
            self,
            cines=tuple(self.cines[i] for i in wanted),
            groups=tuple(self.groups[i] for i in wanted),
            sources=tuple(self.sources[i] for i in wanted),
            known_by=tuple(self.known_by[i] for i in wanted) if self.known_by else (),
            y_true=self.y_true[wanted],
            folds=self.folds[wanted],
            cine_of_clip=place[self.cine_of_clip[clips]],
            logits=self.logits[clips],
        )

    def save(self, path: str | Path) -> None:
        """Write an ``.npz`` file, atomically; holds arrays and one JSON text, no pickle."""
        header = json.dumps({"format": _FORMAT, "views": self.views, "cines": self.cines, "groups": self.groups,
                             "sources": self.sources, "known_by": self.known_by})  # fmt: skip
        with atomic_write(path, "wb") as stream:
            np.savez_compressed(stream, header=np.array(header), y_true=self.y_true, cine_of_clip=self.cine_of_clip,
                                logits=self.logits, folds=self.folds)  # fmt: skip

    @classmethod
    def load(cls, path: str | Path) -> Predictions:
        """Read what :meth:`save` wrote.

        Raises
        ------
        DataError
            When the file is missing, damaged, or of another kind.
        """
        try:
            # Opened here, for NumPy leaves a damaged file open, and Windows lets nobody replace one.
            with Path(path).open("rb") as stream, np.load(stream, allow_pickle=False) as file:
                header = json.loads(str(file["header"]))
                if not isinstance(header, dict) or header.get("format") != _FORMAT:
                    raise DataError(f"{path}: is not a file of predictions, for it is not marked as {_FORMAT!r}.")
                found = cls(tuple(header["views"]), tuple(header["cines"]), tuple(header["groups"]), file["y_true"],
                            file["cine_of_clip"], file["logits"], file["folds"], tuple(header["sources"]),
                            tuple(header.get("known_by", ())))  # fmt: skip
        except FileNotFoundError as error:
            raise DataError(
                f"{path}: there is no such file. `echoplane train` keeps RUN/validation.npz, `echoplane crossval` "
                "FOLDER/predictions.npz."
            ) from error
        except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise DataError(f"{path}: is not a file of predictions ({error}).") from error
        if not found.cines:
            raise DataError(f"{path}: holds no cine.")
        if odd := sorted(set(found.cine_of_clip[~np.isfinite(found.logits).all(axis=1)].tolist())):
            raise DataError(
                f"{path}: the logits of {len(odd)} cines are no finite numbers, the first being "
                f"{found.cines[odd[0]]!r}; answer these cines again, or leave them out."
            )
        return found

    @classmethod
    def concatenate(cls, parts: list[Predictions]) -> Predictions:
        """Join the predictions of several folds.

        Raises
        ------
        UsageError
            When the views differ, or a cine was answered twice.
        """
        if not parts or len({p.views for p in parts}) != 1:
            raise UsageError("predictions can be joined only when they have the same views in the same order")
        offsets = np.cumsum([0, *(len(p.cines) for p in parts[:-1])])
        return cls(
            parts[0].views,
            tuple(c for p in parts for c in p.cines),
            tuple(g for p in parts for g in p.groups),
            np.concatenate([p.y_true for p in parts]),
            np.concatenate([p.cine_of_clip + o for p, o in zip(parts, offsets, strict=True)]),
            np.concatenate([p.logits for p in parts]),
            np.concatenate([p.folds for p in parts]),
            tuple(s for p in parts for s in p.sources),
            tuple(k for p in parts for k in p.known_by) if all(p.known_by for p in parts) else (),
        )


def _number(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
