"""Contact sheet of label maps: every view of several phantom patients at end-diastole and end-systole.

Run from the repository root::

    python tools/phantom_slices.py OUT.png --views A4C A2C --patients 1 2 3
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from echoplane.phantom.scene import Scene, Tissue, draw_patient, draw_pose

COLOURS: dict[int, tuple[int, int, int]] = {
    Tissue.OUTSIDE: (58, 58, 58), Tissue.BLOOD_LV: (150, 20, 30), Tissue.BLOOD_RV: (40, 60, 150),
    Tissue.BLOOD_LA: (190, 60, 60), Tissue.BLOOD_RA: (70, 100, 190), Tissue.BLOOD_AO: (220, 60, 30),
    Tissue.BLOOD_PA: (60, 130, 220), Tissue.BLOOD_DAO: (200, 80, 30), Tissue.BLOOD_OTHER: (90, 90, 200),
    Tissue.MYO_LV: (205, 150, 120), Tissue.MYO_RV: (190, 160, 150), Tissue.WALL_ATRIA: (215, 180, 150),
    Tissue.WALL_VESSEL: (240, 220, 190), Tissue.PAPILLARY: (230, 120, 90), Tissue.CHORDAE: (255, 255, 200),
    Tissue.TRABECULA: (180, 120, 100), Tissue.LEAFLET_MITRAL: (255, 255, 0), Tissue.CUSP_AORTIC: (255, 255, 60),
    Tissue.LEAFLET_TRICUSPID: (200, 255, 60), Tissue.CUSP_PULMONARY: (160, 255, 120), Tissue.ANNULUS: (255, 255, 255),
    Tissue.PERICARDIUM: (250, 250, 160), Tissue.EFFUSION: (10, 10, 60), Tissue.FAT: (150, 140, 70),
    Tissue.LUNG: (25, 80, 40), Tissue.LIVER: (120, 70, 40), Tissue.RIB: (250, 250, 250), Tissue.CALCIUM: (255, 0, 255),
}  # fmt: skip

VIEWS = (
    "A4C", "A2C", "A3C", "PSAX-MV", "PSAX-PM", "PSAX-AP", "PLAX", "PSAX-AV", "A5C", "RV-A4C", "SC4C", "SC-IVC", "SSN",
)  # fmt: skip
WIDTHS_DEG = {"SC4C": 85.0, "SSN": 85.0}
DEPTHS_CM = {"SC4C": 18.0, "SC-IVC": 16.0, "SSN": 14.0}


def palette() -> np.ndarray:
    """Colours of the labels, uint8 (256, 3), B G R."""
    table = np.zeros((256, 3), np.uint8)
    for label, colour in COLOURS.items():
        table[label] = colour[::-1]
    return table


def scan(scene: Scene, pose, phase: float, size: int, depth: float, width_deg: float) -> np.ndarray:
    """Cartesian picture of the labels inside a sector, uint8 (size, size, 3)."""
    rows, columns = np.mgrid[0:size, 0:size].astype(np.float32)
    down, right = rows * (depth / size), (columns - size / 2) * (depth / size)
    points = pose.origin + down[..., None] * pose.axis + right[..., None] * pose.lateral
    now = scene.clock.at_phase(phase)
    label = scene.slice_at(points.astype(np.float32), now).label
    picture = palette()[label]
    picture[(np.abs(np.arctan2(right, down)) > np.radians(width_deg / 2)) | (np.hypot(right, down) > depth)] = 0
    return picture


def phase_of(scene: Scene, name: str) -> float:
    """Phase of a named time of an average beat."""
    length = 60.0 / scene.patient.rhythm.rate
    closing = scene.clock.end_systole(length)
    seconds = {"ed": 0.0, "mid": 0.5 * (0.05 + closing), "es": closing, "e": closing + 0.15, "rest": closing + 0.33}
    return seconds[name] / length


def sheet(
    views: list[str], patients: list[int], disease: str | None, size: int, error: float, times: list[str]
) -> np.ndarray:
    """One row a view; one column a patient and time."""
    lines = []
    for view in views:
        tiles = []
        for seed in patients:
            patient = draw_patient(seed, disease)
            pose = draw_pose(patient, view, np.random.default_rng([seed, len(view)]), error)
            scene = Scene(patient, 0, pose)
            for name in times:
                phase = phase_of(scene, name)
                depth = DEPTHS_CM.get(view, 16.0)
                tile = scan(scene, pose, phase, size, depth, WIDTHS_DEG.get(view, 80.0))
                cv2.putText(tile, f"{view} {seed} {patient.disease}", (3, size - 4), 0, 0.35, (255, 255, 255), 1)
                tiles.append(tile)
        lines.append(np.hstack(tiles))
    return np.vstack(lines)


def legend(width: int) -> np.ndarray:
    """Names of the labels beside their colours."""
    column, line = 150, 14
    per_row = max(1, width // column)
    rows = -(-len(COLOURS) // per_row)
    strip = np.zeros((rows * line + 6, width, 3), np.uint8)
    for k, (label, colour) in enumerate(COLOURS.items()):
        x, y = (k % per_row) * column + 4, (k // per_row) * line + 4
        cv2.rectangle(strip, (x, y), (x + 10, y + 10), colour[::-1], -1)
        name = Tissue(label).name.lower().replace("_", " ")
        cv2.putText(strip, name, (x + 15, y + 9), 0, 0.36, (255, 255, 255), 1, cv2.LINE_AA)
    return strip


def main() -> None:
    """Write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="picture to write")
    parser.add_argument("--views", nargs="+", default=list(VIEWS), help="views, a row each (all)")
    parser.add_argument(
        "--patients", nargs="+", type=int, default=[1, 2, 3], help="seeds of the patients (%(default)s)"
    )
    parser.add_argument("--disease", default=None, help="the same disease for all; 'none' for healthy hearts")
    parser.add_argument(
        "--times",
        nargs="+",
        default=["ed", "es"],
        choices=["ed", "mid", "es", "e", "rest"],
        help="moments of the beat (%(default)s)",
    )
    parser.add_argument("--size", type=int, default=220, help="pixels of a map (%(default)s)")
    parser.add_argument("--error", type=float, default=1.0, help="0 for ideal poses")
    options = parser.parse_args()
    picture = sheet(options.views, options.patients, options.disease, options.size, options.error, options.times)
    picture = np.vstack([picture, legend(picture.shape[1])])
    options.out.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(options.out), picture, [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    main()
