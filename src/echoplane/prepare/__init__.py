"""Cine to prepared Cine: find the sector, black out the rest, crop, resize. A recipe is data."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from echoplane.prepare.frames import prepare
    from echoplane.prepare.recipe import RECIPES, PrepareRecipe, recipe_named
    from echoplane.prepare.sector import find_sector

__all__ = ["RECIPES", "PrepareRecipe", "find_sector", "prepare", "recipe_named"]

# Loaded when first used: `import echoplane` must not pay for OpenCV.
_HOMES = {
    "RECIPES": "echoplane.prepare.recipe",
    "PrepareRecipe": "echoplane.prepare.recipe",
    "recipe_named": "echoplane.prepare.recipe",
    "find_sector": "echoplane.prepare.sector",
    "prepare": "echoplane.prepare.frames",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'echoplane.prepare' has no attribute {name!r}")
