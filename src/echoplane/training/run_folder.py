"""The folder of a run: everything that is needed to make it again.

::

    recipe.yaml       the whole recipe, pointing at split.csv: `echoplane train recipe.yaml` makes the run again
    split.csv         which cine trained, which validated
    run.json          versions, seed, processor, git commit, stores with their content hashes
    network.txt       the network as a table
    history.csv       figures of each epoch; the same to the last digit after a resume
    timings.csv       clips a second and waiting of each epoch since the start or the resume; never the same twice
    tensorboard/
    last.ckpt         to go on; best.safetensors: the weights with the best score
    validation.npz    what the best weights answer on the validation cines
    bundle/           to predict with
"""

from __future__ import annotations

import dataclasses
import hashlib
import platform
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec

from echoplane import _locks, config
from echoplane._files import atomic_write, write_csv
from echoplane.data.split import Split
from echoplane.errors import ConfigError, UsageError
from echoplane.store import StoreReader, StoreRow
from echoplane.store.schema import encode_row
from echoplane.training.checkpoint import BEST, LAST
from echoplane.training.cines import TrainingData, answers_of
from echoplane.training.recipe import TrainRecipe, load_recipe

RECIPE = "recipe.yaml"
SPLIT = "split.csv"
FACTS = "run.json"
NETWORK = "network.txt"
HISTORY = "history.csv"
TIMINGS = "timings.csv"
VALIDATION = "validation.npz"
BUNDLE = "bundle"

_PACKAGES = ("echoplane", "torch", "lightning", "numpy", "opencv-python-headless", "safetensors")


@dataclasses.dataclass(frozen=True, slots=True)
class Origin:
    """The first weights of a run, as ``run.json`` has them.

    Attributes
    ----------
    path : str
        ``network.weights`` of the recipe; empty where the run began at random.
    sha256 : str
        Of the weights; empty where they could not be read.
    seen : str
        How many validation cines they were trained on, in a sentence; empty where none.
    """

    path: str = ""
    sha256: str = ""
    seen: str = ""


def check_folder(folder: Path, resume: bool) -> None:
    """Refuse to write over another run.

    Raises
    ------
    UsageError
        When the folder holds a run and `resume` is False.
    """
    if not resume and any((folder / name).exists() for name in (LAST, BEST, HISTORY, RECIPE)):
        raise UsageError(f"{folder}: holds a run already. Go on with it by --resume, or choose another folder.")


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep other trainings out of a run folder while the block runs; a kill lets them in again.

    Where the disk knows no such locks (some network shares), nobody is kept out.

    Raises
    ------
    UsageError
        When another process holds the folder.
    """
    busy = f"{folder}: another training is writing into this folder. Wait until it ends, or choose another folder."
    with _locks.held(folder / "run", busy):
        yield


def absolute(recipe: TrainRecipe) -> TrainRecipe:
    """Return the recipe with absolute paths, so that it means the same wherever it is read."""

    def place(path: str) -> str:
        return path if not path or "://" in path else str(Path(path).resolve())

    stores = tuple(dataclasses.replace(store, path=place(store.path)) for store in recipe.data.stores)
    data = dataclasses.replace(recipe.data, stores=stores, split=place(recipe.data.split))
    network = dataclasses.replace(recipe.network, weights=place(recipe.network.weights))
    return dataclasses.replace(recipe, data=data, network=network)


def write_start(folder: Path, recipe: TrainRecipe, data: TrainingData, network: str, origin: Origin) -> None:
    """Write what is known before the first step."""
    folder.mkdir(parents=True, exist_ok=True)
    data.split.save(folder / SPLIT)
    # The split holds whoever is held out, and whichever store is for one side: said once, in one place.
    use = dataclasses.replace(
        recipe.data, split=SPLIT, fold=None, hold_out=(), stores=_undivided(recipe), validation=0.0
    )
    # Said in full, for what a recipe leaves open depends on whether it names its views.
    kept = dataclasses.replace(recipe, views=data.views, answers=answers_of(recipe, data.views), data=use)
    config.save(kept, folder / RECIPE)
    with atomic_write(folder / NETWORK) as stream:
        stream.write(network)
    with atomic_write(folder / FACTS) as stream:
        stream.write(msgspec.json.format(msgspec.json.encode(facts(recipe, data, origin)), indent=2).decode() + "\n")


def written_recipe(folder: Path) -> dict[str, Any] | None:
    """Return the recipe that the run in a folder wrote down, as plain data; None where there is none to read."""
    try:
        found: dict[str, Any] = config.to_mapping(absolute(load_recipe(folder / RECIPE)))
    except (ConfigError, OSError):
        return None
    return found


def with_views_of(folder: Path, recipe: TrainRecipe) -> TrainRecipe:
    """Return the recipe with the views that the run in a folder has a state for, where the recipe leaves them open.

    What stands for views left open has been other in earlier versions, and a network keeps its outputs.
    """
    found = written_recipe(folder) if not recipe.views and (folder / LAST).exists() else None
    return dataclasses.replace(recipe, views=tuple(found["views"])) if found else recipe


def written_origin(folder: Path) -> Origin | None:
    """Return the first weights of the run in a folder; None where it does not say them, as runs once did not."""
    try:
        found = msgspec.json.decode((folder / FACTS).read_bytes())["weights"]
        return msgspec.convert(found, Origin)
    except (OSError, KeyError, TypeError, msgspec.MsgspecError):
        return None


def facts(recipe: TrainRecipe, data: TrainingData, origin: Origin) -> dict[str, Any]:
    """Return where and of what a run is made."""
    return {
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "seed": recipe.seed,
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": _processor(),
        "packages": {name: metadata.version(name) for name in _PACKAGES if _installed(name)},
        "git": git_commit(Path.cwd()),
        "stores": [
            {"path": store.path, "cines": len(store), "content": content_hash(store), "origin": store.info.origin}
            for store in data.stores
        ],
        "cines": data.counts(),
        "weights": origin,
        "warnings": [text for text in (origin.seen, *data.warnings) if text],
    }


def data_hashes(stores: Sequence[StoreReader], split: Split) -> tuple[str, ...]:
    """Return a SHA-256 over the stores' content and the split: the same, and a run can be gone on with.

    After it come those that earlier versions would have written of the same data: a run that one of them began is
    judged by what it looked at, and none of theirs can be taken for one of today's.
    """
    before = [_content_hash_1(store) for store in stores]
    before += [f"{row.cine}\t{sorted(row.shares.items())}" for store in stores for row in store.rows if row.shares]
    return _with_split([content_hash(store) for store in stores], split), _with_split(before, split)


def content_hash(store: StoreReader) -> str:
    """Return a SHA-256 over all of the cines that a training may depend on: the same content, the same hash.

    Beside frames and labels that is the frame rate, whether left and right are exchanged, and where the sector lies;
    not what is only told of a cine, such as its notes.
    """
    return f"2-{_sha256(map(_what_counts, store.rows))}"


def _what_counts(row: StoreRow) -> str:
    mirrored = {"mirrored": True} if row.extra.get("mirrored") else {}
    return encode_row(dataclasses.replace(row, source="", given_label="", notes=(), extra=mirrored))


def _content_hash_1(store: StoreReader) -> str:
    return _sha256(f"{row.cine}\t{row.top_label()}\t{row.group}\t{row.sha256}" for row in store.rows)


def _with_split(parts: list[str], split: Split) -> str:
    return _sha256([*parts, *(f"{row.cine}\t{row.part}\t{row.fold}" for row in split.rows)])


def _sha256(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def write_table(path: Path, rows: Sequence[Mapping[str, float]]) -> None:
    """Write rows of figures as CSV, whole or not at all; every column that any row has."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    write_csv(path, [columns, *([_cell(row.get(name)) for name in columns] for row in rows)])


def git_commit(folder: Path) -> str:
    """Return the commit that `folder` stands at, with ``-dirty`` where files were changed; empty outside of git."""
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude", "*"],
            cwd=folder, capture_output=True, text=True, timeout=10, check=False,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return found.stdout.strip() if found.returncode == 0 else ""


def _cell(value: float | None) -> str:
    if value is None:
        return ""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _undivided(recipe: TrainRecipe) -> tuple[Any, ...]:
    return tuple(dataclasses.replace(store, use="all") for store in recipe.data.stores)
