"""In a process of its own: what fails here is a crash, and it must not take the other tests with it."""

import subprocess
import sys

_TWO_ENGINES = """
import faulthandler, gc, signal, subprocess, sys
faulthandler.enable()
signal.signal(signal.SIGCHLD, lambda *_: None)
from echoplane.inference.engine import load_engine
from echoplane.models.bundle import Bundle
bundle = Bundle.load()
first, second = load_engine(bundle, threads=1), load_engine(bundle, threads=1)
del first
gc.collect()
del second
gc.collect()
others_memory = [bytearray(11568) for _ in range(200)]
subprocess.run([sys.executable, "-c", ""], check=True)  # its end is a signal
print("alive")
"""


def test_engines_that_go_in_the_order_they_came_leave_signals_working() -> None:
    done = subprocess.run([sys.executable, "-c", _TWO_ENGINES], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "alive")
