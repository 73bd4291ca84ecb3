"""Make the weights that ship, from nothing: python tools/weights/make.py FOLDER [--clips N] [--real CLIPS] [--jobs N].

    1  render phantoms, three times         FOLDER/phantom, -2, -3  echoplane phantom dataset
    2  prepare the real clips               FOLDER/real             real_store.py
    3  small copies of the phantoms         FOLDER/phantom-small    shrink.py
    4  train on small phantoms              FOLDER/small            1-small.yaml
    5  again, changed more                  FOLDER/wide             2-wide.yaml
    6  on full pictures, then once more     FOLDER/full, -again     3-full.yaml
    7  more channels, the second phantoms   FOLDER/larger           grow.py, 3-full.yaml
    8  more blocks, the third phantoms      FOLDER/deeper           grow.py, 3-full.yaml
    9  splits that leave real clips out     FOLDER/splits           folds.py
   10  train with each of them left out     FOLDER/left-out/*       4-mixed.yaml
   11  train on all                         FOLDER/all              4-mixed.yaml
   12  the mean of all of these             FOLDER/soup             soup.py
   13  other networks, for the card         FOLDER/beside/*         beside.yaml
   14  calibrate, measure, write the card   FOLDER/default          make_default.py

Every step is skipped when its result is there, and goes on where it was stopped when it is half there. On two cores of
an AMD EPYC (Zen 5) that did other things as well steps 1 and 8 took 30 and 60 minutes, each of the nine of 10 and 11
took 7 on one core; on an older EPYC the steps took 35 (4), 30 (5), 85 (6), 50 (7, two cores) and 85 (13). More `--jobs`
make steps 1, 10 and 11 faster, a GPU steps 4 to 8, 10, 11 and 13.
`--quick` goes through all of it in some minutes with a handful of clips, to see that it runs; what it makes is worth
nothing. Without real clips the steps 2, 9 and 10 are left out and the weights know phantoms alone.

`--start tools/weights/phantom-only.safetensors` begins step 10 with what steps 4 to 8 gave, weights that have seen no
real clip, and leaves these five out.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
SIDE = 80
#: What ships.
SIZE = "xl"
#: Of the phantoms, the folder of each store and its seed.
PHANTOMS = {"phantom": 2026, "phantom-2": 2027, "phantom-3": 2028}
#: Share of the clips in the fourth stage that are real.
REAL_SHARE = 0.3
#: The second time over full pictures: other draws, a shorter way down.
AGAIN = ("seed=6", "fit.epochs=5")
#: The third and the fourth time, as a larger network; GROWN_SEED draws what is new in it.
LARGER, DEEPER, GROWN_SEED = ("seed=7", "fit.epochs=11"), ("seed=8", "fit.epochs=16", "fit.monitor=last"), 11
#: Networks on the card, each trained by beside.yaml; the first is what the others are held against.
BESIDE = ("compact3d", "cnn3d", "frames2d-resnet18")


def call(*words: object, threads: str = "") -> None:
    line = [str(word) for word in words]
    print("+", " ".join(line), flush=True)
    subprocess.run(
        [sys.executable, *line], check=True, env={**os.environ, "OMP_NUM_THREADS": threads} if threads else None
    )


def train(recipe: str, out: Path, *settings: str, threads: str = "") -> None:
    if not (out / "bundle" / "bundle.json").is_file():
        call("-m", "echoplane", "train", HERE / recipe, *settings, "-o", out, "--resume", threads=threads)


def hold_out(store: str, start: Path, path: Path) -> None:
    """Write the split of runs that leave out step 4: the patients that `start` has not seen are held out.

    They are listed beside the weights; where none of them is in the store, the split is the one that step 4 makes.
    """
    from echoplane.data.split import TRAIN, VALIDATION, Split, SplitRow, make_split
    from echoplane.training.cines import rows_to_split
    from echoplane.training.recipe import load_recipe

    recipe = load_recipe(str(HERE / "1-small.yaml"), [store])
    rows, unseen = rows_to_split(recipe), start.with_suffix(".held-out.txt")
    path.parent.mkdir(exist_ok=True)
    patients = set(unseen.read_text(encoding="utf-8").split()) if unseen.is_file() else set()
    if patients.isdisjoint(row.group for row in rows):
        make_split(rows, validation=recipe.data.validation, seed=recipe.seed)[0].save(path)
        return
    parts = ((row, VALIDATION if row.group in patients else TRAIN) for row in rows)
    Split(tuple(SplitRow(row.cine, part, None, row.group, row.label) for row, part in parts)).save(path)


def small_then_large(folder: Path, small: tuple[str, ...], whole: tuple[str, ...]) -> None:
    """Steps 4 to 6; `small` and `whole` are the settings for small phantoms and for full pictures."""
    train("1-small.yaml", folder / "small", *(word for word in small if not word.startswith("data.split=")))
    train("2-wide.yaml", folder / "wide", *small, f"network.weights={folder / 'small'}")
    train("3-full.yaml", folder / "full", *whole, f"network.weights={folder / 'wide'}")
    train("3-full.yaml", folder / "full-again", *AGAIN, *whole, f"network.weights={folder / 'full'}")


def grown(before: Path, size: str, out: Path, settings: tuple[str, ...], stores_of: str, split: Path) -> None:
    """Steps 7 and 8: train on as a larger network."""
    weights = before / f"grown-{size}.safetensors"
    if not weights.is_file():
        call(HERE / "grow.py", before, size, weights, "--seed", GROWN_SEED)
    train("3-full.yaml", out, f"network.options={{size: {size}, dropout: 0.1}}", stores_of, f"data.split={split}",
          *settings, f"network.weights={weights}")  # fmt: skip


def train_on_too(split: Path, phantoms: Iterable[Path], out: Path) -> None:
    """Write a split to which all cines of some stores are added, to train on."""
    from echoplane.data.split import TRAIN, Split, SplitRow
    from echoplane.store.reader import StoreReader

    rows = (row for store in phantoms for row in StoreReader(store).rows)
    out.parent.mkdir(exist_ok=True)
    Split((*Split.load(split).rows, *(SplitRow(r.cine, TRAIN, None, r.group, r.label) for r in rows))).save(out)


def side_by_side(jobs: int, splits: dict[Path, Path], settings: tuple[str, ...]) -> None:
    """Run the fourth stage with each split; `jobs` runs at a time, which share the processors."""
    threads = str(max((os.cpu_count() or 1) // jobs, 1))

    def one(run: Path) -> None:
        train("4-mixed.yaml", run, *settings, f"data.split={splits[run]}", threads=threads)

    pool = ThreadPoolExecutor(jobs)
    try:
        list(pool.map(one, splits))
    finally:
        pool.shutdown(cancel_futures=True)  # after Ctrl-C or a failure none of those that wait begins


def stores(phantoms: tuple[Path, ...], real: Path | None = None) -> str:
    mine = [f"{{path: {phantom}}}" for phantom in phantoms]
    if real:
        mine.append(f"{{path: {real}, share: {REAL_SHARE}}}")
    return f"data.stores=[{', '.join(mine)}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="everything is made in here")
    parser.add_argument("--clips", type=int, default=14000, help="phantom clips")
    parser.add_argument(
        "--real",
        type=Path,
        default=Path(os.environ.get("ECHOPLANE_CLIPS", "../shared/clips")),
        help="folder of real clips with INDEX.csv ($ECHOPLANE_CLIPS, or ../shared/clips)",
    )
    parser.add_argument(
        "--jobs",
        type=int,
        default=os.cpu_count() or 1,
        help="processes that render, and trainings side by side (one a processor)",
    )
    parser.add_argument("--quick", action="store_true", help="a handful of clips and one epoch: to see that it runs")
    parser.add_argument("--start", type=Path, metavar="FILE", help="begin step 10 with these weights, without 4 to 8")
    given = parser.parse_args()
    clips = 150 if given.quick else given.clips
    few = ("fit.epochs=1", "data.epoch_clips=64") if given.quick else ()
    folder: Path = given.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    rendered = [folder / name for name in PHANTOMS]
    real = folder / "real" if (given.real / "INDEX.csv").is_file() else None

    for store, seed in zip(rendered, PHANTOMS.values(), strict=True):
        call("-m", "echoplane", "phantom", "dataset", store, "--clips", clips, "--seed", seed,
             "--recipe", "default", "--jobs", given.jobs)  # fmt: skip
    if real:
        call(HERE / "real_store.py", given.real, real)
    call(HERE / "shrink.py", rendered[0], folder / "phantom-small", SIDE)
    first, two, three = (folder / name / "split.csv" for name in ("small", "two", "three"))
    phantoms = (stores((folder / "phantom-small",)), f"data.split={first}", *few)
    if given.start:
        hold_out(phantoms[0], given.start, first)
    else:
        small_then_large(folder, phantoms, (stores(tuple(rendered[:1])), *phantoms[1:]))
    train_on_too(first, rendered[1:2], two)
    train_on_too(first, rendered[1:], three)
    start = given.start.resolve() if given.start else folder / "deeper"
    if not given.start:
        grown(folder / "full-again", "l", folder / "larger", (*LARGER, *few), stores(tuple(rendered[:2])), two)
        grown(folder / "larger", SIZE, start, (*DEEPER, *few), stores(tuple(rendered)), three)
    every_split = three
    if real:
        call(HERE / "folds.py", three.parent, real, folder / "splits")
        every_split = folder / "splits" / "all.csv"
    mixed = (stores(tuple(rendered), real), f"network.weights={start}", *few)
    runs = {folder / "left-out" / file.stem: file for file in sorted((folder / "splits").glob("*.csv"))}
    runs.pop(folder / "left-out" / "all", None)
    side_by_side(given.jobs, {**runs, folder / "all": every_split}, mixed)
    measure(folder, given, phantoms, real)


def measure(folder: Path, given: argparse.Namespace, small: tuple[str, ...], real: Path | None) -> None:
    """Steps 12 to 14; `small` are the settings for small phantoms."""
    left_out, soup = folder / "left-out", folder / "soup"
    if not (soup / "bundle" / "bundle.json").is_file():
        call(HERE / "soup.py", soup, folder / "all", *sorted(p for p in left_out.glob("*") if (p / "bundle").is_dir()))
    rivals = [(name, folder / "beside" / name) for name in BESIDE]
    for name, run in rivals:
        train("beside.yaml", run, *small, f"network={{name: {name}}}")
    options: list[object] = ["--more", *(folder / name for name in list(PHANTOMS)[1:])]
    if real:
        groups, sources = (sorted(left_out.glob(f"{kind}-*")) for kind in ("group", "source"))
        options += ["--left-out", *groups, "--left-out-sources", *sources]
    if not given.start:
        # A network that was trained for about as long as cnn3d and has seen four times as many clips.
        rivals.append((f"{BESIDE[0]}, four times as many clips", folder / "small"))
    for name, run in rivals:
        options += ["--beside", name, run]
    if given.quick:
        options += ["--quick", "--pictures", folder]
    place = folder / "default"
    call(HERE / "make_default.py", soup, folder / "phantom", real or "-", place, "--clips", given.real, *options)
    print(f"Made {place}; it ships once it replaces src/echoplane/weights/default.")


if __name__ == "__main__":
    main()
