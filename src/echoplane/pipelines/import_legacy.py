"""Old pickled clips, one folder a view, into a clip store."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from echoplane.config import to_mapping
from echoplane.data.adapters.folders import view_folders
from echoplane.data.labels import SKIP, LabelTable, in_order, save_table
from echoplane.data.legacy import load_clip
from echoplane.data.manifest import Failure
from echoplane.errors import DataError, ReadError, UsageError
from echoplane.pipelines.prepare import FAILURES_FILE, LABELS_FILE, PrepareRun, write_failures
from echoplane.prepare.recipe import LEGACY, PrepareRecipe, recipe_named
from echoplane.sources.item import shown
from echoplane.store import StoreReader, StoreRow, StoreWriter
from echoplane.store.schema import INFO_FILE

_ENDINGS = (".pickle", ".pkl", ".p", ".pck")
#: Clips whose size is looked at before one is chosen.
LOOKED_AT = 15


def import_legacy(
    source: str | Path,
    out: str | Path,
    labels: LabelTable | None = None,
    *,
    recipe: str | PrepareRecipe | None = None,
    on_start: Callable[[int], None] = lambda total: None,
    on_cine: Callable[[], None] = lambda: None,
) -> PrepareRun:
    """Read pickled clips ``<source>/<view>/.../<clip>.pickle`` into a store, going on where an earlier run stopped.

    `recipe` says how the clips were prepared, by whoever knows: a network trained on them wants others prepared alike.
    Without it the store does not say, and cannot be trained on.

    All must be of one frame size: that of most, where they differ. The clips carry no patient: the study is the name
    before the last underscore (``<video>_<clip number>``), so that clips of one video stay together in a split.

    Raises
    ------
    DataError
        No view folders, no readable pickle, or clips that were stored under another label.
    UnknownLabelsError
        Folder names that nobody knows.
    StoreError
        When `out` holds something else.
    UsageError
        When the clips are not of the recipe's size.
    """
    root = Path(source)
    folders, failures = view_folders(root)
    files = {
        folder: sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix.lower() in _ENDINGS)
        for folder in folders
    }
    given = {folder.name: len(found) for folder, found in files.items() if found}
    meanings = (labels or LabelTable()).resolve_all(given)
    todo = [(path, folder.name) for folder, found in files.items() for path in found]
    views = in_order(view for view in meanings.values() if view != SKIP)
    before = StoreReader(out) if (Path(out) / INFO_FILE).exists() else None
    if before is not None:  # before the writer adds views that are new
        _refuse_other_labels(before, meanings)
        size = before.info.height, before.info.width
    else:
        size = _frame_size([path for path, label in todo if meanings[label] != SKIP] or [p for p, _ in todo], root)
    stored, skipped, interrupted = 0, 0, True
    known = recipe_named(recipe) if isinstance(recipe, str) else recipe
    if known is not None and known.size != size:
        raise UsageError(
            f"{root}: its clips are {size[0]} x {size[1]}, and recipe {known.name!r} makes them "
            f"{known.size[0]} x {known.size[1]}."
        )
    said = LEGACY if known is None else to_mapping(known)
    with StoreWriter(out, recipe=said, views=views, height=size[0], width=size[1]) as writer:
        save_table(meanings, Path(out) / LABELS_FILE, given)
        on_start(len(todo))
        try:
            for path, label in todo:
                row = _row(path, root, label, meanings[label])
                if isinstance(row, Failure):
                    failures.append(row)
                elif row.cine in writer:
                    skipped += 1
                else:
                    failure = _store(writer, path, row, size)
                    failures += [failure] if failure else []
                    stored += not failure
                on_cine()
            interrupted = False
        except KeyboardInterrupt:
            pass  # what is done is kept; the caller is told
        finally:
            write_failures(sorted(failures, key=lambda failure: failure.file), Path(out) / FAILURES_FILE)
    rows = StoreReader(out).rows
    counts = Counter(row.top_label() for row in rows)
    return PrepareRun(stored, skipped, tuple(failures), dict(counts), interrupted, notes=_how_to_train(rows))


def _how_to_train(rows: Sequence[StoreRow]) -> tuple[str, ...]:
    """Say which rule takes such clips as they are: those of recipes would choose among their frames once more."""
    if not rows:
        return ()
    n = Counter(row.n_frames for row in rows).most_common(1)[0][0]
    return (
        "The frames of these clips were chosen by whoever made them. Train on them as they are: "
        f"'data.sampling={{kind: sliding, frames: {n}, stride: {n}, max_clips: 1}}'; and give the bundle the rule they "
        "were made by before it predicts (docs/data.md, Old clips).",
    )


def _frame_size(paths: list[Path], root: Path) -> tuple[int, int]:
    """Return the size that most of a few clips have, spread over all that are read."""
    sizes: Counter[tuple[int, int]] = Counter()
    # Spread ones first, and then as many as it takes.
    for path in dict.fromkeys((*paths[:: -(-len(paths) // LOOKED_AT) or 1], *paths)):
        with contextlib.suppress(ReadError):
            _, height, width = load_clip(path).shape
            sizes[height, width] += 1
            if sizes.total() >= min(LOOKED_AT, len(paths)):
                break
    if not sizes:
        raise DataError(f"{root}: holds no readable pickled clip ({', '.join(_ENDINGS)}) in its view folders.")
    return max(sizes, key=lambda size: sizes[size])


def _refuse_other_labels(store: StoreReader, meanings: Mapping[str, str]) -> None:
    for row in store:
        now = meanings.get(row.given_label, row.label)
        if now != row.label:
            raise DataError(
                f"{store.path}: {row.cine!r} was stored as {row.label!r}, and the label table says {now!r} now. "
                "Use the table of then, or a new folder."
            )


def _row(path: Path, root: Path, given: str, label: str) -> StoreRow | Failure:
    key = shown(path.relative_to(root).as_posix())
    if label == SKIP:
        return Failure(key, "left_out", f"The label table says to leave out {given!r}.")
    video, underscore, _ = path.stem.rpartition("_")
    return StoreRow(key, label=label, study=video if underscore else "", source=key, given_label=given)


def _store(writer: StoreWriter, path: Path, row: StoreRow, size: tuple[int, int]) -> Failure | None:
    try:
        frames = load_clip(path)
    except ReadError as error:
        return Failure(row.cine, error.status, error.sentence)
    if frames.shape[1:] != size:
        have = f"{frames.shape[1]} x {frames.shape[2]}"
        return Failure(row.cine, "unreadable", f"Its frames are {have}, those of the others {size[0]} x {size[1]}.")
    writer.append(frames, row)
    return None
