"""Verifying a bundle reads all of it and runs its network."""

from dataclasses import replace

import pytest

from echoplane.errors import BundleError
from echoplane.models.bundle import Bundle
from echoplane.models.bundle_facts import Variant
from echoplane.pipelines.bundle import verify
from echoplane.sampling.rule import SamplingRule


def test_a_sound_bundle_runs_in_each_precision(toy_bundle):
    variants = (Variant("bf16", ("model.onnx",)), Variant("f32", ("model.onnx",)))
    report = verify(toy_bundle(variants=variants))
    assert list(report.runs) == ["f32", "bf16"]
    assert report.runs["f32"] == "runs"
    assert "of f32 on random clips" in report.runs["bf16"] or "not run" in report.runs["bf16"]
    assert report.strangers == ()


def test_a_network_without_finite_numbers_is_found(toy_bundle):
    with pytest.raises(BundleError, match="not finite"):
        verify(toy_bundle(shift=(float("nan"), 0.0, 0.0)))


def test_a_size_of_clips_that_is_not_the_networks_is_no_reason_to_draw_them(toy_bundle):
    made = toy_bundle()
    huge = replace(made.facts, sampling=SamplingRule(kind="every_kth", frames=10**9))
    with pytest.raises(BundleError, match="the network takes clips"):
        verify(Bundle.create(huge, {"model.onnx": made.read("model.onnx")}))
