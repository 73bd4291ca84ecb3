"""CPU time of one slice of the phantom heart, by view, in milliseconds.

Run from the repository root: ``python benchmarks/phantom_slice.py``. `exact` computes everything on the fine grid, so
the ratio says what the coarse grid is worth; both are measured in turn in the same process.
"""

from __future__ import annotations

import argparse
import time

import _markdown
import cv2
import numpy as np

from echoplane.phantom.scene import Scene, draw_patient, draw_pose
from echoplane.views import MAIN_VIEWS

BEAMS, SAMPLES = 96, 160


def main() -> None:
    parser = argparse.ArgumentParser(description="Time one slice of the phantom heart.")
    parser.add_argument("--frames", type=int, default=30, help="frames; the median counts (%(default)s)")
    frames = parser.parse_args().frames
    cv2.setNumThreads(1)
    rows = []
    for view in (*MAIN_VIEWS, "PLAX", "PSAX-AV"):
        patient = draw_patient(1, "none")
        pose = draw_pose(patient, view, np.random.default_rng(0))
        scene = Scene(patient, 0, pose)
        angles = np.radians(np.linspace(-40, 40, BEAMS))[:, None, None]
        depths = np.linspace(0.1, 16, SAMPLES)[None, :, None]
        points = pose.origin + depths * (np.cos(angles) * pose.axis + np.sin(angles) * pose.lateral)
        points = points.astype(np.float32)
        fast, exact = Scene(patient, 0, pose), scene
        spent: dict[str, list[float]] = {"fast": [], "exact": []}
        for frame in range(frames + 1):
            for name, source, step in (("fast", fast, (3, 4)), ("exact", exact, (1, 1))):
                start = time.process_time()
                source.slice(points, frame * 0.02, step)
                spent[name].append(time.process_time() - start)
        a, b = (1e3 * float(np.median(spent[name][1:])) for name in ("fast", "exact"))
        rows.append((view, f"{a:.2f}", f"{b:.2f}", f"{b / a:.1f}"))
    head = (f"{BEAMS} beams x {SAMPLES} samples, median of {frames} frames", "fast, ms", "exact, ms", "ratio")
    print(f"{_markdown.machine('numpy')}\n\n{_markdown.table(head, rows)}")


if __name__ == "__main__":
    main()
