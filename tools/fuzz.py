"""Damage files of any kind at random and open them: no crash, no hang, no endless memory, no foreign exception.

    python tools/fuzz.py --seeds FOLDER [--mutants 3000] [--seed 0] [--keep FOLDER]

A folder below FOLDER whose name ends in ``.set`` belongs together (a header and its samples, the frames of a cine, a
DICOMDIR and what it lists): one of its files is damaged, the others lie beside it. What is packed (gzip, NumPy
archives, the chunks of a PNG) is mostly damaged inside and packed again, or every mutant would end at a check sum.

Every mutant is made from its number alone, so a failure can be made again: ``--only 1234``. The work is done in a child
process with a limit on its memory; when the child dies or stops answering, the mutant that did it is reported (and
kept with ``--keep``), and a new child goes on with the next one. Exit code 0 when nothing was found, else 1.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections import Counter
from pathlib import Path
from select import select

SECONDS = 10
MEMORY = 3 << 30
#: Highest resident memory that is accepted, in MiB.
RESIDENT = 1500
_EXTREMES = (b"\x00\x00", b"\x01\x00", b"\xff\xff", b"\xff\x7f", b"\x00\x80", b"\x03\x00", b"\x10\x00", b"\x20\x00")


def seed_files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() and p.stat().st_size < 400_000)


def mutant(files: list[Path], number: int, seed: int) -> tuple[Path, bytes]:
    """Make one mutant; the same number always gives the same one."""
    draw = random.Random(f"{seed}/{number}")
    path = draw.choice(files)
    data = path.read_bytes()
    inside = draw.random() < 0.7
    if inside and data[:2] == b"\x1f\x8b":
        return path, gzip.compress(_damaged(gzip.decompress(data), draw, files), 1, mtime=0)
    if inside and data[:2] == b"PK":
        return path, _archive(data, draw, files)
    damaged = _damaged(data, draw, files)
    return path, _with_sums(damaged) if inside and data[:4] == b"\x89PNG" else damaged


def _damaged(data: bytes, draw: random.Random, files: list[Path]) -> bytes:
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 1, 2, 3, 8))):
        draw.choice(_MUTATIONS)(changed, draw, files)
    return bytes(changed)


def _archive(data: bytes, draw: random.Random, files: list[Path]) -> bytes:
    """Damage one member of a zip archive."""
    with zipfile.ZipFile(io.BytesIO(data)) as before:
        members = {name: before.read(name) for name in before.namelist()}
    victim = draw.choice(list(members))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", draw.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as after:
        for name, content in members.items():
            after.writestr(zipfile.ZipInfo(name), _damaged(content, draw, files) if name == victim else content)
    return out.getvalue()


def _with_sums(data: bytes) -> bytes:
    """Give every chunk of a PNG the check sum of what it holds now."""
    out, at = bytearray(data), 8
    while at + 12 <= len(out):
        end = at + 8 + int.from_bytes(out[at : at + 4], "big")
        if end + 4 > len(out):
            break
        out[end : end + 4] = zlib.crc32(out[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(out)


def _place(data: bytearray, draw: random.Random) -> int:
    """Mostly in the header, sometimes where pixels start, sometimes anywhere."""
    size = max(1, len(data))
    pixels = data.find(b"\xe0\x7f\x10\x00")
    where = draw.random()
    if where < 0.4:
        return draw.randrange(min(size, 4000))
    if where < 0.75 and pixels > 0:
        return min(size - 1, pixels + draw.randrange(700))
    return draw.randrange(size)


def _flip(data: bytearray, draw: random.Random, files: list[Path]) -> None:
    if data:
        data[_place(data, draw)] ^= 1 << draw.randrange(8)


def _noise(data: bytearray, draw: random.Random, files: list[Path]) -> None:
    at = _place(data, draw)
    data[at : at + draw.randrange(1, 40)] = draw.randbytes(draw.randrange(1, 40))


def _overwrite(data: bytearray, draw: random.Random, files: list[Path]) -> None:
    at = _place(data, draw)
    value = draw.choice(_EXTREMES) * draw.choice((1, 2))
    data[at : at + len(value)] = value


def _element(data: bytearray, draw: random.Random, files: list[Path]) -> None:
    """Change length or value of an element that describes the pixels (group 0028, explicit or implicit)."""
    places = [i for i in range(len(data) - 12) if data[i : i + 2] == b"\x28\x00" and data[i + 3] == 0][:40]
    if places:
        at = draw.choice(places) + draw.choice((4, 6, 8, 8, 8, 8))
        value = draw.choice((*_EXTREMES, draw.randbytes(2)))
        data[at : at + 2] = value


def _number(data: bytearray, draw: random.Random, files: list[Path]) -> None:
    """Change a number in a header that is text (MetaImage, NumPy, DICOM's number strings)."""
    found = list(re.finditer(rb"\d+", data[:4000]))
    if found:
        place = draw.choice(found)
        data[place.start() : place.end()] = draw.choice((b"0", b"-1", b"1", b"65536", b"99999999999", b"1e9", b"nan"))


def _cut(data: bytearray, draw: random.Random, files: list[Path]) -> None:
    del data[_place(data, draw) :]


def _remove(data: bytearray, draw: random.Random, files: list[Path]) -> None:
    at = _place(data, draw)
    del data[at : at + draw.choice((1, 2, 8, 100, 5000))]


def _repeat(data: bytearray, draw: random.Random, files: list[Path]) -> None:
    at = _place(data, draw)
    data[at:at] = data[at : at + draw.choice((2, 8, 100, 3000))]


def _splice(data: bytearray, draw: random.Random, files: list[Path]) -> None:
    other = draw.choice(files).read_bytes()
    at, start = _place(data, draw), draw.randrange(max(1, len(other)))
    size = draw.choice((8, 64, 1000))
    data[at : at + size] = other[start : start + size]


_MUTATIONS = (
    *(_flip, _flip, _noise, _overwrite, _overwrite, _element, _element, _number),
    *(_cut, _remove, _repeat, _splice),
)


def child(folder: Path, seed: int) -> None:
    """Read mutant numbers from standard input, write one line of JSON for each."""
    import signal

    from echoplane.errors import EchoplaneError

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # kills even where native code hangs
    files = seed_files(folder)
    for line in sys.stdin:
        origin, data = mutant(files, int(line), seed)
        with tempfile.TemporaryDirectory() as room:
            target = Path(room) / origin.parent.relative_to(folder) / origin.name
            if origin.parent.suffix == ".set":
                shutil.copytree(origin.parent, target.parent)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
            started = time.monotonic()
            signal.alarm(SECONDS)
            try:
                outcome = use(Path(room), target)
            except EchoplaneError as error:
                outcome = type(error).__name__
            except BaseException as error:  # noqa: BLE001 - finding these is what this is for
                outcome = f"FOREIGN {type(error).__name__}: {error}"
            signal.alarm(0)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        row = {"outcome": outcome, "origin": origin.name, "seconds": time.monotonic() - started, "peak": peak}
        print(json.dumps(row), flush=True)


def use(room: Path, target: Path) -> str:
    """Do with a damaged file what programs do with a sound one."""
    from echoplane.errors import EchoplaneError
    from echoplane.prepare import RECIPES, prepare
    from echoplane.sources.dicom import is_dicom, open_dicom
    from echoplane.sources.discover import discover
    from echoplane.sources.open import open_cine

    if target.suffix == ".dcm":  # whatever its first bytes say now
        is_dicom(target)
        open_dicom(target)
    failed = ""
    for item in discover(room):
        try:
            cine = open_cine(item)
            last = cine.n_frames - 1
            cine.reader.read([0, last // 2, last], reduce=2)
            cine.reader.read([last], color=True)
            prepare(cine, RECIPES["default"], sorted({0, last // 2, last}))
        except EchoplaneError as error:
            failed = failed or type(error).__name__
    return failed or "read"


def run(folder: Path, numbers: list[int], seed: int, keep: Path | None) -> tuple[Counter[str], list[str], int, float]:
    """Give every number to a child; return outcomes, failures, peak MiB and slowest seconds."""
    files = seed_files(folder)
    outcomes: Counter[str] = Counter()
    failures: list[str] = []
    peak, slowest, worker = 0, 0.0, None
    for number in numbers:
        if worker is None:
            command = [sys.executable, "-W", "error", __file__, "--child", "--seeds", str(folder), "--seed", str(seed)]
            worker = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(f"{number}\n")
        worker.stdin.flush()
        line = worker.stdout.readline() if select([worker.stdout], [], [], 2 * SECONDS + 20)[0] else ""
        if not line:
            worker.kill()
            code = worker.wait()
            worker = None
            origin, data = mutant(files, number, seed)
            what = "hangs" if code == -14 else f"dies with code {code}"
            failures.append(f"mutant {number} of {origin.name} {what}")
            if keep:
                keep.mkdir(parents=True, exist_ok=True)
                (keep / f"{number}-{origin.name}").write_bytes(data)
            continue
        row = json.loads(line)
        outcomes[row["outcome"].split(":")[0]] += 1
        slowest = max(slowest, row["seconds"])
        if row["outcome"].startswith("FOREIGN"):
            failures.append(f"mutant {number} of {row['origin']} ends in {row['outcome'][8:]}")
        if row["peak"] > max(peak, RESIDENT):
            failures.append(f"mutant {number} of {row['origin']} needs {row['peak']} MiB")
        peak = max(peak, row["peak"])
    if worker is not None:
        worker.communicate()
    return outcomes, failures, peak, slowest


def main() -> int:
    parser = argparse.ArgumentParser(description="Damage files at random and open them.")
    parser.add_argument("--seeds", type=Path, required=True, help="folder of sound files")
    parser.add_argument("--mutants", type=int, default=3000, help="damaged files to open (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="draws the damage (%(default)s)")
    parser.add_argument("--only", type=int, help="one mutant by its number")
    parser.add_argument("--keep", type=Path, help="folder for mutants that crash or hang")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.seeds, options.seed)
        return 0
    numbers = [options.only] if options.only is not None else list(range(options.mutants))
    outcomes, failures, peak, slowest = run(options.seeds, numbers, options.seed, options.keep)
    print(f"{sum(outcomes.values())} of {len(numbers)} mutants answered:", dict(outcomes.most_common()))
    print(f"peak {peak} MiB, slowest {slowest:.2f} s, failures: {len(failures)}")
    for failure in failures:
        print(" ", failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
