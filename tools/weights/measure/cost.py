"""What an answer costs, beside the plain way to a view: decode everything, run ConvNeXt-Base on one frame.

All candidates take turns in one process on one thread; medians. Processor time is given beside wall time, since it
does not suffer when something else runs on the machine.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from echoplane.inference.classifier import ViewClassifier
from echoplane.inference.engine import load_engine
from echoplane.models.bundle import Bundle
from echoplane.models.load import load_network
from measure.results import Row, Say, identity, quiet, save, table

sys.path.append(str(Path(__file__).parents[3] / "benchmarks"))

LIMIT_MB = 12
_LOAD = """
import sys, time
import openvino, echoplane.inference.classifier as c
started = time.perf_counter(), time.process_time()
c.ViewClassifier.load(sys.argv[1], threads=1)
print(time.perf_counter() - started[0], time.process_time() - started[1])
"""


def measure(bundle: Bundle, out: Path, rounds: int = 9, say: Say = quiet) -> Row:
    """Time everything; write ``cost.json`` and its table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        stored = bundle.save(folder / "bundle.echoplane")
        say("cost: loading")
        loads = [_load(stored) for _ in range(5)]
        say("cost: file to view")
        ways = _ways(bundle, folder)
        times = _in_turns(ways, rounds)
    members = sum(member.size for member in bundle.facts.members.values())
    own = times["echoplane"]
    facts = {
        "bundle": identity(bundle),
        "network": bundle.facts.network.name,
        "parameters": parameters(bundle),
        "bundle_mb": members / 1e6,
        "file_mb": Path(stored).stat().st_size / 1e6 if Path(stored).exists() else None,
        "under_limit": members / 1e6 < LIMIT_MB,
        "load_s": {"wall": statistics.median(a for a, _ in loads), "cpu": statistics.median(b for _, b in loads)},
        "ways": times,
        "ratio": {
            clock: {name: found[clock] / own[clock] for name, found in times.items() if name.startswith("peer")}
            for clock in ("wall", "cpu")
        },
        "rounds": rounds,
        "machine": _machine(),
    }
    save(out, "cost", facts, markdown(facts))
    return facts


def _load(path: Path) -> tuple[float, float]:
    done = subprocess.run([sys.executable, "-c", _LOAD, str(path)], check=True, capture_output=True, text=True)
    wall, cpu = done.stdout.split()
    return float(wall), float(cpu)


def _ways(bundle: Bundle, folder: Path) -> dict[str, Callable[[], object]]:
    import _cines
    import openvino
    import pydicom
    import torch
    from pydicom.encaps import generate_frames

    from measure.convnext import convnext_base

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    path = _cines.write_jpeg_cine(folder / "cine.dcm")
    peer = convnext_base()
    blank = torch.zeros(1, 3, 224, 224)
    core = openvino.Core()
    settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": 1}
    compiled = core.compile_model(openvino.convert_model(peer, example_input=blank), "CPU", settings)
    classifier = ViewClassifier.load(bundle, threads=1)
    engine = load_engine(bundle, threads=1)
    clip = np.zeros((1, 1, *bundle.facts.clip_shape), np.float32)

    def picture(frame: Any) -> Any:
        small = cv2.resize(frame, (224, 224), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        return np.ascontiguousarray(small.transpose(2, 0, 1))[None]

    def plain() -> object:
        frames = pydicom.dcmread(path).pixel_array
        with torch.no_grad():
            return peer(torch.from_numpy(picture(frames[len(frames) // 2])))

    def kind() -> object:
        data = pydicom.dcmread(path)
        parts = generate_frames(data.PixelData, number_of_frames=int(data.NumberOfFrames))
        frames = [cv2.imdecode(np.frombuffer(part, np.uint8), cv2.IMREAD_COLOR) for part in parts]
        return compiled(picture(frames[len(frames) // 2]))

    def network_alone() -> object:
        with torch.no_grad():
            return peer(blank)

    return {
        "echoplane": partial(classifier.predict, path),
        "network, one clip": lambda: engine.run(clip),
        "peer: every frame by pydicom, ConvNeXt-Base in torch": plain,
        "peer at its kindest: every frame by libjpeg-turbo, ConvNeXt-Base in OpenVINO": kind,
        "ConvNeXt-Base alone, torch": network_alone,
    }


def _in_turns(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, dict[str, float]]:
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, run in ways.items():
            wall, cpu = time.perf_counter(), time.process_time()
            run()
            if number:  # the first round warms up
                times[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return {
        name: {"wall": statistics.median(w for w, _ in found), "cpu": statistics.median(c for _, c in found)}
        for name, found in times.items()
    }


def parameters(bundle: Bundle) -> int:
    """Return how many numbers were learned; the running statistics of batch norm, in the same file, were not."""
    return sum(p.numel() for p in load_network(bundle).parameters())


def _machine() -> str:
    for line in (
        Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else ()
    ):
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    import platform

    return platform.processor() or platform.machine()


def markdown(facts: Row) -> str:
    """Return the table."""
    rows: list[tuple[object, ...]] = [
        ("bundle, all files", f"{facts['bundle_mb']:.2f} MB", "", f"<= {LIMIT_MB} MB"),
        (
            "cold load of bundle and network",
            f"{facts['load_s']['wall']:.2f} s",
            f"{facts['load_s']['cpu']:.2f} s",
            "<= 0.3 s",
        ),
    ]
    rows += [(n, f"{1e3 * t['wall']:.1f} ms", f"{1e3 * t['cpu']:.1f} ms", "") for n, t in facts["ways"].items()]
    for name in facts["ratio"]["wall"]:
        wall, cpu = (facts["ratio"][clock][name] for clock in ("wall", "cpu"))
        rows.append((f"{name} / echoplane", f"{wall:.1f}", f"{cpu:.1f}", "" if "kindest" in name else ">= 8"))
    note = (
        f"\nFile to view of a 60-frame 800x600 JPEG 4:2:2 DICOM cine, one thread, medians of {facts['rounds']} rounds "
        f"in turns, {facts['machine']}. ConvNeXt-Base has random weights: cost only.\n"
    )
    return table(("what", "wall", "processor time", "reach"), rows) + note
