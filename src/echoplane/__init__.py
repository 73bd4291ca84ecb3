"""echoplane: which view of the heart does this echocardiogram clip show?

>>> from echoplane import ViewClassifier                       # doctest: +SKIP
>>> ViewClassifier.load().predict("clip.dcm").view             # doctest: +SKIP
'A4C'

Importing the package is cheap: the names below are loaded when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from echoplane.inference.classifier import ViewClassifier
    from echoplane.records import Cine, ViewResult
    from echoplane.sources.open import open_cine

__all__ = ["Cine", "ViewClassifier", "ViewResult", "__version__", "open_cine"]

__version__ = "0.1.0.dev0"

_HOMES = {
    "Cine": "echoplane.records",
    "ViewClassifier": "echoplane.inference.classifier",
    "ViewResult": "echoplane.records",
    "open_cine": "echoplane.sources.open",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'echoplane' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
