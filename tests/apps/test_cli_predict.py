"""``echoplane predict``: what is printed with ``--quiet``, and a file that does not answer."""

import csv
import signal
import subprocess
import sys

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


def files_in(table):
    return [row["file"] for row in csv.DictReader(table.read_text(encoding="utf-8-sig").splitlines())]


DEAD_DISK = """
import sys, threading
from echoplane import _processes
from echoplane.apps.cli.main import main
from echoplane.inference import classifier
from echoplane.pipelines import _watch

opened = classifier.open_cine

def open_cine(item, **more):
    if "dead" in item.source:
        threading.Event().wait()
    return opened(item, **more)

if __name__ == "__main__":
    classifier.open_cine, _processes.PATIENCE, _watch.SLOW = open_cine, 0.1, 0.1
    main(sys.argv[1:])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there, TERM ends a program at once")
def test_a_file_that_does_not_answer_is_named_and_one_interrupt_ends_it(toy_bundle, tmp_path):
    folder, output = tmp_path / "in", tmp_path / "o.csv"
    folder.mkdir()
    for name in ("a", "dead", "z"):
        np.save(folder / f"{name}.npy", np.full((30, 40, 40), 90, np.uint8))
    (tmp_path / "main.py").write_text(DEAD_DISK)
    toy_bundle().save(tmp_path / "toy.echoplane")
    command = ["predict", str(folder), "--bundle", str(tmp_path / "toy.echoplane"), "--jobs", "2", "-o", str(output)]
    with subprocess.Popen(
        [sys.executable, str(tmp_path / "main.py"), *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stderr is not None
        line = next(line for line in running.stderr if "dead.npy" in line)
        assert line.startswith(f"Waiting for {folder / 'dead.npy'}, ")
        running.send_signal(signal.SIGTERM)  # as Ctrl-C, which is not heard in what nohup or a shell put aside began
        rest = running.stderr.read()
        assert running.wait(60) == 130
    assert "Go on with --resume" in rest
    assert files_in(output) == [str(folder / "a.npy")]
    again = subprocess.run(
        [sys.executable, "-m", "echoplane", *command, "--resume"], capture_output=True, text=True, check=False
    )
    assert again.returncode == 0, again.stderr
    assert len(files_in(output)) == 3
