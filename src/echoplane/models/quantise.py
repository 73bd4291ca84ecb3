"""int8 by post-training quantisation: OpenVINO's NNCF, calibrated on stored clips."""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import openvino

from echoplane._optional import need
from echoplane.errors import BundleError, UsageError
from echoplane.models.bundle import Bundle
from echoplane.models.openvino_core import openvino_core
from echoplane.records import FloatArray

#: Names of the two files of the int8 variant inside a bundle.
XML_NAME, BIN_NAME = "network-int8.xml", "network-int8.bin"

#: Fewer clips than this give ranges that are chance.
FEWEST_CLIPS = 32


def quantise(bundle: Bundle, clips: FloatArray) -> dict[str, bytes]:
    """Make an int8 network from the f32 one of a bundle.

    Parameters
    ----------
    bundle : Bundle
    clips : float32 array, (C, 1, N, H, W)
        Normalised clips like those it will see; 300 are plenty.

    Returns
    -------
    dict of str to bytes
        The OpenVINO files by their names in a bundle.

    Raises
    ------
    UsageError
        With too few clips.
    BundleError
        When the bundle has no f32 ONNX network.
    MissingExtraError
        When nncf is not installed.
    """
    if len(clips) < FEWEST_CLIPS:
        raise UsageError(f"{len(clips)} clips are too few to quantise with; give {FEWEST_CLIPS} or more.")
    variant = bundle.facts.variant("f32")
    if variant is None or len(variant.files) != 1:
        raise BundleError(f"{bundle.where}: holds no f32 ONNX network to quantise.")
    with _quiet():
        nncf: Any = need("nncf", "train", "quantise a network to int8")
        model = openvino_core().read_model(bundle.read(variant.files[0]))
        data = nncf.Dataset([clips[i : i + 1] for i in range(len(clips))])
        made = nncf.quantize(
            model, data, subset_size=len(clips), preset=nncf.QuantizationPreset.MIXED, advanced_parameters=_ranges()
        )
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / XML_NAME
            openvino.save_model(made, path, compress_to_fp16=False)
            return {XML_NAME: path.read_bytes(), BIN_NAME: path.with_suffix(".bin").read_bytes()}


def _ranges() -> Any:
    """Ranges of activations by their histograms.

    Logits of the default weights then differ by 0.06 from those of f32 (root mean square, on nearly 3,000 phantoms); by
    the largest values, which NNCF would take, by 0.14.
    """
    from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters
    from nncf.quantization.range_estimator import RangeEstimatorParametersSet

    return AdvancedQuantizationParameters(activations_range_estimator_params=RangeEstimatorParametersSet.HISTOGRAM)


@contextlib.contextmanager
def _quiet() -> Any:
    """Keep NNCF's log, bars and warnings about its own insides away from the user."""
    logger = logging.getLogger("nncf")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def spread(clips: FloatArray, count: int, seed: int = 0) -> FloatArray:
    """Pick `count` clips at random without replacement (all of them when there are fewer)."""
    chosen = np.random.default_rng(seed).permutation(len(clips))[:count]
    return clips[np.sort(chosen)]
