"""``echoplane predict --quiet``: nothing but errors, and these always."""

import cv2
import numpy as np
import pytest

from echoplane.apps.cli.main import main


@pytest.fixture
def study(tmp_path):
    folder = tmp_path / "study"
    folder.mkdir()
    for n in range(8):
        cv2.imwrite(str(folder / f"dark_{n}.png"), np.full((24, 32), 30, np.uint8))
    (folder / "notes.txt").write_text("no picture, and no failure")
    return folder


def test_quiet_prints_what_could_not_be_dealt_with_and_nothing_else(study, toy_bundle, tmp_path, capsys):
    bundle = toy_bundle(slope=(0.0, 8.0, 0.0), shift=(3.0, 0.0, -2.0)).save(tmp_path / "toy.echoplane")
    output = tmp_path / "o.csv"

    def quietly(*more):
        with pytest.raises(SystemExit) as end:
            main(["predict", str(study), "--bundle", str(bundle), "-q", *more])
        out, err = capsys.readouterr()
        assert out == ""
        return end.value.code, err

    assert quietly() == (0, "")
    (study / "zero.dcm").touch()
    told = f"error: {study / 'zero.dcm'}: Is empty (0 bytes). Was the copy interrupted?\n"
    assert quietly("-o", str(output)) == (1, told)
    # Its row is there, and so is the exit code; a word tells why.
    told = "{} of its files could not be dealt with, {} in this run and 1 in an earlier one. --retry asks for them once"
    assert quietly("-o", str(output), "--resume") == (1, f"error: {output}: {told.format(1, 0)} more.\n")
    # Also where the rest is printed, and with one that is new.
    (study / "none.dcm").touch()
    with pytest.raises(SystemExit) as end:
        main(["predict", str(study), "--bundle", str(bundle), "-o", str(output), "--resume"])
    assert end.value.code == 1
    assert f"error: {output}: {told.format(2, 1)} more.\n" in capsys.readouterr().err
