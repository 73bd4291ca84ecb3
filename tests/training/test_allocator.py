import subprocess
import sys

import pytest


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc only")
def test_large_blocks_are_kept_by_the_process() -> None:
    """A freed block of 64 MB is given again at the same address with its old content: no fresh page was taken."""
    code = """
import ctypes
from echoplane.training.allocator import keep_freed_memory
assert keep_freed_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
size = 64 * 2**20
block = libc.malloc(size)
ctypes.memset(block, 7, size)
libc.free(block)
again = libc.malloc(size)
assert again == block
assert ctypes.string_at(again + size // 2, 16) == bytes([7] * 16)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from echoplane.training import allocator

    monkeypatch.setattr(sys, "platform", "win32")
    assert not allocator.keep_freed_memory()
