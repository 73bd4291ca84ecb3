"""Which cines a store has held: a line of keys a part, so that a part that gets lost is missed, the last one too."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from echoplane._files import atomic_write

LEDGER_FILE = "written.jsonl"


def append_keys(path: Path, keys: Iterable[str]) -> None:
    """Add the keys of a part, in one piece, for others may be adding theirs."""
    with path.open("a+b") as stream:
        end = stream.seek(0, 2)
        stream.seek(max(end - 1, 0))
        torn = end > 0 and stream.read(1) != b"\n"  # by a power cut
        stream.write((b"\n" if torn else b"") + msgspec.json.encode(sorted(keys)) + b"\n")


def write_keys(path: Path, keys: Iterable[str]) -> None:
    """Say anew which cines a store has held: these alone."""
    with atomic_write(path, "wb") as stream:
        stream.write(msgspec.json.encode(sorted(keys)) + b"\n")


def keys_in(data: bytes) -> set[str]:
    """Return all keys; of a line that is torn none."""
    found: set[str] = set()
    for line in data.splitlines():
        try:
            found.update(msgspec.json.decode(line, type=list[str]))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
    return found
