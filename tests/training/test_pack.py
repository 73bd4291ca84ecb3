"""What a bundle answers, and what it makes of labels, is what its recipe said."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from echoplane.data.split import Split
from echoplane.errors import DataError, UsageError
from echoplane.inference.engine import load_engine
from echoplane.metrics.predictions import Predictions
from echoplane.pipelines.answer import answer_store
from echoplane.prepare.recipe import LEGACY
from echoplane.store import StoreReader, StoreRow, StoreWriter, open_stores
from echoplane.training.fit import fit
from echoplane.training.pack import pack
from echoplane.training.recipe import load_recipe

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
    assert bundle.facts.labels == ({"A4C": "Vierkammer", "PLAX": "other", "DOPPLER": ""} if "other" in views else {})
    # The run made again from its folder answers the same.
    again = pack(fit(load_recipe(tmp_path / "run" / "recipe.yaml"), tmp_path / "again"), tmp_path / "bundle-again")
    assert again.facts.offered == bundle.facts.offered == offered


def test_evaluation_counts_labels_as_training_did(make_store: Any, make_recipe: Any, tmp_path: Path) -> None:
    store = make_store(labels=STORED)
    soft = {"PSAX-MV": 0.4, "A2C": 0.35, "A4C": 0.25}
    prepare, rng = StoreReader(store).info.recipe, np.random.default_rng(3)
    with StoreWriter(tmp_path / "soft", recipe=prepare, views=tuple(soft), height=32, width=32) as writer:
        for n in range(6):
            writer.append(
                rng.integers(0, 255, (24, 32, 32), dtype=np.uint8), StoreRow(f"s{n}", shares=soft, group=f"s{n}")
            )
    labels = "{A2C: other, A4C: other, PLAX: {PSAX-MV: 0.6, other: 0.4}, DOPPLER: '', PSAX: [PSAX-MV, other]}"
    recipe = make_recipe(store, tmp_path / "soft", views="[PSAX-MV, other]", labels=labels, fit__epochs=1)
    bundle = pack(fit(recipe, tmp_path / "run"), tmp_path / "bundle")
    trained = Predictions.load(tmp_path / "run" / "validation.npz")
    stores = open_stores([store, tmp_path / "soft"])
    part = Split.load(tmp_path / "run" / "split.csv").cines("validation")
    answers = answer_store(bundle, load_engine(bundle), stores, keep=lambda row: row.cine in part)
    cines = answers.predictions.cines
    assert dict(zip(cines, answers.predictions.y_true, strict=True)) == dict(
        zip(trained.cines, trained.y_true, strict=True)
    )
    assert {1, 0} == set(trained.y_true)
    assert any(cine.startswith("s") for cine in cines)
    assert any(cine.endswith("PLAX") for cine in cines)
    assert answers.left_out.keys() == {"label 'PSAX' may be one of several views"}
    everything = answer_store(bundle, load_engine(bundle), stores)
    assert "label 'DOPPLER' was left out of the training" in everything.left_out


def test_answers_that_the_stores_do_not_have_are_refused_before_training(
    make_store: Any, make_recipe: Any, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="answers A4X: not among the views of the stores"):
        fit(make_recipe(make_store(), answers="[A4X]"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_old_clips_of_unknown_preparation_are_not_trained_on(make_recipe: Any, tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "s", recipe=dict(LEGACY), views=("A2C", "A4C"), height=32, width=32) as writer:
        for n in range(8):
            row = StoreRow(f"c{n}", label=("A2C", "A4C")[n % 2], group=f"p{n}")
            writer.append(np.full((20, 32, 32), 20 * n, np.uint8), row)
    with pytest.raises(DataError, match="does not say how its frames were prepared"):
        fit(make_recipe(tmp_path / "s"), tmp_path / "run")


def test_a_bundle_does_not_call_patients_what_stands_for_them(
    make_store: Any, make_recipe: Any, tmp_path: Path
) -> None:
    info = StoreReader(make_store()).info
    known = StoreReader(tmp_path / "store")
    with StoreWriter(tmp_path / "bare", recipe=info.recipe, views=info.views, height=32, width=32) as writer:
        for i, row in enumerate(known.rows):
            writer.append(known.frames(i), StoreRow(row.cine, label=row.label, study=row.group, fps=30.0))
    said = {}
    for name in ("store", "bare"):
        result = fit(make_recipe(tmp_path / name, fit__epochs=1), tmp_path / f"run-{name}")
        said[name] = pack(result, tmp_path / f"bundle-{name}").facts.metrics[0].on
    assert Predictions.load(tmp_path / "run-bare" / "validation.npz").people() == "2 studies (no patient known)"
    assert said["store"].endswith("chose the epoch")
    assert said["bare"].endswith("chose the epoch; of 2 studies (no patient known)")
