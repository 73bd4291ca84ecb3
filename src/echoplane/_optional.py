"""Import optional dependencies late, and say which extra to install when one is missing."""

from __future__ import annotations

import importlib
from typing import Any

from echoplane.errors import MissingExtraError


def need(module: str, extra: str, why: str) -> Any:
    """Import and return an optional module.

    Parameters
    ----------
    module : str
        Dotted name, for example ``"torch"``.
    extra : str
        The extra of this package that brings it, for example ``"train"``.
    why : str
        What it is needed for, to end the sentence "... is needed to <why>".

    Raises
    ------
    MissingExtraError
        When the module is not installed; the message holds the ``pip install`` command.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.split(".")[0]:
            raise
        raise MissingExtraError(
            f'{error.name} is needed to {why}, and is not installed. Run: pip install "echoplane[{extra}]"'
        ) from error
