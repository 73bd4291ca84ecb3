"""What ``make demo`` runs: classify real input with nothing but the core package (no torch).

Writes into ``demo/``: the real A4C cine that pydicom ships, a small phantom study with the six main views and some of
what a study has besides, the answers (``views.csv``) and how they were made (``views.csv.manifest.json``).
"""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

from pydicom import examples

from echoplane.apps.cli.main import main as command_line
from echoplane.errors import BundleError
from echoplane.models.bundle import Bundle
from echoplane.phantom.clip import render_clip
from echoplane.pipelines.phantom import write_clip
from echoplane.views import MAIN_VIEWS

FOLDER = Path("demo")

#: What a study has besides the main views.
BESIDES = ("PLAX", "DOPPLER", "M-MODE")

#: Any seed will do; this one is not chosen for its answers.
SEED = 1

_NEXT = """
The first file is real: the apical four-chamber cine that pydicom ships. The others are phantom hearts, whose names tell
the view they were drawn as. {folder}/views.csv has all probabilities; {folder}/views.csv.manifest.json says how they
came about.

Try next:
  {program} predict YOUR_STUDY/ -o views.csv      your own files
  {program} info {real}
  {program} views                                 what it can tell apart
  {program} bundle inspect                        what the network was trained on, and how well it does
  {program} --help

Not a medical device: do not use it to diagnose."""


def make_input() -> Path:
    """Write the input files; return the real one."""
    real = FOLDER / "real-A4C.dcm"
    FOLDER.mkdir(exist_ok=True)
    shutil.copyfile(examples.get_path("ybr_color"), real)
    for number, view in enumerate((*MAIN_VIEWS, *BESIDES)):
        path = FOLDER / "phantom" / f"{view}.dcm"
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            write_clip(render_clip(view, SEED + number), path)
    return real


def main() -> None:
    """Make the input, predict as the command line does, say what to try next."""
    try:
        bundle = Bundle.load()
    except BundleError as error:
        sys.exit(f"error: {error}")
    started = time.perf_counter()
    print(f"Writing a real cine and a phantom study to {FOLDER}/ ...", flush=True)
    real = make_input()
    print(f"Done in {time.perf_counter() - started:.0f} s. Now: echoplane predict {FOLDER}/ -o {FOLDER}/views.csv")
    print(f"(bundle {bundle.name}, {bundle.hash[:12]})", flush=True)
    inputs = [str(real), str(FOLDER / "phantom")]
    try:
        command_line(["predict", *inputs, "-o", str(FOLDER / "views.csv"), "--overwrite"])
    except SystemExit as end:
        if end.code:
            raise
    program = Path(sys.executable).parent / "echoplane"
    shown = program.relative_to(Path.cwd()) if program.is_relative_to(Path.cwd()) else "echoplane"
    print(_NEXT.format(folder=FOLDER, program=shown, real=real))


if __name__ == "__main__":
    main()
