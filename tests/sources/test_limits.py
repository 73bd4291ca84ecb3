import pytest

from echoplane.errors import RefusedError, UsageError
from echoplane.sources.limits import Limits


def test_each_limit_lets_its_own_value_through_and_refuses_one_more():
    limits = Limits(max_pixels=100, max_frames=5, max_bytes=1000)
    limits.check_frame("f", 10, 10)
    limits.check_count("f", 5)
    limits.check_bytes("f", 1000)
    for check in (
        lambda: limits.check_frame("f.dcm", 101, 1),
        lambda: limits.check_count("f.dcm", 6),
        lambda: limits.check_bytes("f.dcm", 1001),
    ):
        with pytest.raises(RefusedError, match=r"f\.dcm.*limit.*raise max_") as caught:
            check()
        assert caught.value.status == "refused"


@pytest.mark.parametrize("name", ["max_pixels", "max_frames", "max_bytes"])
def test_a_limit_below_one_is_a_mistake(name):
    with pytest.raises(UsageError, match=name):
        Limits(**{name: 0})


def test_an_absurd_size_is_called_damage_and_no_number_to_raise_the_limit_to():
    with pytest.raises(RefusedError, match="header is probably damaged") as caught:
        Limits().check_frame("f.dcm", 3_722_445_056, 1024)
    assert "raise" not in str(caught.value)
