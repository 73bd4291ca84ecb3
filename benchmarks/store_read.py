"""Stores compared: random training clips read a second, bytes a cine, writing, reading from object storage.

    python benchmarks/store_read.py                 measure what is installed
    python benchmarks/store_read.py --cines 400 --reads 4000

The rows of pickles hold a file a clip, of every sixth frame of its cine. One core, page cache warm, formats interleaved
over several rounds; the median round counts. The content is smooth noise under a black surround, of about the entropy
of prepared echo frames; give a store with --store to measure on its frames instead. Formats whose library is missing
are left out.
"""

from __future__ import annotations

import argparse
import pickle
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import _markdown
import cv2
import numpy as np

from echoplane.store import StoreReader, StoreRow, StoreWriter

FRAMES, SIDE, CLIP = 60, 100, 10
STEP = FRAMES // CLIP
Read = Callable[[int, np.ndarray], np.ndarray]


def made_up(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    inside = np.abs(columns - SIDE / 2) < rows * 0.8
    cines = []
    for _ in range(count):
        base = cv2.GaussianBlur(rng.standard_normal((SIDE, SIDE)).astype(np.float32), (0, 0), 3) * 400
        speckle = rng.rayleigh(12, (FRAMES, SIDE, SIDE)).astype(np.float32)
        cines.append((np.clip(base + speckle, 0, 255) * inside).astype(np.uint8))
    return cines


def resized(store: str, count: int) -> list[np.ndarray]:
    reader = StoreReader(store)
    cines = []
    for i in range(len(reader)):
        frames = reader.frames(i)
        if len(frames) < FRAMES:
            continue  # repeated frames would compress too well
        frames = frames[:FRAMES]
        cines.append(np.stack([cv2.resize(f, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for f in frames]))
    if not cines:
        raise SystemExit(f"{store}: holds no cine of {FRAMES} frames.")
    return [cines[i % len(cines)] for i in range(count)]


def echoplane_store(folder: Path, cines: list[np.ndarray]) -> Read:
    with StoreWriter(folder / "s", recipe={}, views=[], height=SIDE, width=SIDE) as writer:
        for i, cine in enumerate(cines):
            writer.append(cine, StoreRow(f"{i:06}"))
    reader = StoreReader(folder / "s")
    return reader.frames


def pickled(kind: str) -> Callable[[Path, list[np.ndarray]], Read]:
    """Every clip a pickle of its own, as grey values or as what a transform made of them."""

    def make(folder: Path, cines: list[np.ndarray]) -> Read:
        for i, cine in enumerate(cines):
            for c in range(STEP):
                clip = cine[c::STEP]
                (folder / f"{i}_{c}.pickle").write_bytes(pickle.dumps(_as(kind, clip)))

        def read(i: int, indices: np.ndarray) -> np.ndarray:
            with (folder / f"{i}_{indices[0] % STEP}.pickle").open("rb") as stream:
                return pickle.load(stream)  # noqa: S301 -- written a moment ago, by ourselves

        return read

    return make


def _as(kind: str, clip: np.ndarray) -> Any:
    if kind == "torch":
        import torch

        return torch.from_numpy(clip.astype(np.float32))
    return clip.astype(kind)


def npy_files(folder: Path, cines: list[np.ndarray]) -> Read:
    for i, cine in enumerate(cines):
        np.save(folder / f"{i}.npy", cine)
    return lambda i, indices: np.load(folder / f"{i}.npy", mmap_mode="r")[indices]


def safetensors_library(folder: Path, cines: list[np.ndarray]) -> Read:
    """The same files as ours, read by the safetensors library: it copies whole tensors."""
    from safetensors import safe_open
    from safetensors.numpy import save_file

    save_file({f"{i:06}": cine for i, cine in enumerate(cines)}, folder / "s.safetensors")
    opened = safe_open(folder / "s.safetensors", "np")
    return lambda i, indices: opened.get_tensor(f"{i:06}")[indices]


def in_memory(folder: Path, cines: list[np.ndarray]) -> Read:
    """No store at all: frames that lie in memory, copied into a clip. Nothing that hands out clips can be faster."""
    del folder

    def read(i: int, indices: np.ndarray) -> np.ndarray:
        out = np.empty((len(indices), SIDE, SIDE), np.uint8)
        for place, frame in zip(out, indices.tolist(), strict=True):
            place[...] = cines[i][frame]
        return out

    return read


def lmdb_raw(folder: Path, cines: list[np.ndarray]) -> Read:
    import lmdb

    with (
        lmdb.open(str(folder / "l"), map_size=2 * sum(c.nbytes for c in cines) + 2**26) as base,
        base.begin(write=True) as put,
    ):
        for i, cine in enumerate(cines):
            put.put(b"%06d" % i, cine.tobytes())
    transaction = lmdb.open(str(folder / "l"), readonly=True, lock=False).begin(buffers=True)

    def read(i: int, indices: np.ndarray) -> np.ndarray:
        data = np.frombuffer(transaction.get(b"%06d" % i), np.uint8).reshape(-1, SIDE, SIDE)
        return data[indices]

    return read


def lmdb_zstd(folder: Path, cines: list[np.ndarray]) -> Read:
    import lmdb
    from numcodecs import Zstd

    codec = Zstd(1)
    with (
        lmdb.open(str(folder / "l"), map_size=2 * sum(c.nbytes for c in cines) + 2**26) as base,
        base.begin(write=True) as put,
    ):
        for i, cine in enumerate(cines):
            for t, frame in enumerate(cine):
                put.put(b"%06d/%04d" % (i, t), codec.encode(np.ascontiguousarray(frame)))
    transaction = lmdb.open(str(folder / "l"), readonly=True, lock=False).begin(buffers=True)

    def read(i: int, indices: np.ndarray) -> np.ndarray:
        out = np.empty((len(indices), SIDE, SIDE), np.uint8)
        for row, t in enumerate(indices):
            codec.decode(bytes(transaction.get(b"%06d/%04d" % (i, t))), out[row])
        return out

    return read


def zarr_groups(folder: Path, cines: list[np.ndarray]) -> Read:
    import zarr

    group = zarr.open_group(str(folder / "z"), mode="w", zarr_format=3)
    arrays = []
    for i, cine in enumerate(cines):
        array = group.create_array(f"{i:06}", shape=cine.shape, chunks=(CLIP, SIDE, SIDE), dtype=np.uint8)
        array[:] = cine
        arrays.append(array)
    return lambda i, indices: arrays[i].oindex[indices]


FORMATS: dict[str, Callable[[Path, list[np.ndarray]], Read]] = {
    "no store: frames in memory, copied": in_memory,
    "echoplane store (safetensors parts, mapped)": echoplane_store,
    "safetensors, its own reader": safetensors_library,
    "npy, a file a cine, mapped": npy_files,
    "LMDB, raw": lmdb_raw,
    "LMDB, zstd by frame": lmdb_zstd,
    "Zarr 3, zstd, chunks of 10 frames": zarr_groups,
    "pickled clips, uint8": pickled("uint8"),
    "pickled clips, float32": pickled("float32"),
    "pickled clips, float64": pickled("float64"),
    "pickled clips, float32 torch tensors": pickled("torch"),
}


def requests(cines: int, reads: int) -> Iterator[tuple[int, np.ndarray]]:
    """Random clips: every sixth frame from a random start, as the reference sampling does."""
    rng = np.random.default_rng(1)
    for _ in range(reads):
        yield int(rng.integers(cines)), np.arange(CLIP) * STEP + int(rng.integers(STEP))


def measure(read: Read, wanted: list[tuple[int, np.ndarray]]) -> float:
    started = time.perf_counter()
    total = 0
    for i, indices in wanted:
        total += int(read(i, indices)[0, 50, 50])  # touched, not only mapped
    del total
    return len(wanted) / (time.perf_counter() - started)


def size_of(folder: Path) -> int:
    return sum(p.stat().st_blocks * 512 for p in folder.rglob("*") if p.is_file())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cines", type=int, default=300, help="stored cines (%(default)s)")
    parser.add_argument("--reads", type=int, default=2000, help="clips read a round (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds, in turns; the median counts (%(default)s)")
    parser.add_argument("--store", help="take the frames of this store")
    options = parser.parse_args()
    cines = resized(options.store, options.cines) if options.store else made_up(options.cines)
    top = Path(tempfile.mkdtemp(prefix="store-read-"))
    readers: dict[str, Read] = {}
    facts: dict[str, tuple[float, float]] = {}
    try:
        for name, make in FORMATS.items():
            folder = top / str(list(FORMATS).index(name))
            folder.mkdir()
            started = time.perf_counter()
            try:
                readers[name] = make(folder, cines)
            except ImportError as error:
                print(f"Left out: {name} ({error.name} is not installed).\n")
                continue
            facts[name] = (len(cines) / (time.perf_counter() - started), size_of(folder) / len(cines) / 1000)
        wanted = list(requests(len(cines), options.reads))
        expected = [cines[i][indices] for i, indices in wanted[:50]]
        for read in readers.values():
            assert all(np.array_equal(read(*w), e) for w, e in zip(wanted, expected, strict=False))
        rates: dict[str, list[float]] = {name: [] for name in readers}
        for _ in range(options.rounds):
            for name, read in readers.items():
                few = wanted if statistics.mean(rates[name] or [1e9]) > 2000 else wanted[:400]
                rates[name].append(measure(read, few))
        print_table(rates, facts)
        store = top / str(list(FORMATS).index("echoplane store (safetensors parts, mapped)"))
        tensors = list(FORMATS).index("pickled clips, float32 torch tensors")
        if (top / str(tensors)).exists():
            print_batches(store / "s", top / str(tensors))
        print_remote(store, cines)
    finally:
        shutil.rmtree(top)


def print_table(rates: dict[str, list[float]], facts: dict[str, tuple[float, float]]) -> None:
    base = statistics.median(rates["pickled clips, float32"])
    what = f"{FRAMES} frames {SIDE} x {SIDE} a cine, {CLIP}-frame clips at random"
    rows = []
    for name, values in rates.items():
        written, size = facts[name]
        rate = statistics.median(values)
        kept = (f"{size:,.0f}", f"{written:,.0f}") if size else ("", "")
        rows.append((name, f"{rate:,.0f}", f"{rate / base:.1f}", *kept))
    head = (what, "clips/s", "times float32 pickle", "kB a cine", "cines/s written")
    print(f"{_markdown.machine('numpy', 'safetensors')}\n\n{_markdown.table(head, rows)}\n")


def print_batches(store: Path, pickles: Path) -> None:
    """Batches of 16 as a training loop gets them, no workers: our loader, and a plain data set of pickled tensors."""
    from torch.utils.data import DataLoader, Dataset

    from echoplane.data.dataset import ClipDataset, ClipSampler, loader
    from echoplane.sampling import SamplingRule

    class Plain(Dataset[Any]):
        def __init__(self) -> None:
            self.files = sorted(pickles.glob("*.pickle"))

        def __len__(self) -> int:
            return len(self.files)

        def __getitem__(self, i: int) -> Any:
            with self.files[i].open("rb") as stream:
                return pickle.load(stream)[None], i % 6  # noqa: S301 -- written a moment ago, by ourselves

    rule = SamplingRule("every_kth", frames=CLIP, step=STEP, max_clips=100)
    dataset = ClipDataset(StoreReader(store), ("A4C",), rule=rule, labelled=False)
    ours = loader(dataset, 16, sampler=ClipSampler(dataset))
    plain = DataLoader(Plain(), batch_size=16, shuffle=True)
    rates: dict[str, list[float]] = {"echoplane loader": [], "plain DataLoader of pickled float32 tensors": []}
    for _ in range(3):
        for name, batches in zip(rates, (ours, plain), strict=True):
            started = time.perf_counter()
            clips = sum(16 for _ in batches)
            rates[name].append(clips / (time.perf_counter() - started))
    one, two = (statistics.median(values) for values in rates.values())
    print(f"As batches of 16, no workers: echoplane loader {one:,.0f} clips/s, plain DataLoader of pickled float32 "
          f"tensors {two:,.0f} clips/s ({one / two:.1f} times).\n")  # fmt: skip


def print_remote(folder: Path, cines: list[np.ndarray]) -> None:
    try:
        import fsspec
    except ImportError:
        return
    memory: Any = fsspec.filesystem("memory")
    memory.put(str(folder / "s"), "/bench", recursive=True)
    reader = StoreReader("memory://bench")
    rate = measure(reader.frames, list(requests(len(cines), 1000)))
    print(f"Through fsspec, from memory://, by ranged requests: {rate:,.0f} clips/s (a real bucket adds its latency).")
    memory.rm("/bench", recursive=True)


if __name__ == "__main__":
    cv2.setNumThreads(1)
    main()
