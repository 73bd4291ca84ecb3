from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from echoplane import config
from echoplane.errors import ConfigError


@dataclass(frozen=True)
class Inner:
    rate: float = 0.1
    names: tuple[str, ...] = ()
    kind: Literal["light", "heavy"] = "light"


@dataclass(frozen=True)
class Outer:
    epochs: int = 3
    inner: Inner = field(default_factory=Inner)
    many: tuple[Inner, ...] = ()
    maybe: Inner | None = None

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ValueError(f"epochs is {self.epochs}, expected 1 or more")


@pytest.mark.parametrize("suffix", [".yaml", ".json"])
def test_round_trip_on_disk(tmp_path: Path, suffix: str) -> None:
    value = Outer(7, Inner(0.5, ("a", "ü")), (Inner(), Inner(2.0)), Inner(1.0))
    config.save(value, tmp_path / f"x{suffix}")
    assert config.load(Outer, tmp_path / f"x{suffix}") == value


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"epoch": 3}, r"unknown key 'epoch'; did you mean 'epochs'"),
        ({"inner": {"rat": 1.0}}, r"'inner\.rat'; did you mean 'rate'"),
        ({"many": [{}, {"nmes": []}]}, r"'many\[1\]\.nmes'; did you mean 'names'"),
        ({"maybe": {"rtae": 1.0}}, r"'maybe\.rtae'"),
        ({"zzz": 1}, r"unknown key 'zzz'; known: epochs, inner"),
        ({"inner": {"kind": "hevy"}}, r"inner\.kind 'hevy': did you mean 'heavy'\? known: light, heavy"),
        ({"many": [{"kind": 3}]}, r"many\[0\]\.kind 3: known: light, heavy"),
        ({"epochs": "three"}, r"Expected `int`"),
        ({"epochs": 0}, r"epochs is 0, expected 1 or more"),
    ],
)
def test_messages_name_the_file_and_the_key(data: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        config.from_mapping(Outer, data, "my.yaml")
    assert str(caught.value).startswith("my.yaml: ")


def test_overrides_are_read_as_yaml(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("epochs: 2\n")
    value = config.load(Outer, tmp_path / "r.yaml", ["epochs=9", "inner.rate=0.25", "inner.names=[x, y]"])
    assert value == Outer(9, Inner(0.25, ("x", "y")))


@pytest.mark.parametrize("word", ["epochs", "=3", "epochs.deep=1"])
def test_bad_override(word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        config.apply_override({"epochs": 1}, word)


def test_the_example_of_an_override_is_a_setting_that_a_recipe_has() -> None:
    with pytest.raises(ConfigError, match=r"'epochs': expected key=value, for example fit\.epochs=20\."):
        config.apply_override({}, "epochs")


def test_a_number_where_text_is_meant_is_told_of_quotes() -> None:
    with pytest.raises(ConfigError, match=r"got `int` - at `\$\.names\[0\]`\. .*needs quotes: \[\"0001\"\]"):
        config.from_mapping(Inner, {"names": [1]}, "words")
    with pytest.raises(ConfigError) as caught:
        config.from_mapping(Inner, {"rate": "fast"}, "words")
    assert "quotes" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"), [("- a", "holds a list"), ("a: [", "not valid YAML"), (None, "cannot be read")]
)
def test_bad_files(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "r.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        config.load_mapping(path)


def test_numbers_are_read_as_people_write_them(tmp_path: Path) -> None:
    """YAML 1.1 reads 1e-3 as text."""
    data: dict[str, object] = {}
    for word in ("a=1e-3", "b=-2.5E+2", "c=1e3x", "d=.5e1", "e='1e-3'"):
        config.apply_override(data, word)
    assert data == {"a": 0.001, "b": -250.0, "c": "1e3x", "d": 5.0, "e": "1e-3"}
    (tmp_path / "x.yaml").write_text("rate: 3e-4\n", encoding="utf-8")
    assert config.load_mapping(tmp_path / "x.yaml") == {"rate": 3e-4}
    config.save(Inner(rate=1e-7, names=("1e5", "12e3.5")), tmp_path / "y.yaml")
    assert config.load(Inner, tmp_path / "y.yaml") == Inner(rate=1e-7, names=("1e5", "12e3.5"))
