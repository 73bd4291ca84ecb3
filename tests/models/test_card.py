"""The card says what the facts say, and names what they lack."""

from collections.abc import Callable
from dataclasses import replace

from echoplane.metrics.conformal import ConformalSets
from echoplane.models.bundle import CARD_NAME, Bundle
from echoplane.models.bundle_facts import DataUse, Metric, Thresholds, Variant
from echoplane.models.card import model_card, with_card


def test_nothing_known_is_said(toy_bundle: Callable[..., Bundle]) -> None:
    card = model_card(toy_bundle().facts)
    for sentence in ("Nothing was measured", "Not written down.", "never: no threshold is set", "not measured",
                     "the network's own", "Licence of the weights: not given"):  # fmt: skip
        assert sentence in card


def test_all_that_is_known_is_said(toy_bundle: Callable[..., Bundle]) -> None:
    bundle = toy_bundle(
        licence="MIT",
        data=(DataUse("clinic | west", "CC0-1.0", "training", 120, 30, "read by two"),),
        metrics=(Metric("accuracy", 0.914, 0.88, 0.95, "other patients", cines=40, groups=10),),
        thresholds=Thresholds(0.6, {"A4C": 0.7}, "energy", -3.25, "them"),
        calibrated_on="them",
        conformal=(ConformalSets(0.95, (0.8,), 40),),
        variants=(Variant("f32", ("model.onnx",), 0.914, 3.456, "them; a processor, one thread"),),
    )
    card = model_card(bundle.facts)
    for sentence in (
        "| accuracy | 0.914 | 0.880 to 0.950 | 95% | 40 | 10 | other patients |",
        "| clinic / west | training | 120 | 30 | CC0-1.0 | read by two |",
        "below a probability of 0.60; A4C below 0.70; energy score above -3.25",
        "95% (40 cines)",
        "| f32, the one that is run | 0.914 | 3.46 | them; a processor, one thread |",
        "Licence of the weights: MIT",
        "- Answers: A2C, A4C",
        "calls `other`: PLAX",
    ):
        assert sentence in card


def test_a_card_follows_its_facts(toy_bundle: Callable[..., Bundle]) -> None:
    first = with_card(toy_bundle(notes=("Early.",)))
    assert "Early." in first.read(CARD_NAME).decode()
    members = {name: first.read(name) for name in first.facts.members}
    second = with_card(Bundle.create(replace(first.facts, notes=("Late.",)), members))
    assert "Late." in second.read(CARD_NAME).decode()
    assert "Early." not in second.read(CARD_NAME).decode()
    assert set(second.facts.members) == set(first.facts.members)
