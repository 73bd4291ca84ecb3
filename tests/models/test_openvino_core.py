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


_FIRST_CALLS = """
import os, sys, threading
from echoplane.models.openvino_core import openvino_core
import openvino
openvino_core()
sys.setswitchinterval(1e-7)
barrier = threading.Barrier(4)
def call():
    barrier.wait()
    openvino.Type.f32.to_dtype()
threads = [threading.Thread(target=call, daemon=True) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("alive")
"""


def test_threads_that_call_first_do_not_wait_for_each_other() -> None:
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", _FIRST_CALLS], capture_output=True, text=True, timeout=120, check=False
        )
        assert (done.returncode, done.stdout.strip()) == (0, "alive")
