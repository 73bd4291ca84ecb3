"""A labelled data set into a clip store: read every cine once, prepare it, label it, and say what did not fit."""

from __future__ import annotations

import functools
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from echoplane._files import file_cell, text_cell, write_csv
from echoplane._processes import refuse_unguarded
from echoplane.config import to_mapping
from echoplane.data.adapters import Options, layout_named, read_manifest
from echoplane.data.adapters._tables import read_table
from echoplane.data.labels import SKIP, LabelTable, in_order, save_table
from echoplane.data.manifest import Failure, Manifest, ManifestRow
from echoplane.data.secrets import fingerprint, fitting, own_secret
from echoplane.errors import DataError, PrepareError, ReadError, StoreError
from echoplane.pipelines._patients import refuse_half_named, with_patients
from echoplane.pipelines._rates import other_rate, other_rates
from echoplane.pipelines._workers import spread
from echoplane.prepare import PrepareRecipe, prepare, recipe_named
from echoplane.records import Cine, CineKind, UInt8Array
from echoplane.sources.dicom.identity import LENGTH, patient_and_study
from echoplane.sources.limits import DEFAULT_LIMITS, Limits
from echoplane.sources.open import open_cine
from echoplane.store import StoreReader, StoreRow, StoreWriter
from echoplane.store.schema import INFO_FILE

FAILURES_FILE = "failures.csv"
LABELS_FILE = "labels.csv"

#: Failures that say that a cine is not to be used, whether it was stored before or not.
_NOT_TO_BE_USED = frozenset({"left_out", "label_conflict"})
_NOT_B_MODE: Mapping[CineKind, str] = {
    CineKind.COLOR_DOPPLER: "Shows colour Doppler. Use --include-color to store it all the same.",
    CineKind.SPECTRAL_DOPPLER: "Shows spectral Doppler, no picture of the heart.",
    CineKind.M_MODE: "Shows M-mode, no picture of the heart.",
    CineKind.VOLUME: "Is a volume, not a cine.",
    CineKind.SECONDARY_CAPTURE: "Is a screen capture, not a cine of the scanner.",
    CineKind.STILL: "Is a single frame. Use --include-stills to store it all the same.",
}


@dataclass(frozen=True, slots=True)
class PrepareSettings:
    """How a data set becomes a store.

    Attributes
    ----------
    layout : str
        See :data:`echoplane.data.adapters.LAYOUTS`.
    recipe : PrepareRecipe or str
        A recipe, or the name of one.
    labels : LabelTable
        The user's own table, over the one of the layout.
    sheet : Path or None
        Label sheet, where the layout has one.
    patients : str
        Who is who where the layout does not tell: ``"header"`` hashes the DICOM PatientID; ``"none"``; or a
        regular expression with groups named ``patient`` (and ``study``), searched in the cine's key.
    patient_key : bytes or None
        Secret of the hashes, so that two stores agree on a patient; None: one of the store's own.
    include_color, include_stills : bool
        Store colour Doppler, and single frames of layouts that are not made of them.
    jobs : int
        Processes.
    limits : Limits
    """

    layout: str = "folders"
    recipe: PrepareRecipe | str = "default"
    labels: LabelTable = field(default_factory=LabelTable)
    sheet: Path | None = None
    patients: str = "header"
    patient_key: bytes | None = None
    include_color: bool = False
    include_stills: bool = False
    jobs: int = 1
    limits: Limits = DEFAULT_LIMITS


@dataclass(frozen=True, slots=True)
class PrepareRun:
    """How a run ended.

    Attributes
    ----------
    stored, skipped : int
        Cines stored now, and those that an earlier run had stored.
    failures : tuple of Failure
        Sorted by file.
    views : mapping of str to int
        Cines in the store by view.
    interrupted : bool
    gone : int
        Stored cines that the source does not have any more; they stay in the store.
    notes : tuple of str
        What to know of the run as a whole.
    """

    stored: int
    skipped: int
    failures: tuple[Failure, ...]
    views: Mapping[str, int]
    interrupted: bool
    gone: int = 0
    notes: tuple[str, ...] = ()

    @property
    def failed(self) -> int:
        """Files that are not in the store, those left out on purpose not counted."""
        return sum(failure.status != "left_out" for failure in self.failures)


@dataclass(frozen=True, slots=True)
class _Task:
    row: ManifestRow
    label: str
    shares: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _Done:
    row: StoreRow
    frames: UInt8Array
    hashed: bool
    other_rate: bool


def prepare_dataset(
    source: str | Path,
    out: str | Path,
    settings: PrepareSettings | None = None,
    *,
    on_start: Callable[[int], None] = lambda total: None,
    on_cine: Callable[[], None] = lambda: None,
) -> PrepareRun:
    """Read, label, prepare and store every cine of a data set, going on where an earlier run stopped.

    Parameters
    ----------
    source : str or Path
        Folder of the data set.
    out : str or Path
        Folder of the store; gets ``failures.csv`` and ``labels.csv`` too.
    settings : PrepareSettings
    on_start : callable
        Told how many cines there are to do.
    on_cine : callable
        Called after each.

    Returns
    -------
    PrepareRun
        Also after an interrupt (Ctrl-C), with what was done until then.

    Raises
    ------
    DataError
        The folder does not look like the layout, or the store was labelled in another way.
    UnknownLabelsError
        Labels that nobody knows; raised before anything is read.
    StoreError
        The folder holds something else, or a store of another recipe.
    UsageError
        Processes that cannot start: with several `jobs` the calling script needs its ``if __name__ == "__main__"``.
    """
    settings = settings or PrepareSettings()
    if settings.jobs > 1:
        refuse_unguarded()
    recipe = recipe_named(settings.recipe) if isinstance(settings.recipe, str) else settings.recipe
    layout = layout_named(settings.layout)
    read = read_manifest(layout.name, source, Options(settings.sheet, settings.labels))
    manifest = with_patients(_without_store(read, Path(source), Path(out)), settings.patients)
    given = manifest.given_labels()
    meanings = settings.labels.over(LabelTable.of_layout(layout.name)).resolve_all(given)
    tasks, failures = _label(manifest, meanings)
    before = StoreReader(out) if (Path(out) / INFO_FILE).exists() else None
    # Whatever is refused is refused before the writer changes anything.
    secret = fitting(before, settings.patient_key) if settings.patients == "header" else None
    if before is not None:
        _refuse_what_changed(before, tasks, failures, settings)
        _refuse_other_secret(before, tasks, secret)
    if settings.patients == "header":
        there = {row.cine for row in before} if before is not None else set()
        refuse_half_named([task.row for task in tasks], there)
    views = in_order({task.label for task in tasks} | {view for task in tasks for view in task.shares})
    height, width = recipe.size
    stored, done, n_other, interrupted = 0, 0, 0, True
    with StoreWriter(
        out, recipe=to_mapping(recipe), views=views, height=height, width=width, origin=layout.origin
    ) as writer:
        if settings.patients == "header" and secret is None:
            secret = own_secret(Path(out))
        save_table(meanings, Path(out) / LABELS_FILE, given)
        todo = [task for task in tasks if task.row.cine not in writer]
        done = len(tasks) - len(todo)
        on_start(len(todo))
        work = functools.partial(_one, recipe=recipe, settings=settings, secret=secret)
        results = spread(work, todo, settings.jobs, _crashed)
        try:
            for result in results:
                if isinstance(result, Failure):
                    failures.append(result)
                else:
                    if result.hashed and secret is not None:
                        writer.use_secret(fingerprint(secret))
                    writer.append(result.frames, result.row)
                    stored += 1
                    n_other += result.other_rate
                on_cine()
            interrupted = False
        except KeyboardInterrupt:
            pass  # whole cines are kept; the caller is told
        finally:
            results.close()
            failures.sort(key=lambda failure: (failure.file, failure.status))
            write_failures(failures, Path(out) / FAILURES_FILE)
    rows = StoreReader(out).rows
    counts = Counter(row.top_label() for row in rows)
    met = {task.row.cine for task in tasks} | {failure.file for failure in failures if failure.status != "missing"}
    gone = sum(row.cine not in met for row in rows)
    notes = (*manifest.notes, *other_rates(n_other))
    return PrepareRun(stored, done, tuple(failures), dict(counts), interrupted, gone, notes)


def _without_store(manifest: Manifest, source: Path, out: Path) -> Manifest:
    """Leave out the store's own files, where it lies in the folder of a view."""
    root, folder = Path(os.path.realpath(source)), Path(os.path.realpath(out))
    if root == folder or not folder.is_relative_to(root):
        return manifest
    here = source / folder.relative_to(root)
    return replace(manifest, rows=tuple(row for row in manifest.rows if not row.item.path.is_relative_to(here)))


def _label(manifest: Manifest, meanings: Mapping[str, str]) -> tuple[list[_Task], list[Failure]]:
    tasks, failures = [], list(manifest.failures)
    for row in manifest.rows:
        label = meanings[row.given_label] if row.given_label else ""
        shares: dict[str, float] = {}
        for given, share in row.given_shares.items():
            if meanings[given] != SKIP:
                shares[meanings[given]] = shares.get(meanings[given], 0.0) + share
        if label == SKIP or (row.given_shares and not shares):
            reason = f"The label table says to leave out {row.given_label or ', '.join(row.given_shares)!r}."
            failures.append(Failure(row.cine, "left_out", reason))
            continue
        total = sum(shares.values())
        tasks.append(_Task(row, label, {view: share / total for view, share in shares.items()}))
    return tasks, failures


def _refuse_what_changed(
    store: StoreReader, tasks: list[_Task], failures: list[Failure], settings: PrepareSettings
) -> None:
    """Make sure that what is stored is said of it now as well: rows that are there are not written again.

    Raises
    ------
    DataError
        Names a cine, and what has changed.
    """
    wanted = {task.row.cine: task for task in tasks}
    dropped = {failure.file: failure.reason for failure in failures if failure.status in _NOT_TO_BE_USED}
    changes = [(row.cine, change) for row in store if (change := _change(row, wanted.get(row.cine), dropped, settings))]
    if changes:
        cine, change = changes[0]
        raise DataError(
            f"{store.path}: of {len(changes)} stored cines something else is said now, for example {cine!r}: {change}. "
            "Labels, table, patients or splits have changed; use a new folder."
        )


def _change(row: StoreRow, task: _Task | None, dropped: Mapping[str, str], settings: PrepareSettings) -> str:
    if task is None:
        return dropped.get(row.cine, "")
    # Who a patient is does not belong into a message.
    if row.group != task.row.patient and (task.row.patient or not _from_header(row.group, settings)):
        return "another patient, or none" if row.group else "a patient, where there was none"
    pairs = [("label", row.label, task.label), ("part", row.split, task.row.split)]
    pairs += [("study", row.study, task.row.study)] if task.row.study else []  # else it is the header's
    for what, before, after in pairs:
        if before != after:
            return f"{what} {before!r}, now {after!r}"
    return "" if dict(row.shares) == dict(task.shares) else f"shares {dict(row.shares)}, now {dict(task.shares)}"


def _from_header(group: str, settings: PrepareSettings) -> bool:
    """Tell whether a stored patient is one that the headers of files may have given."""
    if settings.patients != "header":
        return not group
    return not group or re.fullmatch(f"[0-9a-f]{{{LENGTH}}}", group) is not None


def _refuse_other_secret(store: StoreReader, tasks: list[_Task], secret: bytes | None) -> None:
    """Hash one stored patient again, in a store of before fingerprints were kept.

    Raises
    ------
    StoreError
        When another pseudonym comes out.
    """
    if secret is None or store.info.secret:
        return
    items = {task.row.cine: task.row.item for task in tasks if not task.row.patient}
    for row in store:
        if row.group and row.cine in items and items[row.cine].path.is_file():
            again, _ = patient_and_study(items[row.cine].path, secret)
            if again and again != row.group:
                raise StoreError(
                    f"{store.path}: the patient of {row.cine!r} was hashed with another secret. Give the same "
                    "--patient-key as then (or none, if none was given), or use a new folder."
                )
            return


def _one(task: _Task, recipe: PrepareRecipe, settings: PrepareSettings, secret: bytes | None) -> _Done | Failure:
    """Read and prepare one cine; whatever goes wrong becomes its row."""
    row = task.row
    try:
        cine = open_cine(row.item, limits=settings.limits)
        refused = _unwanted(cine, row, settings)
        if refused:
            return refused
        prepared = prepare(cine, recipe)
    except (ReadError, PrepareError) as error:
        return Failure(row.cine, error.status, error.sentence)
    except Exception as error:  # noqa: BLE001 - one file must not end the run; the row names the kind
        return Failure(row.cine, "error", f"{type(error).__name__} while it was prepared; please report it.")
    if not prepared.frames.any():
        return Failure(row.cine, "not_b_mode", "Is black everywhere inside the sector.")
    frames, sector = prepared.frames, prepared.sector
    if sector.upside_down:
        frames, sector = frames[:, ::-1].copy(), sector.turned(prepared.crop)
    patient, study, hashed = row.patient, row.study, ""
    if secret is not None and not patient:
        patient, hashed = patient_and_study(row.item.path, secret) if row.item.path.is_file() else ("", "")
        study = study or hashed
    rate = other_rate(cine, row)
    return _Done(
        StoreRow(
            row.cine,
            label=task.label,
            shares=task.shares,
            group=patient,
            study=study,
            split=row.split,
            source=row.item.source,
            given_label=row.given_label,
            fps=cine.fps if cine.fps is not None else row.fps,
            sector=sector,
            crop=prepared.crop,
            notes=(*cine.notes, *prepared.notes, *((rate,) if rate else ())),
            extra=row.extra,
        ),
        frames,
        bool(hashed or patient != row.patient),
        bool(rate),
    )


def _unwanted(cine: Cine, row: ManifestRow, settings: PrepareSettings) -> Failure | None:
    kind = cine.kind
    if cine.n_frames == 1 and kind in (CineKind.B_MODE, CineKind.UNKNOWN):
        kind = CineKind.STILL
    if kind is CineKind.STILL and (row.still or settings.include_stills):
        return None
    if kind is CineKind.COLOR_DOPPLER and settings.include_color:
        return None
    if kind is CineKind.OTHER_MODALITY:
        return Failure(row.cine, "not_b_mode", f"Is of another modality ({cine.facts['modality']}), no echocardiogram.")
    return Failure(row.cine, str(kind), _NOT_B_MODE[kind]) if kind in _NOT_B_MODE else None


def _crashed(task: _Task) -> Failure:
    reason = "The process that read it died: the file crashes a decoder, or needs more memory than there is."
    return Failure(task.row.cine, "unreadable", reason)


def write_failures(failures: list[Failure], path: Path) -> None:
    """Write ``failures.csv``: file, status, reason."""
    rows = [(file_cell(failure.file, ".csv"), failure.status, text_cell(failure.reason)) for failure in failures]
    write_csv(path, [("file", "status", "reason"), *rows])


def read_failures(path: str | Path) -> Iterator[Failure]:
    """Read ``failures.csv`` of a store back, also as a spreadsheet saved it; nothing when there is none.

    Raises
    ------
    DataError
        When it has lost a column.
    """
    if Path(path).exists():
        for line in read_table(Path(path), ("file", "status", "reason")):
            yield Failure(line["file"], line["status"], line["reason"])
