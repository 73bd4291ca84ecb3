"""Sectors found on real cines: judged by eye in docs/sector.md, kept from getting worse here."""

import csv
from pathlib import Path

import numpy as np
import pytest
from pydicom import examples

from echoplane.prepare import find_sector, prepare, recipe_named
from echoplane.records import SectorKind
from echoplane.sources.open import open_cine


def test_dicom_example() -> None:
    """A dim phased sector on a 240 x 320 screen; its corners were read off an enlarged picture."""
    cine = open_cine(Path(str(examples.get_path("ybr_color"))))
    sector = find_sector(cine)
    assert sector.kind is SectorKind.PHASED
    assert np.abs(np.array(sector.box) - (38, 12, 300, 201)).max() <= 6
    assert abs(sector.apex[0] - 168) < 4
    prepared = prepare(cine, recipe_named("default"), sector=sector)
    assert prepared.frames.shape == (cine.n_frames, 112, 112)
    assert prepared.frames[:, :20, :20].max() == 0


@pytest.mark.slow
def test_development_clips(real_clips: Path) -> None:
    with (real_clips / "INDEX.csv").open(newline="", encoding="utf-8") as stream:
        files = [row["file"] for row in csv.DictReader(stream)]
    sectors = {name: find_sector(open_cine(real_clips / name)) for name in files}
    fans = [s for s in sectors.values() if s.kind in (SectorKind.PHASED, SectorKind.CURVED)]
    assert len(fans) >= 0.97 * len(files)
    assert np.mean([s.confidence >= 0.5 for s in fans]) >= 0.97
    # One hospital's machine: 512 x 448, the fan cut by the frame at the top, its axis in the middle.
    same = [s for name, s in sectors.items() if name.startswith("denoising/") and s.kind is SectorKind.PHASED]
    axis = np.array([s.apex[0] for s in same])
    assert np.median(np.abs(axis - np.median(axis))) < 3
    assert np.mean(np.abs(axis - np.median(axis)) < 12) > 0.95
