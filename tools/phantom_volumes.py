"""Chamber sizes of phantom patients by counting points of a grid, as a table to hold against normal values.

Run from the repository root::

    python tools/phantom_volumes.py --patients 12
"""

from __future__ import annotations

import argparse

import numpy as np

from echoplane.phantom.scene import Scene, Tissue, draw_patient, draw_pose

CELL_CM = 0.25
COLUMNS = (
    "LVEDVi ml/m2", "LVEF %", "stated EF %", "RVEDVi ml/m2", "RVEF %", "LAVi max ml/m2", "RAVi max ml/m2",
    "LV mass g/m2", "A4C LV cm2", "A4C RV cm2", "A4C RV base cm", "A4C RV mid cm", "A4C FAC %",
)  # fmt: skip
MUSCLE_G_PER_ML = 1.05


def volumes(scene: Scene, phase: float) -> np.ndarray:
    """Millilitres of every label."""
    now = scene.clock.at_phase(phase)
    x, y = np.meshgrid(np.arange(-9, 6, CELL_CM), np.arange(-7, 7, CELL_CM), indexing="ij")
    total = np.zeros(256)
    for z in np.arange(-7.5, 11, CELL_CM):
        points = np.stack([x, y, np.full_like(x, z)], axis=-1).astype(np.float32)
        total += np.bincount(scene.slice_at(points, now, (1, 1)).label.ravel(), minlength=256)
    return total * CELL_CM**3


def four_chamber(scene: Scene, phase: float) -> tuple[float, float, float, float]:
    """Areas of the left and right ventricle, and the right one's largest and middle width, in an ideal A4C."""
    pose = draw_pose(scene.patient, "A4C", np.random.default_rng(0), 0.0)
    cell = 0.1
    right, down = np.meshgrid(np.arange(-9, 7, cell), np.arange(0, 18, cell), indexing="ij")
    points = pose.origin + down[..., None] * pose.axis + right[..., None] * pose.lateral
    label = scene.slice_at(points.astype(np.float32), scene.clock.at_phase(phase), (1, 1)).label
    rv = np.isin(label, [Tissue.BLOOD_RV, Tissue.TRABECULA]) & (right < -1)
    widths = rv.sum(axis=0) * cell
    rows = np.flatnonzero(widths)
    lv = np.isin(label, [Tissue.BLOOD_LV, Tissue.PAPILLARY]).sum() * cell**2
    return float(lv), float(rv.sum() * cell**2), float(widths.max()), float(widths[int(np.median(rows))])


def measure(seed: int, disease: str) -> list[float]:
    """One row of the table."""
    patient = draw_patient(seed, disease)
    scene = Scene(patient)
    length = 60.0 / patient.rhythm.rate
    systole = scene.clock.end_systole(length) / length
    ed, es = volumes(scene, 0.0), volumes(scene, systole)
    area, index = patient.body.surface_m2, lambda value: float(value / patient.body.surface_m2)
    wide, narrow = four_chamber(scene, 0.0), four_chamber(scene, systole)
    lv, rv = Tissue.BLOOD_LV, Tissue.BLOOD_RV
    return [
        index(ed[lv]), 100 * (1 - es[lv] / ed[lv]), 100 * patient.lv.ejection_fraction,
        index(ed[rv]), 100 * (1 - es[rv] / ed[rv]), index(es[Tissue.BLOOD_LA]), index(es[Tissue.BLOOD_RA]),
        MUSCLE_G_PER_ML * float(ed[Tissue.MYO_LV]) / area, *wide, 100 * (1 - narrow[1] / wide[1]),
    ]  # fmt: skip


def main() -> None:
    """Print mean, smallest and largest of each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=12, help="how many patients (%(default)s)")
    parser.add_argument("--first", type=int, default=40, help="seed of the first (%(default)s)")
    parser.add_argument("--disease", default="none", help="of all; 'none' for healthy hearts (%(default)s)")
    options = parser.parse_args()
    table = np.array([measure(options.first + k, options.disease) for k in range(options.patients)])
    print(f"{'':>18} {'mean':>7} {'min':>7} {'max':>7}")
    for name, column in zip(COLUMNS, table.T, strict=True):
        print(f"{name:>18} {column.mean():7.1f} {column.min():7.1f} {column.max():7.1f}")


if __name__ == "__main__":
    main()
