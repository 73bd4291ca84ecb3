"""The table of an export: nothing is written over by it, and what was exported is in it whatever happens next."""

import csv
import errno

import numpy as np
import pytest
from PIL import Image

from echoplane.apps.cli.main import main
from echoplane.errors import UsageError
from echoplane.pipelines import export as module
from echoplane.pipelines.export import ExportRow, ExportSettings, export
from echoplane.pipelines.export_table import ExportTable
from echoplane.records import Status


@pytest.fixture
def cines(tmp_path):
    """Two small moving pictures."""
    paths = [tmp_path / "a.gif", tmp_path / "b.gif"]
    for n, path in enumerate(paths):
        frames = [Image.fromarray(np.full((48, 64), 20 * i + n, np.uint8)) for i in range(3)]
        frames[0].save(path, save_all=True, append_images=frames[1:], duration=40)
    return paths


def rows_of(table):
    with table.open(newline="") as stream:
        return [(row["file"], row["status"]) for row in csv.DictReader(stream)]


OPEN = ExportSettings(mask=False)


@pytest.mark.parametrize("overwrite", [False, True])
def test_an_input_is_no_table(cines, tmp_path, overwrite):
    before = cines[1].read_bytes()
    with pytest.raises(UsageError, match="is one of the inputs"):
        export(cines, tmp_path / "out", ExportSettings(mask=False, overwrite=overwrite), table=cines[1])
    assert cines[1].read_bytes() == before
    assert not (tmp_path / "out").exists()


def test_the_output_is_no_table(cines, tmp_path):
    with pytest.raises(UsageError, match="is the output"):
        export(cines[:1], tmp_path / "o.mp4", OPEN, table=str(tmp_path / "." / "o.mp4"))


def test_a_table_that_is_there_is_kept(cines, tmp_path, capsys):
    words = ["export", *map(str, cines), "-o", str(tmp_path / "out"), "--no-mask", "-q", "--table"]
    table = tmp_path / "t.csv"
    for more, code in (((), 0), ((), 2), (("--overwrite",), 0)):
        with pytest.raises(SystemExit) as end:
            main([*words, str(table), *more])
        assert end.value.code == code
        assert rows_of(table) == [(str(path), "ok") for path in cines]
    assert "t.csv: is there already; --overwrite replaces it" in capsys.readouterr().err


def test_a_table_that_cannot_be_written_is_told_before_the_work(cines, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        export(cines, tmp_path / "out", OPEN, table=tmp_path / "file" / "t.csv")
    assert not (tmp_path / "out").exists()


def test_what_was_exported_is_in_the_table_when_the_disk_is_full(cines, tmp_path, monkeypatch):
    whole = module._export_one

    def full(item, *more):
        if item.path == cines[1]:
            raise OSError(errno.ENOSPC, "No space left on device")
        return whole(item, *more)

    monkeypatch.setattr(module, "_export_one", full)
    with pytest.raises(OSError, match="No space"):
        export(cines, tmp_path / "out", OPEN, table=tmp_path / "t.csv")
    assert rows_of(tmp_path / "t.csv") == [(str(cines[0]), "ok")]


def test_rows_are_there_as_soon_as_they_are_told(cines, tmp_path):
    table = tmp_path / "new" / "t.csv"
    seen = []
    export(cines, tmp_path / "out", OPEN, table=table, on_row=lambda row: seen.append(len(rows_of(table))))
    assert seen == [1, 2]


def test_a_disk_without_room_is_told_with_the_table(tmp_path, nearly_full):
    row = ExportRow("x" * 5000, Status.OK)
    with (
        ExportTable.opened(tmp_path / "t.csv", overwrite=False) as table,
        nearly_full(2000),
        pytest.raises(OSError, match=r"t\.csv"),
    ):
        table.write(row)
