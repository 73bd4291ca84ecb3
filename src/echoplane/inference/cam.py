"""Class activation maps straight from the CPU engine: no torch, no gradient.

For a network that ends in a global average and one linear layer, the map of view k is ``sum_c W[k, c] * F_c`` (Zhou et
al., Learning Deep Features for Discriminative Localization, CVPR 2016, arXiv:1512.04150). The features F are already
there when the answer is; all that is added is to weigh them and hand that out.
"""

from __future__ import annotations

from queue import LifoQueue
from typing import Any

import numpy as np

from echoplane.errors import BundleError, UsageError
from echoplane.inference.engine import available_cpus
from echoplane.models.bundle import Bundle
from echoplane.models.openvino_core import openvino_core
from echoplane.records import FloatArray

#: Operations between the last feature map and the answer that change no number, or only add a constant.
_PASSED = {"Reshape", "Squeeze", "Unsqueeze", "Add", "Convert", "Flatten", "Transpose"}


class CamEngine:
    """A compiled network that gives logits and, when asked, maps; an :class:`echoplane.inference.engine.Engine`.

    Parameters
    ----------
    bundle : Bundle
        With an f32 variant whose network ends in a global average and one linear layer (``compact3d`` does).
    precision : {"auto", "f32", "bf16"}
        ``auto`` is bf16 where the bundle names it and this processor has it, and f32 elsewhere.
    threads : int or None
        Of all streams together; None takes all processors this process may use.
    streams : int
        Calls computed side by side.

    Raises
    ------
    UsageError
        For a network that ends in another way (use Grad-CAM there), or a precision that gives no maps.
    BundleError
        When OpenVINO cannot load the network.
    """

    name = "openvino"

    def __init__(
        self, bundle: Bundle, *, precision: str = "auto", threads: int | None = None, streams: int = 1
    ) -> None:
        variant = bundle.facts.variant("f32")
        if variant is None or len(variant.files) != 1:
            raise BundleError(f"{bundle.where}: holds no f32 ONNX network, which activation maps are made from.")
        core = openvino_core()
        self.device = str(core.get_property("CPU", "FULL_DEVICE_NAME")).strip()
        has_bf16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        self.precision = _precision(precision, bundle.facts.precision, has_bf16=has_bf16)
        settings = {
            "INFERENCE_PRECISION_HINT": self.precision,
            "INFERENCE_NUM_THREADS": max(threads or available_cpus(), streams),
            "NUM_STREAMS": streams,
            "ENABLE_CPU_PINNING": False,
        }
        try:
            model = core.read_model(bundle.read(variant.files[0]))
            model.add_outputs(_weighed(*_tail(model, bundle.where)))
            compiled = core.compile_model(model, "CPU", settings)
        except RuntimeError as error:
            raise BundleError(f"{bundle.where}: OpenVINO cannot load the network ({type(error).__name__}).") from error
        # One request a stream: a request holds its own buffers, and must not be used by two threads at once.
        self._idle: LifoQueue[Any] = LifoQueue()
        for _ in range(streams):
            self._idle.put(compiled.create_infer_request())

    def run(self, clips: FloatArray) -> FloatArray:
        """Run the network: float32 (C, 1, N, H, W) to logits (C, K)."""
        return self.look(clips)[0]

    def look(self, clips: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Run the network and hand out what it looked at.

        Parameters
        ----------
        clips : float32 array, (C, 1, N, H, W)
            Normalised.

        Returns
        -------
        logits : float32 array, (C, K)
        maps : float32 array, (C, K, n, h, w)
            The mean of ``maps[:, k]`` over n, h, w is logit k but for the constant of its view.
        """
        request = self._idle.get()
        try:
            request.infer({0: clips}, share_inputs=True)
            logits: FloatArray = request.get_output_tensor(0).data.copy()
            maps: FloatArray = request.get_output_tensor(1).data.copy()
            return logits, maps
        finally:
            self._idle.put(request)


def _precision(asked: str, named: str, *, has_bf16: bool) -> str:
    """Return what the arithmetic runs in: maps exist in f32, and in bf16 where the processor has it."""
    if asked == "auto":
        return "bf16" if named == "bf16" and has_bf16 else "f32"
    if asked not in ("f32", "bf16"):
        raise UsageError(f"precision {asked}: activation maps are made in f32 or bf16.")
    if asked == "bf16" and not has_bf16:
        raise UsageError("precision bf16: this processor has no bf16 arithmetic. Use --precision f32.")
    return asked


def _weighed(features: Any, weights_KF: FloatArray) -> Any:
    """Weigh features (C, F, n, h, w) by the last layer, within the network; return the output, (C, K, n, h, w).

    NumPy would call a BLAS, whose threads go on spinning for a while and take the processor from the next run of the
    network: 28 ms a call instead of 14 on two cores.
    """
    from openvino import opset13

    kernel = opset13.constant(weights_KF[:, :, None, None, None])
    one, none = [1, 1, 1], [0, 0, 0]
    return opset13.convolution(features, kernel, one, none, none, one).output(0)


def _tail(model: Any, where: str) -> tuple[Any, FloatArray]:
    """Walk from the answer back to the linear layer and the average before it; return the features and the weights."""
    node, factor = _back(model.outputs[0].get_node().input_value(0).get_node(), "MatMul", where)
    constant = node.input_value(1).get_node()
    if constant.get_type_name() == "Convert":
        constant = constant.input_value(0).get_node()
    if constant.get_type_name() != "Constant":
        raise _unlike(where)
    weights = np.array(constant.data, dtype=np.float32)
    if not node.get_attributes()["transpose_b"]:
        weights = weights.T
    mean, after_mean = _back(node.input_value(0).get_node(), "ReduceMean", where)
    features = mean.input_value(0)
    if len(features.get_partial_shape()) != 5 or features.get_partial_shape()[1].get_length() != weights.shape[1]:
        raise _unlike(where)
    return features, weights * np.float32(factor * after_mean)


def _back(node: Any, kind: str, where: str) -> tuple[Any, float]:
    """Walk up to the next operation of a kind; return it, and the constant that its result was multiplied by."""
    factor = 1.0
    while node.get_type_name() != kind:
        if node.get_type_name() == "Multiply":  # the alpha of an ONNX Gemm
            constant = node.input_value(1).get_node()
            if constant.get_type_name() != "Constant" or constant.data.size != 1:
                raise _unlike(where)
            factor *= float(constant.data.item())
        elif node.get_type_name() not in _PASSED:
            raise _unlike(where)
        node = node.input_value(0).get_node()
    return node, factor


def _unlike(where: str) -> UsageError:
    return UsageError(
        f"{where}: the network does not end in a global average and one linear layer, so it has no class activation "
        "map of its own. Use `echoplane explain --method gradcam` (needs the extra 'explain')."
    )
