"""From a trained torch network to a bundle: safetensors, and ONNX that is proved to give the same logits."""

from __future__ import annotations

import copy
import logging
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from torch import nn

import echoplane
from echoplane._optional import need
from echoplane.errors import BundleError
from echoplane.models.bundle import ONNX_NAME, WEIGHTS_NAME, Bundle
from echoplane.models.bundle_facts import BundleFacts, Variant
from echoplane.models.openvino_core import openvino_core
from echoplane.records import FloatArray

#: Largest difference allowed between the logits of torch and of the exported network, relative to the largest
#: logit where that is above 1. Rounding in f32 gives about 1e-6; a wrong export gives whole numbers.
EXPORT_TOLERANCE = 1e-4

#: Clips in the check; an odd number that is neither 1 nor the number the graph was traced with.
_CHECK_CLIPS = 3


def export_bundle(network: nn.Module, facts: BundleFacts) -> Bundle:
    """Make a bundle from a network.

    Parameters
    ----------
    network : torch.nn.Module
        Takes float ``(B, 1, N, H, W)`` and gives logits ``(B, K)``, K the length of the vocabulary. Not changed.
    facts : BundleFacts
        Without members and without an f32 variant, which are filled in, as is who wrote it and when.

    Returns
    -------
    Bundle
        In memory; call :meth:`Bundle.save`.

    Raises
    ------
    BundleError
        When the exported network does not agree with torch to :data:`EXPORT_TOLERANCE`, or has another number of
        outputs than the vocabulary has labels.
    """
    network = copy.deepcopy(network).eval().float().cpu()
    onnx = to_onnx(network, facts.clip_shape)
    check_onnx(network, onnx, facts.clip_shape, len(facts.vocabulary))
    weights = {name: tensor.detach().contiguous().clone() for name, tensor in network.state_dict().items()}
    members = {WEIGHTS_NAME: safetensors.torch.save(weights), ONNX_NAME: onnx}
    kept = tuple(v for v in facts.variants if v.precision != "f32" and set(v.files) <= {ONNX_NAME})
    f32 = facts.variant("f32") or Variant("f32", ())
    facts = replace(
        facts,
        variants=(replace(f32, files=(ONNX_NAME,)), *kept),
        created=facts.created or datetime.now(UTC).isoformat(timespec="seconds"),
        made_by=f"echoplane {echoplane.__version__}",
    )
    return Bundle.create(facts, members)


def add_variant(bundle: Bundle, variant: Variant, files: Mapping[str, bytes]) -> Bundle:
    """Return a copy of a bundle with one more precision, or with another in the place of the one it had.

    Parameters
    ----------
    bundle : Bundle
    variant : Variant
        Its `files` are the names in `files`, or names that the bundle has already.
    files : mapping of str to bytes
    """
    others = tuple(v for v in bundle.facts.variants if v.precision != variant.precision)
    members = {name: bundle.read(name) for name in bundle.facts.members}
    return Bundle.create(replace(bundle.facts, variants=(*others, variant)), {**members, **files})


def to_onnx(network: nn.Module, clip_shape: tuple[int, int, int]) -> bytes:
    """Export a network in eval mode to one ONNX file, with input ``clips`` (any, 1, N, H, W) and output ``logits``."""
    need("onnxscript", "train", "export a network to ONNX")
    clips = torch.zeros(2, 1, *clip_shape)
    any_number = torch.export.Dim("clips", min=1, max=4096)
    # The exporter warns about its own internals, and logs each step.
    noisy = logging.getLogger("torch.onnx")
    level = noisy.level
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder, torch.no_grad():
        warnings.simplefilter("ignore")
        noisy.setLevel(logging.ERROR)
        try:
            path = Path(folder) / ONNX_NAME
            torch.onnx.export(
                network,
                (clips,),
                path,
                input_names=["clips"],
                output_names=["logits"],
                dynamic_shapes=({0: any_number},),
                dynamo=True,
                external_data=False,
                verbose=False,
            )
            return path.read_bytes()
        finally:
            noisy.setLevel(level)


def check_onnx(network: nn.Module, onnx: bytes, clip_shape: tuple[int, int, int], n_views: int) -> float:
    """Compare the logits of torch and of the ONNX file run by OpenVINO in f32, on random clips.

    Returns
    -------
    float
        The largest difference, relative to the largest logit where that is above 1.

    Raises
    ------
    BundleError
        Above :data:`EXPORT_TOLERANCE`, or for another shape than ``(B, n_views)``.
    """
    clips = np.random.default_rng(0).normal(size=(_CHECK_CLIPS, 1, *clip_shape)).astype(np.float32)
    with torch.no_grad():
        expected: FloatArray = network(torch.from_numpy(clips)).numpy()
    got = _run_openvino(onnx, clips)
    if got.shape != expected.shape or got.shape[1] != n_views:
        raise BundleError(
            f"the network gives {expected.shape[1]} logits and its export {got.shape[1]}, and the vocabulary has "
            f"{n_views} labels."
        )
    difference = float(np.abs(got - expected).max() / max(1.0, np.abs(expected).max()))
    if not difference <= EXPORT_TOLERANCE:
        raise BundleError(
            f"the exported network differs from torch by {difference:.2g} (allowed {EXPORT_TOLERANCE:g}); "
            "this network cannot be put into a bundle."
        )
    return difference


def _run_openvino(onnx: bytes, clips: FloatArray) -> FloatArray:

    core = openvino_core()
    settings = {"INFERENCE_PRECISION_HINT": "f32", "ENABLE_CPU_PINNING": False}
    compiled: Any = core.compile_model(core.read_model(onnx), "CPU", settings)
    logits: FloatArray = compiled(clips)[0]
    return logits
