"""Settings as frozen dataclasses: from YAML, JSON or ``key=value`` words, with errors that name the nearest key.

msgspec checks the types; this module adds what it leaves out for dataclasses: unknown keys are errors, and every
message says which file and which key.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import types
import typing
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from echoplane._files import atomic_write
from echoplane.errors import ConfigError

T = TypeVar("T")

_NUMBER_FOR_TEXT = re.compile(r"Expected `str[^`]*`, got `(int|float)`")
_QUOTES = (
    '. Text that looks like a number needs quotes: ["0001"]; on a command line, others around the whole word: '
    "'key=[\"0001\"]'."
)


def from_mapping(cls: type[T], data: object, where: str) -> T:
    """Build a dataclass from plain data (dicts, lists, numbers, strings).

    Parameters
    ----------
    cls : dataclass type
    data : object
        Usually a dict as YAML or JSON gives it.
    where : str
        File or option the data come from, for the message.

    Raises
    ------
    ConfigError
        Unknown key (with the nearest known one), wrong type, or a value that the dataclass itself refuses
        (ValueError in ``__post_init__``).
    """
    _refuse_unknown(cls, data, where, path="")
    try:
        return msgspec.convert(data, type=cls, strict=True)
    except (msgspec.ValidationError, ValueError) as error:
        hint = _QUOTES if _NUMBER_FOR_TEXT.search(str(error)) else ""
        raise ConfigError(f"{where}: {error}{hint}") from error


def to_mapping(value: object) -> Any:
    """Return plain data (dicts, lists, numbers, strings) that :func:`from_mapping` turns back into `value`."""
    return msgspec.to_builtins(value, str_keys=True)


def load(cls: type[T], path: str | Path, overrides: Iterable[str] = ()) -> T:
    """Read a YAML or JSON file into a dataclass, after applying ``key.subkey=value`` words.

    Raises
    ------
    ConfigError
        When the file is missing, is no mapping, or does not validate.
    """
    data = load_mapping(path)
    for word in overrides:
        apply_override(data, word)
    return from_mapping(cls, data, str(path))


def load_mapping(path: str | Path) -> dict[str, Any]:
    """Read a YAML or JSON file that holds a mapping.

    Raises
    ------
    ConfigError
        When the file is missing, is not YAML, or holds something else than a mapping.
    """
    import yaml

    try:
        data = yaml.load(Path(path).read_text(encoding="utf-8"), Loader=_yaml()[0])
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}).") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: is not valid YAML: {error}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: holds a {type(data).__name__}, expected 'key: value' lines.")
    return data


def save(value: object, path: str | Path) -> None:
    """Write a dataclass as JSON (``.json``) or YAML (any other ending), atomically."""
    import yaml

    data = to_mapping(value)
    with atomic_write(path) as stream:
        if Path(path).suffix == ".json":
            stream.write(msgspec.json.format(msgspec.json.encode(data), indent=2).decode() + "\n")
        else:
            yaml.dump(data, stream, Dumper=_yaml()[1], sort_keys=False, allow_unicode=True)


def apply_override(data: dict[str, Any], word: str) -> None:
    """Set ``a.b=value`` in nested dicts, in place; the value is read as YAML.

    Raises
    ------
    ConfigError
        When the word has no ``=`` or walks through something that is not a mapping.
    """
    import yaml

    key, separator, text = word.partition("=")
    if not separator or not key:
        raise ConfigError(f"{word!r}: expected key=value, for example fit.epochs=20.")
    *parents, last = key.split(".")
    node = data
    for name in parents:
        child = node.setdefault(name, {})
        if not isinstance(child, dict):
            raise ConfigError(f"{word!r}: {name!r} is a value, not a group of settings.")
        node = child
    try:
        node[last] = yaml.load(text, Loader=_yaml()[0])
    except yaml.YAMLError as error:
        raise ConfigError(f"{word!r}: the value cannot be read as YAML ({' '.join(str(error).split())}).") from error


@cache
def _yaml() -> tuple[Any, Any]:
    """Return PyYAML's safe loader and dumper with the numbers that people write: ``1e-3``, text in YAML 1.1."""
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    class Dumper(yaml.SafeDumper):
        pass

    number = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$")
    for kind in (Loader, Dumper):  # the dumper puts quotes around text that looks so
        kind.add_implicit_resolver("tag:yaml.org,2002:float", number, list("-+.0123456789"))
    return Loader, Dumper


def _refuse_unknown(cls: Any, data: object, where: str, path: str) -> None:
    origin = typing.get_origin(cls)
    if origin in (typing.Union, types.UnionType):
        for option in typing.get_args(cls):
            if dataclasses.is_dataclass(option):
                _refuse_unknown(option, data, where, path)
        return
    if origin in (list, tuple) and isinstance(data, list | tuple) and typing.get_args(cls):
        for i, item in enumerate(data):
            _refuse_unknown(typing.get_args(cls)[0], item, where, f"{path}[{i}]")
        return
    if origin is typing.Literal and data not in typing.get_args(cls):
        known = [str(choice) for choice in typing.get_args(cls)]
        near = difflib.get_close_matches(str(data), known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ConfigError(f"{where}: {path} {data!r}: {hint}known: {', '.join(known)}.")
    if not dataclasses.is_dataclass(cls) or not isinstance(data, Mapping):
        return
    hints = typing.get_type_hints(cls)
    names = [f.name for f in dataclasses.fields(cls) if f.init]
    for key, value in data.items():
        full = f"{path}.{key}" if path else str(key)
        if key not in names:
            near = difflib.get_close_matches(str(key), names, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names)}."
            raise ConfigError(f"{where}: unknown key {full!r}; {hint}")
        _refuse_unknown(hints[key], value, where, full)
