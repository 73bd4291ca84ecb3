"""One writer for one file: others are kept out, a kill lets them in, and nothing stays behind."""

import errno
import subprocess
import sys

import pytest

from echoplane import _locks
from echoplane._locks import held, lock_path
from echoplane.errors import UsageError

_HOLDER = """
import sys
from pathlib import Path
from echoplane._locks import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds o.csv until it is told to end."""
    command = [sys.executable, "-c", _HOLDER, str(tmp_path / "o.csv")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_another_process_is_kept_out_until_the_block_ends(holder, tmp_path):
    with pytest.raises(UsageError, match=r"o\.csv: another run is writing this file"), held(tmp_path / "o.csv"):
        pass
    with held(tmp_path / "other.csv"):
        pass
    holder.communicate(b"\n")
    assert list(tmp_path.iterdir()) == []
    with held(tmp_path / "o.csv"):
        assert lock_path(tmp_path / "o.csv").stat().st_size == 0
    assert list(tmp_path.iterdir()) == []


def test_a_kill_lets_others_in(holder, tmp_path):
    holder.kill()
    holder.wait()
    with held(tmp_path / "o.csv"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_the_same_process_is_kept_out_too(tmp_path):
    with held(tmp_path / "o.csv"), pytest.raises(UsageError, match="another run"), held(tmp_path / "o.csv"):
        pass


def test_where_a_disk_refuses_locks_nobody_is_kept_out(tmp_path, monkeypatch):
    def refuse(handle):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(_locks, "_lock", refuse)
    with held(tmp_path / "o.csv"), held(tmp_path / "o.csv"):
        pass


def test_a_folder_is_made_for_what_is_written_alone(tmp_path):
    with held(tmp_path / "a" / "b" / "o.csv"):
        pass
    assert not (tmp_path / "a").exists()
    with held(tmp_path / "a" / "b" / "o.csv"):
        (tmp_path / "a" / "b" / "o.csv").touch()
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["o.csv"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows removes no file that anybody has open")
def test_a_lock_file_that_its_holder_removed_meanwhile_is_no_lock(tmp_path, monkeypatch):
    place, lock = lock_path(tmp_path / "o.csv"), _locks._lock
    gone = []

    def late(handle):
        if not gone:
            gone.append(place.unlink())
        lock(handle)

    monkeypatch.setattr(_locks, "_lock", late)
    with held(tmp_path / "o.csv"):
        assert place.exists()
        monkeypatch.setattr(_locks, "_lock", lock)
        with pytest.raises(UsageError, match="another run"), held(tmp_path / "o.csv"):
            pass
    assert list(tmp_path.iterdir()) == []
