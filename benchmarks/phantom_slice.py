"""CPU time of one slice of the phantom heart, by view, in milliseconds.

Run from the repository root: ``python benchmarks/phantom_slice.py``. `exact` computes everything on the fine grid, so
the ratio says what the coarse grid is worth; both are measured in turn in the same process.
"""

from __future__ import annotations

import time

import cv2
import numpy as np

from echoplane.phantom.scene import Scene, draw_patient, draw_pose
from echoplane.views import MAIN_VIEWS

BEAMS, SAMPLES, FRAMES = 96, 160, 30


def main() -> None:
    cv2.setNumThreads(1)
    print(f"{BEAMS} beams x {SAMPLES} samples, median of {FRAMES} frames")
    print(f"{'view':>8} {'fast':>7} {'exact':>7} {'ratio':>6}")
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
        for frame in range(FRAMES + 1):
            for name, source, step in (("fast", fast, (3, 4)), ("exact", exact, (1, 1))):
                start = time.process_time()
                source.slice(points, frame * 0.02, step)
                spent[name].append(time.process_time() - start)
        a, b = (1e3 * float(np.median(spent[name][1:])) for name in ("fast", "exact"))
        print(f"{view:>8} {a:7.2f} {b:7.2f} {b / a:6.1f}")


if __name__ == "__main__":
    main()
