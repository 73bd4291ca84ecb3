"""Class activation maps straight from the CPU engine: no torch, no gradient.

For a network that ends in a global average and one linear layer, the map of view k is ``sum_c W[k, c] * F_c`` (Zhou et
al., Learning Deep Features for Discriminative Localization, CVPR 2016, arXiv:1512.04150). The features F are already
there when the answer is; all that is added is to hand them out.
"""

from __future__ import annotations

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
    """A compiled network that gives logits and maps.

    Parameters
    ----------
    bundle : Bundle
        With an f32 variant whose network ends in a global average and one linear layer (``compact3d`` does).
    threads : int or None
        None takes all processors this process may use.

    Raises
    ------
    UsageError
        For a network that ends in another way; use Grad-CAM there.
    BundleError
        When OpenVINO cannot load the network.
    """

    def __init__(self, bundle: Bundle, *, threads: int | None = None) -> None:
        variant = bundle.facts.variant("f32")
        if variant is None or len(variant.files) != 1:
            raise BundleError(f"{bundle.where}: holds no f32 ONNX network, which activation maps are made from.")
        core = openvino_core()
        try:
            model = core.read_model(bundle.read(variant.files[0]))
            features, self._weights_KC = _tail(model, bundle.where)
            model.add_outputs(features)
            settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads or available_cpus(),
                        "ENABLE_CPU_PINNING": False}  # fmt: skip
            self._request = core.compile_model(model, "CPU", settings).create_infer_request()
        except RuntimeError as error:
            raise BundleError(f"{bundle.where}: OpenVINO cannot load the network ({type(error).__name__}).") from error

    def run(self, clips: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Run the network.

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
        self._request.infer({0: clips}, share_inputs=True)
        logits = self._request.get_output_tensor(0).data.copy()
        features_CFnhw = self._request.get_output_tensor(1).data
        maps: FloatArray = np.einsum("kf,cfnhw->cknhw", self._weights_KC, features_CFnhw, optimize=True)
        return logits, maps


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
        "map of its own. Use --method gradcam (needs the extra 'explain')."
    )
