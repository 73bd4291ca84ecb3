"""The split that a run makes for itself."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from echoplane.errors import DataError
from echoplane.store import StoreReader, StoreRow, StoreWriter
from echoplane.training import dealing
from echoplane.training.cines import make_folds, open_data, rows_to_split

TOO_LONG = "{kind: every_kth, frames: 4, step: 5, short: refuse}"


def written(folder: Path, like: Path, cines: list[tuple[np.ndarray, StoreRow]]) -> Path:
    info = StoreReader(like).info
    with StoreWriter(folder, recipe=info.recipe, views=info.views, height=info.height, width=info.width) as writer:
        for frames, row in cines:
            writer.append(frames, row)
    return folder


@pytest.fixture
def copied(make_store: Any, tmp_path: Path) -> list[Path]:
    """A store, and one with all its cines encoded again under the names of other patients."""
    first = make_store()
    store, rng = StoreReader(first), np.random.default_rng(5)
    again = []
    for n, row in enumerate(store.rows):
        noise = rng.integers(-1, 2, (row.n_frames, 32, 32))
        frames = (store.frames(n).astype(int) + noise).clip(0, 255).astype(np.uint8)
        patient = row.group.replace("p", "q")
        again.append((frames, StoreRow(f"{patient}/{row.label}", label=row.label, group=patient, fps=30.0)))
    return [first, written(tmp_path / "again", first, again)]


def parted(cines: list[tuple[str, Any]]) -> int:
    sides: dict[str, set[Any]] = {}
    for cine, side in cines:
        sides.setdefault(cine[1:], set()).add(side)
    return sum(len(found) > 1 for found in sides.values())


def test_copies_of_a_recording_are_not_parted(copied: Any, make_recipe: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dealing, "MANY", 40)
    told: list[str] = []
    data = open_data(make_recipe(*copied), told.append)
    assert parted([(row.cine, row.part) for row in data.split.rows]) == 0
    assert data.warnings[0].startswith("24 pairs of cines show one recording under two patients, or without one (p")
    folds, warnings = make_folds(make_recipe(*copied), 4, told.append)
    assert parted([(row.cine, row.fold) for row in folds.rows]) == 0
    assert warnings == data.warnings
    assert [text[:38] for text in told] == ["Looking for copies among 48 cines, so "] * 2
    blind = open_data(make_recipe(*copied, data__copies="false"))
    assert blind.warnings == ()
    assert parted([(row.cine, row.part) for row in blind.split.rows]) > 0
    assert open_data(make_recipe(*copied, data__validation=0)).warnings == ()  # nothing is parted


def test_cines_too_short_for_a_clip_are_in_no_part(make_store: Any, make_recipe: Any, tmp_path: Path) -> None:
    store = make_store()  # 24 frames each, and a clip needs 20
    brief = [
        (np.full((12, 32, 32), n, np.uint8), StoreRow(f"z{n}", label="A4C", group="z", fps=30.0)) for n in range(9)
    ]
    recipe = make_recipe(store, written(tmp_path / "brief", store, brief), data__sampling=TOO_LONG)
    says = "9 cines are not used, the first being z0: Has 12 frames, and the sampling rule needs 20."
    assert len(rows_to_split(recipe)) == 24
    folds, warnings = make_folds(recipe, 4)
    assert [text.startswith(says) for text in warnings] == [True]
    assert [len(folds.cines("validation", fold)) for fold in range(4)] == [6, 6, 6, 6]
    data = open_data(recipe)
    assert data.warnings == warnings
    assert len(data.split.rows) == 24
    with pytest.raises(DataError, match=r"cannot be dealt to 9 sides.*9 cines are not used, the first being z0"):
        make_folds(recipe, 9)


def test_a_split_given_in_one_store_leaves_the_others_theirs(make_store: Any, make_recipe: Any, tmp_path: Path) -> None:
    plain = make_store()
    store, rng = StoreReader(plain), np.random.default_rng(8)
    given = [
        (rng.integers(0, 255, (24, 32, 32), dtype=np.uint8),
         StoreRow(f"g{row.cine}", label=row.label, group=f"g{row.group}", fps=30.0,
                  split="validation" if row.group == "p0" else "train"))
        for row in store.rows
    ]  # fmt: skip
    data = open_data(make_recipe(written(tmp_path / "given", plain, given), plain))
    assert data.validation is not None
    assert np.bincount(data.validation.store_of).tolist() == [3, 6]
    assert np.bincount(data.train.store_of).tolist() == [21, 18]
