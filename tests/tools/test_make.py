import make
import numpy as np
import pytest

from echoplane.data.split import TRAIN, VALIDATION, Split
from echoplane.store.schema import StoreRow
from echoplane.store.writer import StoreWriter


@pytest.fixture
def phantoms(tmp_path):
    with StoreWriter(tmp_path / "phantom-small", recipe={}, views=[], height=8, width=8) as writer:
        for number in range(60):
            row = StoreRow(f"c{number}", label=("A2C", "A4C")[number % 2], fps=16.0, group=f"patient-{number // 3}")
            writer.append(np.full((12, 8, 8), number, np.uint8), row)
    return make.stores((tmp_path / "phantom-small",))


def test_patients_whom_the_start_has_not_seen_are_held_out_and_no_others(tmp_path, phantoms):
    start, out = tmp_path / "start.safetensors", tmp_path / "small" / "split.csv"
    (tmp_path / "start.held-out.txt").write_text("patient-4\npatient-11\nsomebody-else\n")
    make.hold_out(phantoms, start, out)
    rows = Split.load(out).rows
    assert {r.group for r in rows if r.part == VALIDATION} == {"patient-4", "patient-11"}
    assert len(rows) == 60
    assert sum(r.part == TRAIN for r in rows) == 54


def test_without_a_list_that_fits_the_split_is_drawn(tmp_path, phantoms):
    out = tmp_path / "small" / "split.csv"
    make.hold_out(phantoms, tmp_path / "start.safetensors", out)
    drawn = out.read_bytes()
    (tmp_path / "start.held-out.txt").write_text("somebody-else\n")
    make.hold_out(phantoms, tmp_path / "start.safetensors", out)
    assert out.read_bytes() == drawn
    assert Split.load(out).cines(VALIDATION)
