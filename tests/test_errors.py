import inspect

import pytest

from echoplane import errors
from echoplane.records import Status

ALL = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, Exception)]


@pytest.mark.parametrize("cls", ALL)
def test_every_error_is_in_the_tree_and_drawn_there(cls: type) -> None:
    assert issubclass(cls, errors.EchoplaneError)
    if not cls.__name__.startswith("_"):
        assert cls.__name__ in (errors.__doc__ or "")


@pytest.mark.parametrize("cls", [c for c in ALL if issubclass(c, errors.ReadError | errors.PrepareError)])
def test_file_errors_carry_a_status_that_a_row_can_have(cls: type[errors.ReadError]) -> None:
    error = cls("a/b.dcm", "Something is wrong.", "Do this.")
    assert Status(error.status)
    assert str(error) == "a/b.dcm: Something is wrong. Do this."
    assert error.sentence == "Something is wrong. Do this."


def test_usage_errors_are_value_errors() -> None:
    assert issubclass(errors.UsageError, ValueError)
    assert issubclass(errors.MissingExtraError, ImportError)
