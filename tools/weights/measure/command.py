"""One command for all measures."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

from echoplane.models.bundle import Bundle
from measure import beside, cost, development, examinations, failures, fresh, leftout, novelty, robustness, text
from measure.development import Clip
from measure.results import identity, load, of_today

NAMES = ("phantom", "examinations", "beside", "development", "cost", "novelty", "text", "robustness", "failures")
ROOT = Path(__file__).parents[3]
#: Cines of each measure with --quick, which only shows that everything runs.
QUICK = {"phantom": 24, "robustness": 6, "text": 6, "novelty": 6}


def default_clips() -> Path:
    """Folder of the development clips."""
    return Path(os.environ.get("ECHOPLANE_CLIPS", ROOT.parent / "shared" / "clips"))


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that measuring takes."""
    parser.add_argument("--clips", type=Path, default=default_clips(), help="folder with INDEX.csv and the real clips")
    parser.add_argument(
        "--left-out",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="answers of models that did not see the "
        "clip's group: run folders, .npz, or CSV (cine, group, truth, one column a label)",
    )
    parser.add_argument(
        "--left-out-sources",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="the same, of models that did not see the clip's whole source",
    )
    parser.add_argument(
        "--seen",
        action="store_true",
        help="the weights were trained on the clips: without --left-out no figure on them is reported",
    )
    parser.add_argument(
        "--against",
        action="append",
        nargs="+",
        default=[],
        metavar="FILE",
        help="a name, then the left-out answers of another network; may be given again",
    )
    parser.add_argument(
        "--beside",
        action="append",
        nargs=2,
        default=[],
        metavar=("NAME", "RUN"),
        help="run folder of a network trained on phantoms alone; may be given again, all are held against the first",
    )
    parser.add_argument(
        "--pictures", type=Path, default=ROOT / "docs" / "pictures", help="where the sheets are written"
    )
    parser.add_argument("--only", nargs="+", choices=NAMES, default=list(NAMES), help="measure only these")
    parser.add_argument("--skip", nargs="+", choices=NAMES, default=[], help="leave these out")
    parser.add_argument("--again", action="store_true", help="measure what is there already for these weights, too")
    parser.add_argument("--quick", action="store_true", help="a handful of cines: to see that it runs")


def run(bundle: Bundle, out: Path, options: argparse.Namespace) -> None:
    """Measure what is not there yet for these weights."""
    clips = development.read_index(options.clips)
    others = {name: Path(path) for name, path in options.beside}
    names = {clip.file for clip in clips}
    left_out, sources = (
        leftout.load(paths, names) if paths else None for paths in (options.left_out, options.left_out_sources)
    )
    against = {name: leftout.load([Path(path) for path in paths], names) for name, *paths in options.against}
    steps: dict[str, Callable[[], object]] = {
        "phantom": lambda: fresh.measure(bundle, out, **_few("phantom", options), say=_say),
        "examinations": lambda: examinations.measure(
            bundle, out, **({"patients": 1} if options.quick else {}), say=_say
        ),
        "beside": lambda: beside.measure(bundle, out, others, clips, **_few("phantom", options), say=_say),
        "development": lambda: development.measure(bundle, out, clips, left_out, options.seen, sources, against, _say),
        "cost": lambda: cost.measure(bundle, out, 2 if options.quick else 9, _say),
        "novelty": lambda: novelty.measure(
            bundle, out, _clips(clips, options), each=2 if options.quick else 12, **_few("novelty", options), say=_say
        ),
        "text": lambda: text.measure(bundle, out, _clips(clips, options), **_few("text", options), say=_say),
        "robustness": lambda: robustness.measure(bundle, out, **_few("robustness", options), say=_say),
        "failures": lambda: failures.measure(bundle, out, clips, options.pictures),
    }
    for name, step in steps.items():
        if name not in options.only or name in options.skip or (name == "beside" and not others):
            continue
        found = load(out, name)
        # Cheap ones are made anew: their input may be another file.
        if (
            found
            and found.get("bundle") == identity(bundle)
            and of_today(found)
            and not options.again
            and name not in ("development", "beside")
        ):
            _say(f"{name}: measured already")
            continue
        if options.again:
            (out / f"{name}.rows.jsonl").unlink(missing_ok=True)
        started = time.process_time()
        step()
        print(f"{name}: {time.process_time() - started:.0f} s of processor time", flush=True)


def _few(name: str, options: argparse.Namespace) -> dict[str, int]:
    return {"cines": QUICK[name]} if options.quick else {}


def _clips(clips: list[Clip], options: argparse.Namespace) -> list[Clip]:
    return clips[::8] if options.quick else clips


def _say(words: str) -> None:
    print(words, flush=True)


def main() -> int:
    """Measure a bundle."""
    parser = argparse.ArgumentParser(
        description="Measure a bundle: JSON and Markdown tables, taken up again after an interruption."
    )
    parser.add_argument("bundle", type=Path, nargs="?", help="folder or file; default: the weights that ship")
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    add_options(parser)
    options = parser.parse_args()
    run(Bundle.load(options.bundle), options.out, options)
    return 0
