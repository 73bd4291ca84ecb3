"""Verifying a bundle reads all of it and runs its network."""

import sys
from dataclasses import replace

import pytest
import torch

from echoplane.errors import BundleError, UsageError
from echoplane.models.bundle import WEIGHTS_NAME, Bundle
from echoplane.models.bundle_facts import BundleFacts, NetworkSpec, Variant
from echoplane.models.export import export_bundle
from echoplane.models.registry import build
from echoplane.pipelines.bundle import verify, with_sampling
from echoplane.prepare.recipe import PrepareRecipe
from echoplane.sampling.rule import RULES, SamplingRule


def test_a_sound_bundle_runs_in_each_precision(toy_bundle):
    variants = (Variant("bf16", ("model.onnx",)), Variant("f32", ("model.onnx",)))
    report = verify(toy_bundle(variants=variants))
    assert list(report.runs) == ["f32", "bf16"]
    assert report.runs["f32"] == "runs"
    assert "of f32 on random clips" in report.runs["bf16"] or "not run" in report.runs["bf16"]
    assert report.strangers == ()


def test_another_sampling_rule_of_as_many_frames(toy_bundle):
    old = toy_bundle(sampling=SamplingRule(kind="sliding", frames=10, stride=10, max_clips=1))
    made = with_sampling(old, "reference")
    assert made.facts == replace(old.facts, sampling=RULES["reference"], members=made.facts.members)
    assert made.read("model.onnx") == old.read("model.onnx")
    with pytest.raises(UsageError, match=r"'default' makes clips of 16 frames, and .* trained on 10"):
        with_sampling(old, "default")
    with pytest.raises(UsageError, match="known: default, reference"):
        with_sampling(old, "mine")


def test_a_network_without_finite_numbers_is_found(toy_bundle):
    with pytest.raises(BundleError, match="not finite"):
        verify(toy_bundle(shift=(float("nan"), 0.0, 0.0)))


def test_a_size_of_clips_that_is_not_the_networks_is_no_reason_to_draw_them(toy_bundle):
    made = toy_bundle()
    huge = replace(made.facts, sampling=SamplingRule(kind="every_kth", frames=10**9))
    with pytest.raises(BundleError, match="the network takes clips"):
        verify(Bundle.create(huge, {"model.onnx": made.read("model.onnx")}))


def exported(seed):
    torch.manual_seed(seed)
    recipe = PrepareRecipe(mask=False, crop="none", size=(16, 16))
    rule = SamplingRule(kind="every_kth", frames=4)
    facts = BundleFacts("b", ("A2C", "A4C"), NetworkSpec("compact3d-s"), recipe, rule)
    network = build("compact3d-s", 2)
    for block in network.features[1:]:
        torch.nn.init.normal_(block.norm2.weight)
    return export_bundle(network, facts)


def test_weights_are_those_of_the_network():
    report = verify(exported(1))
    assert "logits within" in report.runs["torch"]


def test_weights_of_another_network_are_found_though_every_hash_is_right():
    one, other = exported(1), exported(2)
    members = {name: one.read(name) for name in one.facts.members} | {WEIGHTS_NAME: other.read(WEIGHTS_NAME)}
    with pytest.raises(BundleError, match="not of one training"):
        verify(Bundle.create(one.facts, members))


def test_without_torch_it_is_said_that_weights_were_not_compared(monkeypatch):
    made = exported(1)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert "torch is not installed" in verify(made).runs["torch"]
