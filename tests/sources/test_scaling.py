import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from echoplane.sources.scaling import Scaling, choose_scaling, spread


@pytest.mark.parametrize(
    ("samples", "low", "high"),
    [
        (np.array([0, 255], np.uint8), 0, 255),
        (np.array([0, 200], np.uint16), 0, 255),
        (np.array([0, 256], np.uint16), 0, 511),
        (np.array([3, 4095], np.uint16), 0, 4095),
        (np.array([0, 65535], np.int32), 0, 65535),
        (np.array([-5, 10], np.int16), -5, 10),
        (np.array([0.0, 1.0]), 0, 1),
        (np.array([0.0, 254.5], np.float32), 0, 255),
        (np.array([0.0, 255 * np.float64(np.float32(1 / 255))]), 0, 1),  # a rounded scale factor
        (np.array([-1e-7, 1.0000001], np.float32), 0, 1),
        (np.array([-1e-5, 255.0001], np.float32), 0, 255),
        (np.array([0.0, 1.05]), 0, 1.05),  # overshoots of a resized picture, and no black one
        (np.array([-0.03, 1.05]), -0.03, 1.05),
        (np.array([-1.0, 1.0]), -1, 1),
        (np.array([0.0, 1000.0]), 0, 1000),
        (np.array([True, False]), 0, 1),
    ],
)
def test_the_table(samples, low, high):
    scaling = choose_scaling([samples])
    assert (scaling.low, scaling.high) == (low, high)
    assert bool(scaling.note) == (samples.dtype != np.uint8)


@given(hnp.arrays(st.sampled_from([np.uint16, np.int16, np.int32, np.float32]), (3, 4, 4)))
def test_the_map_is_linear_rounded_and_clipped(samples):
    scaling = choose_scaling([samples])
    got = scaling.apply(samples)
    wide = np.nan_to_num(samples.astype(float), nan=scaling.low, posinf=scaling.high, neginf=scaling.low)
    span = scaling.high - scaling.low
    if not np.isfinite(span):  # two floats further apart than a float can say
        return
    expected = (wide - scaling.low) / span * 255 if span > 0 else np.zeros_like(wide)
    assert got.dtype == np.uint8
    assert np.abs(got - np.clip(expected, 0, 255)).max() <= 0.51


@given(hnp.arrays(np.uint8, (2, 3, 3)))
def test_eight_bits_stay_as_they_are(samples):
    assert choose_scaling([samples]).apply(samples) is samples


def test_extremes_come_from_all_parts_and_the_rest_is_clipped():
    scaling = choose_scaling([np.array([5, 9], np.uint16), np.array([300], np.uint16)])
    assert scaling.high == 511
    assert scaling.apply(np.array([511, 60000], np.uint16)).tolist() == [255, 255]


def test_nan_becomes_black_and_one_value_alone_divides_by_nothing():
    samples = np.array([np.nan, 0.5, np.inf], np.float32)
    assert choose_scaling([samples]).apply(samples).tolist() == [0, 128, 255]
    flat = np.full(3, 7000.5)
    assert choose_scaling([flat]).apply(flat).tolist() == [0, 0, 0]
    nothing = np.full(3, np.nan)
    assert choose_scaling([nothing]).apply(nothing).tolist() == [0, 0, 0]


@pytest.mark.parametrize("parts", [[], [np.array(["a"])], [np.array([1j])]])
def test_what_cannot_be_scaled(parts):
    with pytest.raises(ValueError, match="samples"):
        choose_scaling(parts)


def test_spread_has_both_ends():
    assert spread(1) == [0]
    assert spread(3) == [0, 1, 2]
    assert spread(100, 5)[0] == 0
    assert spread(100, 5)[-1] == 99
    assert len(spread(100, 5)) == 5
    assert Scaling().note == ""
