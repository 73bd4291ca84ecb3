"""Make the weights that ship, from nothing: python tools/weights/make.py FOLDER [--clips N] [--real CLIPS] [--jobs N].

    1  render phantoms                      FOLDER/phantom          echoplane phantom dataset
    2  prepare the real clips               FOLDER/real             real_store.py
    3  small copies of the phantoms         FOLDER/phantom-small    shrink.py
    4  train on small phantoms              FOLDER/small            1-small.yaml
    5  again, changed more                  FOLDER/wide             2-wide.yaml
    6  on full pictures, then once more     FOLDER/full, -again     3-full.yaml
    7  splits that leave real clips out     FOLDER/splits           folds.py
    8  train with each of them left out     FOLDER/left-out/*       4-mixed.yaml
    9  train on all                         FOLDER/all              4-mixed.yaml
   10  the mean of all of these             FOLDER/soup             soup.py
   11  other networks, for the card         FOLDER/beside/*         beside.yaml
   12  calibrate, measure, write the card   FOLDER/default          make_default.py

Every step is skipped when its result is there, and goes on where it was stopped when it is half there. On an AMD
EPYC the steps took 20 minutes on two cores (1) and, on one, 35 (4), 30 (5) and 85 minutes (6), 7 for each of the nine
of 8 and 9, 85 (11) and about 15 (12). More `--jobs` make steps 1, 8 and 9 faster, a GPU steps 4 to 6, 8, 9 and 11.
`--quick` goes through all of it in some minutes with a handful of clips, to see that it runs; what it makes is worth
nothing. Without real clips the steps 2, 7 and 8 are left out and the weights know phantoms alone.

`--start tools/weights/phantom-only.safetensors` begins step 8 with what steps 4 to 6 gave, weights that have seen no
real clip, and leaves these three out.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
SIDE = 80
PHANTOM_SEED = 2026
#: Share of the clips in the fourth stage that are real.
REAL_SHARE = 0.3
#: The second time over full pictures: other draws, a shorter way down.
AGAIN = ("seed=6", "fit.epochs=5")
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


def hold_out(store: str, path: Path) -> None:
    """Write the split that step 4 makes, for runs that leave it out."""
    from echoplane.data.split import make_split
    from echoplane.training.cines import rows_to_split
    from echoplane.training.recipe import load_recipe

    recipe = load_recipe(str(HERE / "1-small.yaml"), [store])
    path.parent.mkdir(exist_ok=True)
    make_split(rows_to_split(recipe), validation=recipe.data.validation, seed=recipe.seed)[0].save(path)


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


def stores(phantom: Path, real: Path | None) -> str:
    mine = [f"{{path: {phantom}}}", *([f"{{path: {real}, share: {REAL_SHARE}}}"] if real else [])]
    return f"data.stores=[{', '.join(mine)}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--clips", type=int, default=14000, help="phantom clips")
    parser.add_argument("--real", type=Path, default=Path(os.environ.get("ECHOPLANE_CLIPS", "../shared/clips")))
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--quick", action="store_true", help="a handful of clips and one epoch: to see that it runs")
    parser.add_argument("--start", type=Path, metavar="FILE", help="begin step 8 with these weights, without 4 to 6")
    given = parser.parse_args()
    clips = 150 if given.quick else given.clips
    few = ("fit.epochs=1", "data.epoch_clips=64") if given.quick else ()
    folder: Path = given.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    phantom, real = folder / "phantom", folder / "real" if (given.real / "INDEX.csv").is_file() else None

    call("-m", "echoplane", "phantom", "dataset", phantom, "--clips", clips, "--seed", PHANTOM_SEED,
         "--recipe", "default", "--jobs", given.jobs)  # fmt: skip
    if real:
        call(HERE / "real_store.py", given.real, real)
    call(HERE / "shrink.py", phantom, folder / "phantom-small", SIDE)
    small, split = folder / "small", folder / "small" / "split.csv"
    phantoms = (stores(folder / "phantom-small", None), f"data.split={split}", *few)
    wide, full, again = (folder / name for name in ("wide", "full", "full-again"))
    if given.start:
        hold_out(phantoms[0], split)
    else:
        train("1-small.yaml", small, phantoms[0], *few)
        train("2-wide.yaml", wide, *phantoms, f"network.weights={small}")
        whole = (stores(phantom, None), f"data.split={split}", *few)
        train("3-full.yaml", full, *whole, f"network.weights={wide}")
        train("3-full.yaml", again, *AGAIN, *whole, f"network.weights={full}")
    if real:
        call(HERE / "folds.py", small, real, folder / "splits")
        split = folder / "splits" / "all.csv"
    mixed = (stores(phantom, real), f"network.weights={given.start.resolve() if given.start else again}", *few)
    runs = {folder / "left-out" / file.stem: file for file in sorted((folder / "splits").glob("*.csv"))}
    runs.pop(folder / "left-out" / "all", None)
    every = folder / "all"
    side_by_side(given.jobs, {**runs, every: split}, mixed)
    left_out, soup = folder / "left-out", folder / "soup"
    if not (soup / "bundle" / "bundle.json").is_file():
        call(HERE / "soup.py", soup, every, *sorted(p for p in left_out.glob("*") if (p / "bundle").is_dir()))
    rivals = [(name, folder / "beside" / name) for name in BESIDE]
    for name, run in rivals:
        train("beside.yaml", run, *phantoms, f"network={{name: {name}}}")
    options = [] if real is None else ["--left-out", *sorted(left_out.glob("group-*")),
                                       "--left-out-sources", *sorted(left_out.glob("source-*"))]  # fmt: skip
    if not given.start:
        # A network that was trained for about as long as cnn3d and has seen four times as many clips.
        rivals.append((f"{BESIDE[0]}, four times as many clips", small))
    for name, run in rivals:
        options += ["--beside", name, run]
    if given.quick:
        options += ["--quick", "--pictures", folder]
    call(HERE / "make_default.py", soup, phantom, real or "-", folder / "default", "--clips", given.real, *options)
    print(f"Made {folder / 'default'}; it ships once it replaces src/echoplane/weights/default.")


if __name__ == "__main__":
    main()
