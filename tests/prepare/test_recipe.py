import numpy as np
import pytest

from echoplane.config import from_mapping, to_mapping
from echoplane.errors import ConfigError, UsageError
from echoplane.prepare import RECIPES, PrepareRecipe, recipe_named


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_survive_the_bundle(name: str) -> None:
    recipe = RECIPES[name]
    assert recipe.name == name
    assert from_mapping(PrepareRecipe, to_mapping(recipe), "bundle.json") == recipe


def test_reference_is_the_one_of_the_thesis() -> None:
    recipe = recipe_named("reference")
    assert (recipe.crop, recipe.crop_size, recipe.size) == ("center", (300, 300), (100, 100))
    assert (recipe.mean, recipe.std, recipe.interpolation) == (0.213303, 0.21379, "lanczos")
    assert not recipe.mask
    assert recipe.decode == "exact"


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"name": "a b"}, "name"),
        ({"crop": "center"}, "crop_size"),
        ({"crop_size": (10, 10)}, "crop_size"),
        ({"size": (0, 112)}, "size"),
        ({"size": (112, 100_000)}, "size"),
        ({"crop": "center", "crop_size": (0, 3)}, "crop_size"),
        ({"margin": 0.5}, "margin"),
        ({"min_detail": 0.5}, "min_detail"),
        ({"min_detail": float("nan")}, "min_detail"),
        ({"std": 0.0}, "std"),
        ({"std": float("nan")}, "std"),
        ({"std": 1e300}, "std"),
        ({"mean": 1e300}, "mean"),
        ({"mean": float("nan")}, "mean"),
        ({"min_detail": float("inf")}, "min_detail"),
    ],
)
def test_nonsense_is_refused_by_name(change: dict[str, object], word: str) -> None:
    with pytest.raises(UsageError, match=word):
        PrepareRecipe(**change)  # type: ignore[arg-type]


def test_unknown_recipe_lists_the_known() -> None:
    with pytest.raises(UsageError, match="reference-swapped"):
        recipe_named("refrence")


def test_unknown_word_in_a_bundle_is_refused() -> None:
    with pytest.raises(ConfigError, match="interpolation"):
        from_mapping(PrepareRecipe, {"interpolation": "bicubik"}, "bundle.json")


def test_normalise_is_the_formula() -> None:
    recipe = PrepareRecipe(mean=0.213303, std=0.21379)
    values = np.arange(256, dtype=np.uint8).reshape(2, 1, 16, 8)
    got = recipe.normalise(values)
    assert got.dtype == np.float32
    assert got.shape == values.shape
    expected = (values.astype(np.float64) / 255 - 0.213303) / 0.21379
    np.testing.assert_allclose(got, expected, rtol=0, atol=3e-7)
    np.testing.assert_array_equal(recipe.normalise(values[..., ::-1]), got[..., ::-1])  # a mirror image is a view
    assert recipe.normalise(values[:0]).shape == (0, 1, 16, 8)
