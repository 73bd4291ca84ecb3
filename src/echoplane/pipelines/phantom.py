"""Phantom clips, studies and training sets as files: what the CLI and the Python API share."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path

import cv2
import numpy as np

from echoplane._files import atomic_write, write_csv
from echoplane._processes import Workers, leave_with_parent, refuse_unguarded
from echoplane.config import to_mapping
from echoplane.errors import DataError, UsageError
from echoplane.phantom.clip import PhantomCine
from echoplane.phantom.dataset import DatasetPlan, render_planned
from echoplane.phantom.dicom import Place, has_view_code, write_dicom
from echoplane.phantom.plan import PHANTOM_VIEWS
from echoplane.phantom.population import Patient
from echoplane.phantom.recording import DRAWING
from echoplane.phantom.study import StudyClip, plan_study, render_study, study_patient
from echoplane.phantom.training import TrainingClip
from echoplane.pipelines._movie import MOVIES, write_movie
from echoplane.prepare.recipe import RECIPES, PrepareRecipe
from echoplane.records import UInt8Array
from echoplane.store import StoreReader, StoreRow, StoreWriter
from echoplane.views import VIEWS

Progress = Callable[[int, int], None]

#: Clips handed to a worker at once, and how many such hand-outs may wait for the writer.
CHUNK, CHUNKS_AHEAD = 8, 4
#: How the clips of a phantom store were rendered.
PLAN = "phantom.json"
ORIGIN = "echoplane phantom, rendered; no patient data; Apache-2.0"


def write_dataset(
    out: str | Path,
    plan: DatasetPlan,
    *,
    jobs: int = 1,
    recipe: PrepareRecipe = RECIPES["store"],
    progress: Progress | None = None,
) -> int:
    """Render a training set into a store, going on where an earlier run stopped.

    Parameters
    ----------
    out : str or Path
        Folder of the store.
    plan : DatasetPlan
    jobs : int
        Worker processes. The data do not depend on it. More than one: the calling script needs its
        ``if __name__ == "__main__"``.
    recipe : PrepareRecipe
        One that crops to the sector.
    progress : callable, optional
        Called with (done, total) after every clip.

    Returns
    -------
    int
        Clips rendered now.

    Raises
    ------
    echoplane.errors.StoreError
        When the folder holds something else.
    UsageError
        For a recipe of another crop, before anything is written; for processes that cannot start.
    """
    if jobs > 1:
        refuse_unguarded()
    if recipe.crop != "sector":
        usable = ", ".join(name for name, known in RECIPES.items() if known.crop == "sector")
        raise UsageError(
            f"recipe {recipe.name!r}: phantom clips are rendered already cut to the sector, and this recipe has "
            f"crop {recipe.crop!r}. Recipes that fit: {usable}. (For others: `echoplane phantom study`, then prepare.)"
        )
    rows, columns = recipe.size
    # Every view a clip can show a share of, whatever was asked for; a bare short axis is named by its level.
    views = [row.label for row in VIEWS if row.label in PHANTOM_VIEWS and row.label != "PSAX"]
    # Through JSON, as the store keeps it: tuples become lists, and a second run finds the same settings.
    settings = json.loads(json.dumps(to_mapping(recipe)))
    with StoreWriter(out, recipe=settings, views=views, height=rows, width=columns, origin=ORIGIN) as writer:
        _same_plan(Path(out) / PLAN, plan, StoreReader(out).rows)
        missing = [n for n in range(plan.clips) if plan.key(n) not in writer]
        done = plan.clips - len(missing)
        for number, clip in _rendered(plan, missing, recipe, jobs):
            writer.append(clip.frames, store_row(plan, number, clip))
            done += 1
            if progress:
                progress(done, plan.clips)
    return len(missing)


def _same_plan(file: Path, plan: DatasetPlan, rows: Sequence[StoreRow]) -> None:
    """Keep what clips are made by beside the store; refuse to add others to them. Number and seed may differ."""
    now = {name: value for name, value in to_mapping(plan).items() if name not in ("clips", "seed")}
    now = json.loads(json.dumps({**now, "drawing": DRAWING}))
    before = now
    if rows:
        before = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if before.get("drawing", 1) != DRAWING:
        raise UsageError(
            f"{file.parent}: its clips were drawn by another version of echoplane, which draws and names them "
            f"otherwise (drawing {before.get('drawing', 1)}, now {DRAWING}). Use another folder, or delete this one."
        )
    odd = [name for name in now if before.get(name) != now[name]]
    if odd:
        raise UsageError(
            f"{file.parent}: its clips were rendered with {odd[0]} {before.get(odd[0])!r}, and now it would be "
            f"{now[odd[0]]!r}. Use the same, or another folder."
        )
    with atomic_write(file) as stream:
        stream.write(json.dumps(now, indent=2) + "\n")


def store_row(plan: DatasetPlan, number: int, clip: TrainingClip) -> StoreRow:
    """Describe one training clip."""
    return StoreRow(
        cine=plan.key(number),
        label=clip.view,
        shares=dict(clip.shares),
        group=plan.patient_of(number),
        source=plan.key(number),
        fps=clip.fps,
        sector=clip.sector,
        crop=clip.crop,
        extra=dict(clip.facts),
    )


def _rendered(
    plan: DatasetPlan, numbers: list[int], recipe: PrepareRecipe, jobs: int
) -> Iterator[tuple[int, TrainingClip]]:
    """Render clips in order, in this process or in several."""
    if jobs <= 1 or len(numbers) <= CHUNK:
        for number in numbers:
            yield number, render_planned(plan, number, recipe)
        return
    chunks = iter([numbers[i : i + CHUNK] for i in range(0, len(numbers), CHUNK)])
    with Workers(jobs, _one_thread) as pool:
        waiting = [_submit(pool, plan, chunk, recipe) for chunk in itertools.islice(chunks, jobs + CHUNKS_AHEAD)]
        while waiting:
            yield from waiting.pop(0).result()
            waiting.extend(_submit(pool, plan, chunk, recipe) for chunk in itertools.islice(chunks, 1))


def _submit(
    pool: Workers, plan: DatasetPlan, chunk: list[int], recipe: PrepareRecipe
) -> Future[list[tuple[int, TrainingClip]]]:
    return pool.submit(_render_chunk, plan, chunk, recipe)


def _render_chunk(plan: DatasetPlan, chunk: list[int], recipe: PrepareRecipe) -> list[tuple[int, TrainingClip]]:
    return [(number, render_planned(plan, number, recipe)) for number in chunk]


def _one_thread() -> None:
    cv2.setNumThreads(1)
    leave_with_parent()


#: Endings that :func:`write_clip` knows.
CLIP_ENDINGS = (*MOVIES, ".dcm", ".png", ".npz")
#: Columns of the truth table of studies.
TRUTH = (
    "file", "patient", "study", "view", "shares", "content", "frames", "fps", "ejection_fraction", "disease", "seed",
    "drawing",
)  # fmt: skip


def write_clip(cine: PhantomCine, path: str | Path, *, view_codes: bool = False) -> None:
    """Write one clip in the format its name asks for.

    Parameters
    ----------
    cine : PhantomCine
    path : str or Path
        ``.mp4``, ``.gif``, ``.webp``; ``.dcm``; ``.png`` (six frames side by side); or ``.npz`` with ``frames``,
        ``labels`` (uint8, tissue of every pixel, 255 outside the sector), ``phases`` and ``fps``.
    view_codes : bool
        Write the view into a DICOM file.

    Raises
    ------
    UsageError
        For another ending.
    """
    path = Path(path)
    check_ending(path)
    ending = path.suffix.lower()
    if ending in MOVIES:
        write_movie(path, (_even(frame) for frame in _colour(cine.frames)), cine.fps)
    elif ending == ".dcm":
        seed = cine.recording.seed
        write_dicom(cine, path, Place(f"clip {seed}", f"PHANTOM-{seed}", 1), view_codes=view_codes)
    elif ending == ".png":
        chosen = np.linspace(0, len(cine.frames) - 1, min(6, len(cine.frames))).round().astype(int)
        with atomic_write(path, "wb") as stream:
            strip = np.concatenate(list(_colour(cine.frames[chosen])), axis=1)
            stream.write(cv2.imencode(".png", strip[..., ::-1])[1].tobytes())
    else:
        labels = cine.labels(range(len(cine.frames)))
        with atomic_write(path, "wb") as stream:
            np.savez_compressed(stream, frames=cine.frames, labels=labels, phases=cine.phases, fps=cine.fps)


def check_ending(path: Path) -> None:
    """Refuse a name whose ending :func:`write_clip` does not know, before time is spent on rendering.

    Raises
    ------
    UsageError
    """
    if path.suffix.lower() not in CLIP_ENDINGS:
        raise UsageError(f"{path}: a phantom clip can be written as {', '.join(CLIP_ENDINGS)}.")


def _colour(frames_THW: UInt8Array) -> UInt8Array:
    return frames_THW if frames_THW.ndim == 4 else np.repeat(frames_THW[..., None], 3, axis=3)


def _even(frame: UInt8Array) -> UInt8Array:
    """Pad a frame to even sides, which H.264 needs."""
    return np.pad(frame, ((0, frame.shape[0] % 2), (0, frame.shape[1] % 2), (0, 0)), mode="edge")


def write_studies(
    out: str | Path,
    *,
    patients: int = 1,
    seed: int = 0,
    disease: str | None = None,
    view_codes: bool = False,
    progress: Progress | None = None,
) -> int:
    """Write whole examinations as DICOM, one folder a patient, and ``truth.csv`` beside the folders.

    The table is written anew after every patient, and keeps what it says of patients of earlier runs. Patients who are
    there, drawn as they are drawn now, with the same disease and view codes, are not rendered again.

    Parameters
    ----------
    out : str or Path
    patients : int
    seed : int
        The same seed gives the same files.
    disease : str, optional
        Of all patients; drawn for each when left out.
    view_codes : bool
        Write the views into the files too.
    progress : callable, optional
        Called with (studies done, studies) after every study.

    Returns
    -------
    int
        Files written now.

    Raises
    ------
    UsageError
        For less than one patient, or an unknown disease.
    DataError
        When `out` has another ``truth.csv``.
    """
    if patients < 1:
        raise UsageError(f"patients {patients}: must be at least 1.")
    out, files = Path(out), 0
    rows = _earlier_truth(out / "truth.csv")
    for number in range(patients):
        name = f"PHANTOM-{seed}-{number:04d}"
        patient = study_patient(seed, number, disease)
        own = [row for row in rows if row["patient"] == name]
        if not _is_there(out, own, plan_study(seed, number), patient, view_codes):
            sex = "M" if patient.body.male else "F"
            if own:  # before their files are written over: a run that is stopped among them leaves some of each kind
                rows = [row for row in rows if row["patient"] != name]
                _write_truth(out / "truth.csv", rows)
            for clip, cine in render_study(seed, number, disease):
                file = f"{name}/{clip.number:03d}.dcm"
                write_dicom(cine, out / file, Place(name, name, clip.number, sex), view_codes=view_codes)
                rows.append(_truth(file, name, clip, cine))
                files += 1
            _write_truth(out / "truth.csv", rows)
        if progress:
            progress(number + 1, patients)
    return files


def _is_there(
    out: Path, rows: Sequence[dict[str, object]], clips: Sequence[StudyClip], patient: Patient, view_codes: bool
) -> bool:
    """Tell whether an earlier run wrote all clips of a patient as this one would."""
    files = [out / str(row["file"]) for row in rows]
    if {str(row["drawing"]) for row in rows} != {str(DRAWING)}:
        return False
    if [str(row["seed"]) for row in rows] != [str(clip.seed) for clip in clips] or not all(map(Path.is_file, files)):
        return False
    # The ejection fraction tells one draw of a disease from another.
    drawn = (patient.disease, str(round(float(patient.lv.ejection_fraction), 4)))
    said = {(row["disease"], str(row["ejection_fraction"])) for row in rows if row["disease"]}
    codes = [has_view_code(file) for file in files]
    return said == {drawn} and None not in codes and any(codes) == view_codes


def _earlier_truth(path: Path) -> list[dict[str, object]]:
    """Read what an earlier run said.

    Raises
    ------
    DataError
        When there is another table in its place.
    """
    if not path.exists():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            table = csv.DictReader(stream)
            rows: list[dict[str, object]] = [dict(row) for row in table]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as a truth table ({error}). Take another folder.") from error
    columns = tuple(table.fieldnames or ())
    if columns != TRUTH and columns != TRUTH[:-1]:
        raise DataError(f"{path}: is not a truth table of phantom studies. Take another folder.")
    return [{"drawing": "1", **row} for row in rows]  # the first drawing did not say so


def _write_truth(path: Path, rows: Sequence[dict[str, object]]) -> None:
    rows = sorted(rows, key=lambda row: str(row["file"]))
    write_csv(path, [TRUTH, *([row[name] for name in TRUTH] for row in rows)])


def _truth(file: str, name: str, clip: StudyClip, cine: PhantomCine) -> dict[str, object]:
    facts = cine.recording.facts()
    return {
        "file": file,
        "patient": name,
        "study": name,
        "view": cine.view,
        "shares": " ".join(f"{view}:{share:.3f}" for view, share in cine.shares.items()),
        "content": facts["content"],
        "frames": len(cine.frames),
        "fps": round(cine.fps, 3),
        "ejection_fraction": facts["ejection_fraction"],
        "disease": facts["disease"],
        "seed": clip.seed,
        "drawing": DRAWING,
    }
