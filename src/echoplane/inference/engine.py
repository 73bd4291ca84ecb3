"""What runs a network: clips in, logits out, behind one small interface."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from echoplane.errors import UsageError
from echoplane.models.bundle import Bundle
from echoplane.records import FloatArray

#: What ``engine=`` and ``--engine`` accept.
ENGINES: tuple[str, ...] = ("auto", "openvino", "torch", "cuda")

#: What ``precision=`` and ``--precision`` accept.
PRECISIONS: tuple[str, ...] = ("auto", "f32", "bf16", "int8")


class Engine(Protocol):
    """One network, loaded and ready. :meth:`run` may be called from several threads at once.

    Attributes
    ----------
    name : str
        ``openvino`` or ``torch``.
    device : str
        In words, for manifests.
    precision : str
        What the arithmetic really runs in.
    """

    name: str
    device: str
    precision: str

    def run(self, clips: FloatArray) -> FloatArray:
        """Run the network.

        Parameters
        ----------
        clips : float32 array, (C, 1, N, H, W)
            Normalised; C at least 1.

        Returns
        -------
        float32 array, (C, K)
            Logits, in the order of the bundle's vocabulary.
        """


def load_engine(
    bundle: Bundle, name: str = "auto", *, precision: str = "auto", threads: int | None = None, streams: int = 1
) -> Engine:
    """Load a bundle's network into an engine.

    Parameters
    ----------
    bundle : Bundle
    name : {"auto", "openvino", "torch", "cuda"}
        ``auto`` is OpenVINO on the CPU; ``torch`` takes a GPU where there is one; ``cuda`` insists on it.
    precision : {"auto", "f32", "bf16", "int8"}
        ``auto`` is what the bundle names (f32, unless its maker measured another and chose it), and f32 where this
        machine or this engine does not have that. It is never left to the engine.
    threads : int or None
        Threads of the network on the CPU, all streams together; None takes all processors this process may use.
    streams : int
        Calls of ``run`` that are computed side by side, each on its share of the threads.

    Raises
    ------
    UsageError
        For an unknown engine or precision, or one that this machine or this bundle does not have.
    BundleError
        When the network cannot be loaded, or does not fit the bundle's own description.
    MissingExtraError
        When torch is asked for and not installed.
    """
    loaders: dict[str, Callable[[], Engine]] = {
        "auto": lambda: _openvino(bundle, precision, threads, streams),
        "openvino": lambda: _openvino(bundle, precision, threads, streams),
        "torch": lambda: _torch(bundle, "auto", precision, threads),
        "cuda": lambda: _torch(bundle, "cuda", precision, threads),
    }
    if name not in loaders:
        raise UsageError(f"engine {name!r} is not known; choose one of: {', '.join(ENGINES)}.")
    if precision not in PRECISIONS:
        raise UsageError(f"precision {precision!r} is not known; choose one of: {', '.join(PRECISIONS)}.")
    for what, number in (("threads", threads), ("streams", streams)):
        if number is not None and number < 1:
            raise UsageError(f"{what} {number}: must be at least 1.")
    return loaders[name]()


def _with_fallback(bundle: Bundle, asked: str, load: Callable[[str], Engine]) -> Engine:
    """Load in the precision asked for, or in the bundle's own; only the latter may give way to f32."""
    if asked != "auto":
        return load(asked)
    try:
        return load(bundle.facts.precision)
    except UsageError:
        if bundle.facts.precision == "f32":
            raise
        return load("f32")


def _openvino(bundle: Bundle, precision: str, threads: int | None, streams: int) -> Engine:
    from echoplane.inference.openvino_engine import OpenVinoEngine

    def load(chosen: str) -> Engine:
        return OpenVinoEngine(bundle, precision=chosen, threads=threads, streams=streams)

    return _with_fallback(bundle, precision, load)


def _torch(bundle: Bundle, device: str, precision: str, threads: int | None) -> Engine:
    from echoplane.inference.torch_engine import TorchEngine

    def load(chosen: str) -> Engine:
        return TorchEngine(bundle, device=device, precision=chosen, threads=threads)

    return _with_fallback(bundle, precision, load)


def available_cpus() -> int:
    """Return how many processors this process may use: its affinity, and the quota of its container (cgroup v2)."""
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        count = os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        if quota != "max":
            count = min(count, max(1, round(int(quota) / int(period))))
    except (OSError, ValueError):
        pass  # no container, or none that says
    return count
