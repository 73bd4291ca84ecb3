"""Run the benchmarks and write what they print into README.md, between the marks of each.

    python benchmarks/report.py                          all of them, about twenty minutes on a quiet machine
    python benchmarks/report.py predict_speed            one
    python benchmarks/report.py --quick --print          does everything run? some minutes, figures without worth

Figures that were taken while the machine did other work are worth little, so nothing is written when the load average
is above a quarter of the processors, unless --anyway is given (the load average is then printed with the figures).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import _markdown

HERE = Path(__file__).parent
README = HERE / "README.md"

#: Arguments of each benchmark: as reported, and for --quick.
RUNS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "predict_speed": ((), ("--rounds", "1")),
    "usual_cines": ((), ("--phantoms", "2", "--clips", "--rounds", "1")),
    "dicom_decode": ((), ("--frames", "4", "--rounds", "1")),
    "prepare_speed": ((), ("--rounds", "1")),
    "store_read": ((), ("--cines", "20", "--reads", "100", "--rounds", "1")),
    "augment_speed": (("STORE",), ("STORE", "--clips", "40", "--rounds", "1")),
    "train_throughput": ((), ("--batch", "2", "--steps", "1", "--rounds", "1")),
    "phantom_slice": ((), ("--frames", "2")),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(RUNS)}; default: all")
    parser.add_argument("--quick", action="store_true", help="the fewest rounds, to see that all run")
    parser.add_argument("--print", action="store_true", help="print only, leave README.md as it is")
    parser.add_argument("--anyway", action="store_true", help="write although the machine is busy")
    options = parser.parse_args()
    unknown = set(options.names) - set(RUNS)
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(RUNS)}")
    if options.quick and not options.print:
        parser.error("--quick gives no figures to keep; add --print")
    busy = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if not (options.print or options.anyway) and busy > _markdown.usable() / 4:
        sys.exit(f"load average {busy:.1f}: wait until the machine is quiet, or give --anyway.")
    with tempfile.TemporaryDirectory() as folder:
        for name in options.names or RUNS:
            arguments = [store(Path(folder)) if a == "STORE" else a for a in RUNS[name][options.quick]]
            printed = run(f"{HERE / name}.py", *arguments)
            print(f"## {name}\n\n{printed}\n", flush=True)
            if not options.print:
                README.write_text(_markdown.filled(README, name, printed))


def run(*words: str) -> str:
    """Run a Python program and return what it prints; its complaints go to stderr."""
    done = subprocess.run([sys.executable, *words], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"{words[0]}: ended with {done.returncode}")
    return done.stdout.strip()


def store(folder: Path) -> str:
    """Return a store of phantom clips, rendered when first asked for."""
    place = folder / "store"
    if not place.exists():
        run("-m", "echoplane", "phantom", "dataset", str(place), "--clips", "20", "--jobs", "1")
    return str(place)


if __name__ == "__main__":
    main()
