"""A bundle's network as plain files for other programs, with a description of what they need to know."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Literal

import msgspec

from echoplane import config
from echoplane._files import atomic_write
from echoplane.errors import BundleError, UsageError
from echoplane.models.bundle import Bundle
from echoplane.models.bundle_facts import BundleFacts, Variant
from echoplane.models.openvino_core import openvino_core

ExportFormat = Literal["onnx", "openvino"]
FORMATS: tuple[ExportFormat, ...] = ("onnx", "openvino")


def export_network(
    bundle: Bundle, folder: str | Path, form: str = "onnx", precision: str = "f32", *, force: bool = False
) -> list[Path]:
    """Write a bundle's network into a folder.

    Parameters
    ----------
    bundle : Bundle
    folder : str or Path
        Made if needed.
    form : {"onnx", "openvino"}
        ONNX is f32. OpenVINO is an ``.xml`` and a ``.bin``; in bf16 these are the f32 weights, and whoever compiles
        them sets ``INFERENCE_PRECISION_HINT`` to ``bf16``, as the description says.
    precision : {"f32", "bf16", "int8"}
    force : bool
        Replace files that are there.

    Returns
    -------
    list of Path
        The network, and ``<name>-<precision>.<form>.json``: shape and normalisation of the input, labels of the
        output, calibration, and the accuracy and time that were measured for this precision.

    Raises
    ------
    UsageError
        Another format, a precision that the format or the bundle does not have, or files that are there already.
    BundleError
        When the network cannot be read.
    """
    variant = _variant(bundle, form, precision)
    name = f"{bundle.name}-{precision}"
    endings = (".onnx",) if form == "onnx" else (".xml", ".bin")
    # The description says how to compile this format, so that each format has its own.
    paths = [Path(folder) / f"{name}{ending}" for ending in (*endings, f".{form}.json")]
    there = [path for path in paths if path.exists()]
    if there and not force:
        raise UsageError(f"{there[0]}: is there already; use --force to replace it.")
    Path(folder).mkdir(parents=True, exist_ok=True)
    files = [bundle.read(member) for member in variant.files]
    if form == "openvino" and len(files) == 1:
        files = _converted(files[0], bundle.where)
    about = _description(bundle, variant, form, precision)
    for path, data in zip(paths, [*files, about], strict=True):
        with atomic_write(path, "wb") as stream:
            stream.write(data)
    return paths


def _variant(bundle: Bundle, form: str, precision: str) -> Variant:
    if form not in FORMATS:
        raise UsageError(f"format {form!r}: choose one of {', '.join(FORMATS)}.")
    if form == "onnx" and precision != "f32":
        raise UsageError(f"precision {precision}: ONNX is written in f32 alone; use --to openvino.")
    if precision not in ("f32", "bf16", "int8"):
        raise UsageError(f"precision {precision!r}: choose one of f32, bf16, int8.")
    variant = bundle.facts.variant(precision)
    if variant is None and precision == "bf16":
        variant = bundle.facts.variant("f32")
    if variant is None:
        have = ", ".join(v.precision for v in bundle.facts.variants)
        raise UsageError(
            f"precision {precision}: {bundle.where} has {have}. `echoplane bundle variants` makes int8 of stored clips."
        )
    return variant


def _converted(onnx: bytes, where: str) -> list[bytes]:
    import openvino

    try:
        model = openvino_core().read_model(onnx)
    except RuntimeError as error:
        raise BundleError(f"{where}: OpenVINO cannot read the network ({type(error).__name__}).") from error
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.xml"
        openvino.save_model(model, path, compress_to_fp16=False)
        return [path.read_bytes(), path.with_suffix(".bin").read_bytes()]


def _description(bundle: Bundle, variant: Variant, form: str, precision: str) -> bytes:
    facts = bundle.facts
    measured = facts.variant(precision)
    about: dict[str, Any] = {
        "bundle": facts.name,
        "bundle_hash": bundle.hash,
        "format": form,
        "precision": precision,
        "input": _input(facts),
        "output": {"name": "logits", "shape": [-1, len(facts.vocabulary)], "labels": list(facts.vocabulary)},
        "calibration": {
            "how": "softmax(logit * scale + shift), then the mean over the clips of a cine",
            **config.to_mapping(facts.calibration),
        },
        "accuracy": measured.accuracy if measured else None,
        "milliseconds_a_clip": measured.milliseconds if measured else None,
        "measured_on": measured.note if measured else "",
        "licence": facts.licence,
    }
    if form == "openvino":
        # Left to itself OpenVINO runs f32 networks in bf16 where the processor has it.
        about["compile_with"] = {"INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32"}
    return msgspec.json.format(msgspec.json.encode(about), indent=1) + b"\n"


def _input(facts: BundleFacts) -> dict[str, Any]:
    return {
        "name": "clips",
        "shape": [-1, 1, *facts.clip_shape],
        "axes": "clips, 1, frames, height, width",
        "values": f"(grey / 255 - {facts.recipe.mean:g}) / {facts.recipe.std:g}, grey in 0..255",
        "prepare": config.to_mapping(facts.recipe),
        "sampling": config.to_mapping(facts.sampling),
    }
