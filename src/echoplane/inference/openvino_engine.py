"""The CPU engine: OpenVINO, with its precision, threads and streams always set by us.

Left to itself OpenVINO runs f32 networks in bf16 where the processor has it, and pins threads to processors, so
that two processes on one machine sit on the same ones.
"""

from __future__ import annotations

from queue import LifoQueue
from typing import Any

import openvino

from echoplane.errors import BundleError, UsageError
from echoplane.inference.engine import available_cpus
from echoplane.models.bundle import Bundle
from echoplane.models.openvino_core import openvino_core
from echoplane.records import FloatArray


class OpenVinoEngine:
    """A network compiled for this processor; the number of clips a call is free.

    Parameters
    ----------
    bundle : Bundle
    precision : {"f32", "bf16", "int8"}
    threads : int or None
        Of all streams together; None takes all processors this process may use.
    streams : int
        Calls of :meth:`run` computed side by side. 1 gives the shortest time for one call.

    Raises
    ------
    UsageError
        A precision this processor or this bundle does not have.
    BundleError
        A network that OpenVINO cannot load, or that does not fit the bundle's description.
    """

    name = "openvino"

    def __init__(self, bundle: Bundle, *, precision: str = "f32", threads: int | None = None, streams: int = 1) -> None:
        self.precision = precision
        core = openvino_core()
        self.device = str(core.get_property("CPU", "FULL_DEVICE_NAME")).strip()
        if precision == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise UsageError("precision bf16: this processor has no bf16 arithmetic. Use --precision f32.")
        settings = {
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
            "INFERENCE_NUM_THREADS": max(threads or available_cpus(), streams),
            "NUM_STREAMS": streams,
            "ENABLE_CPU_PINNING": False,
        }
        parts = _files(bundle, precision)
        try:
            self._compiled = core.compile_model(core.read_model(*parts), "CPU", settings)
        except RuntimeError as error:
            raise BundleError(f"{bundle.where}: OpenVINO cannot load the network: {_last_line(error)}") from error
        _check_shapes(self._compiled, bundle)
        # One request a stream: a request holds its own buffers, and must not be used by two threads at once.
        self._idle: LifoQueue[Any] = LifoQueue()
        for _ in range(streams):
            self._idle.put(self._compiled.create_infer_request())

    def run(self, clips: FloatArray) -> FloatArray:
        """Run the network: float32 (C, 1, N, H, W) to logits (C, K). See :class:`echoplane.inference.engine.Engine`."""
        request = self._idle.get()
        try:
            # The input is only read, and only during this call; the output is copied out of the request's buffer.
            request.infer({0: clips}, share_inputs=True)
            logits: FloatArray = request.get_output_tensor(0).data.copy()
            return logits
        finally:
            self._idle.put(request)


def _files(bundle: Bundle, precision: str) -> list[bytes | openvino.Tensor]:
    variant = bundle.facts.variant(precision)
    if variant is None and precision == "bf16":
        variant = bundle.facts.variant("f32")  # bf16 is a way of running the same file
    if variant is None:
        have = ", ".join(v.precision for v in bundle.facts.variants) or "none at all"
        how = " `echoplane bundle variants` makes int8." if precision == "int8" else ""
        raise UsageError(f"precision {precision}: {bundle.where} holds no such variant; it has {have}.{how}")
    first, *rest = (bundle.read(name) for name in variant.files)
    if not rest:
        return [first]
    import numpy as np

    return [first, openvino.Tensor(np.frombuffer(rest[0], np.uint8))]


def _check_shapes(compiled: Any, bundle: Bundle) -> None:
    facts = bundle.facts
    want_in, want_out = f"[?,1,{','.join(map(str, facts.clip_shape))}]", f"[?,{len(facts.vocabulary)}]"
    got_in, got_out = (str(port[0].partial_shape) for port in (compiled.inputs, compiled.outputs))
    for what, got, want in (("takes clips", got_in, want_in), ("gives logits", got_out, want_out)):
        # The number of clips may be given as "?" or as a range such as "1..4096".
        if got.partition(",")[2] != want.partition(",")[2]:
            raise BundleError(f"{bundle.where}: the network {what} {got}, and bundle.json says {want}.")


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
