"""What a bundle answers, and what it makes of labels, is what its recipe said."""

from pathlib import Path
from typing import Any

import pytest

from echoplane.training.fit import fit
from echoplane.training.pack import pack

STORED = ("A4C", "PLAX", "DOPPLER", "PSAX")


@pytest.mark.parametrize(
    ("views", "answers", "offered"),
    [
        ("[]", "[]", ("A4C",)),
        ("[A4C, PLAX, DOPPLER]", "[]", ("A4C", "PLAX")),
        ("[A4C, PLAX, DOPPLER]", "[PLAX]", ("PLAX",)),
        ("[Vierkammer, other]", "[]", ("Vierkammer",)),
    ],
)
def test_what_is_answered(
    make_store: Any, make_recipe: Any, tmp_path: Path, views: str, answers: str, offered: tuple[str, ...]
) -> None:
    labels = "{A4C: Vierkammer, PLAX: other, DOPPLER: ''}" if "other" in views else "{}"
    recipe = make_recipe(make_store(labels=STORED[:3]), views=views, answers=answers, labels=labels, fit__epochs=1)
    bundle = pack(fit(recipe, tmp_path / "run"), tmp_path / "bundle")
    assert bundle.facts.answers == offered
    assert bundle.facts.labels == ({"A4C": "Vierkammer", "PLAX": "other"} if "other" in views else {})
