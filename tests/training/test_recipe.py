from pathlib import Path

import pytest

from echoplane import config
from echoplane.errors import ConfigError
from echoplane.training.recipe import TrainRecipe, load_recipe, shipped


@pytest.mark.parametrize("name", ["reference", "compact", "quick"])
def test_shipped_recipes_are_valid_commented_and_survive_a_round_trip(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(name, ["data.stores=[a, {path: b, share: 0.5}]"])
    assert [store.path for store in recipe.data.stores] == ["a", "b"]
    assert shipped()[name].read_text(encoding="utf-8").startswith("#")
    config.save(recipe, tmp_path / "r.yaml")
    assert config.load(TrainRecipe, tmp_path / "r.yaml") == recipe


def test_reference_is_the_experiment_of_the_thesis() -> None:
    r = load_recipe("reference")
    assert (r.optimizer.name, r.optimizer.lr, r.schedule.kind, r.schedule.every, r.schedule.gamma) == (
        "adam", 1e-3, "step", 5, 0.8,
    )  # fmt: skip
    assert (r.fit.epochs, r.fit.batch, r.seed, r.data.validation, r.data.clips) == (80, 64, 43, 0.2, "all")
    assert (r.data.rule.frames, r.data.rule.step) == (10, 5)


def test_a_label_may_be_a_view_a_set_or_shares(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("labels: {PLAX: other, PSAX: [PSAX-MV, PSAX-PM], A5C: {A4C: 0.5, other: 0.5}}\n", encoding="utf-8")
    labels = load_recipe(path).labels
    assert labels == {"PLAX": "other", "PSAX": ("PSAX-MV", "PSAX-PM"), "A5C": {"A4C": 0.5, "other": 0.5}}


def test_paths_in_a_file_start_at_the_file(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "r.yaml"
    path.parent.mkdir()
    path.write_text("data: {stores: [../store, s3://b/store], split: s.csv}\n", encoding="utf-8")
    recipe = load_recipe(path)
    assert [s.path for s in recipe.data.stores] == [str(tmp_path / "sub" / "../store"), "s3://b/store"]
    assert recipe.data.split == str(tmp_path / "sub" / "s.csv")
    assert load_recipe(path, ["data.stores=here"]).data.stores[0].path == "here"


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("fit.epoch=3", "unknown key 'fit.epoch'; did you mean 'epochs'"),
        ("fit.epochs=0", "must be at least 1"),
        ("optimizer.lr=-1", "must be above 0"),
        ("optimizer.name=adagrad", "adagrad"),
        ("data.validation=1", r"must lie in \[0, 1\)"),
        ("data.stores=[{path: a, share: 0.7}, {path: b, share: 0.7}]", "more than 1"),
        ("data.sampling=refrence", "no sampling rule is called 'refrence'"),
        ("augment=heavy", "no augmentation is called 'heavy'"),
        ("trackers={comet: {api_key: abc}}", "a key does not belong into a file"),
        ("trackers={wandb: {settings: {api_key: abc}}}", r"trackers\.wandb\.settings\.api_key: a key does not belong"),
        (
            "trackers={mlflow: {tracking_uri: 'http://me:word@host/'}}",
            r"trackers\.mlflow\.tracking_uri: a key does not",
        ),
        ("optimizer.momentum=-0.5", r"optimizer\.momentum -0\.5: must lie in \[0, 1\)"),
        ("schedule.gamma=-1", r"schedule\.gamma -1\.0: must lie in \(0, 1\]"),
        ("schedule.floor=-1", r"schedule\.floor -1\.0: must lie in \[0, 1\]"),
        ("seed=99999999999999999999", r"seed 9+: must be 0 or more, and below 2\*\*63"),
        ("labels={PLAX: {A4C: 0}}", r"labels\.PLAX {'A4C': 0\.0}: shares must be 0 or more, and one above 0"),
        ("labels={PLAX: {A4C: 2, A2C: -1}}", "shares must be 0 or more"),
        ("loss.ordinal=1", r"must lie in \[0, 1\)"),
    ],
)
def test_mistakes_are_named(word: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_recipe("quick", [word])


def test_a_missing_recipe_lists_those_that_ship() -> None:
    with pytest.raises(ConfigError, match="compact, quick, reference"):
        load_recipe("nothing.yaml")


def test_a_negative_seed_and_a_torn_override_are_errors_of_the_recipe() -> None:
    with pytest.raises(ConfigError, match="seed -1: must be 0 or more"):
        load_recipe("quick", ["seed=-1"])
    with pytest.raises(ConfigError, match=r"'data\.stores=\[store': the value cannot be read as YAML"):
        load_recipe("quick", ["data.stores=[store"])


def test_a_name_that_no_bundle_could_have_is_refused_before_training() -> None:
    with pytest.raises(ConfigError, match="name 'my run': use letters"):
        load_recipe("quick", ["name=my run"])


def test_answers_are_among_the_views() -> None:
    assert load_recipe("quick", ["views=[A2C, A4C, PLAX]", "answers=[A2C]"]).answers == ("A2C",)
    with pytest.raises(ConfigError, match="answers A3C: not among the views"):
        load_recipe("quick", ["views=[A2C, A4C]", "answers=[A3C]"])
