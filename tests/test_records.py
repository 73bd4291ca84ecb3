import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoplane.records import CineKind, SamplingPlan, Sector, SectorKind, Status, ViewResult


def fan(**changes: object) -> Sector:
    settings = dict(kind=SectorKind.PHASED, box=(0, 0, 400, 300), apex=(200.0, 10.0), r0=20.0, r1=250.0,
                    left=-0.7, right=0.6, confidence=0.9, origin="given")  # fmt: skip
    return Sector(**{**settings, **changes})  # type: ignore[arg-type]


def test_fan_area_is_that_of_geometry() -> None:
    area = 0.5 * (250**2 - 20**2) * (0.6 + 0.7)
    assert fan().mask(300, 400).sum() == pytest.approx(area, rel=0.005)


def test_fan_has_left_and_right_the_right_way_round() -> None:
    mask = fan(left=0.1, right=0.6).mask(300, 400)
    assert mask[:, 200:].any()
    assert not mask[:, :200].any()


def test_a_fan_upside_down_is_turned_within_its_crop() -> None:
    standing = fan(left=math.pi - 0.6, right=math.pi + 0.7, apex=(200.0, 260.0), box=(20, 30, 380, 270))
    assert standing.upside_down
    assert not fan().upside_down
    assert not Sector(SectorKind.LINEAR, (10, 20, 30, 60), left=3.0, right=4.0).upside_down
    turned = standing.turned((0.0, 10.0, 400.0, 290.0))
    assert not turned.upside_down
    np.testing.assert_array_equal(turned.mask(300, 400)[10:290], standing.mask(300, 400)[10:290][::-1])


@pytest.mark.parametrize("scale", [0.5, 0.25, 2.0])
def test_mask_at_another_scale_covers_the_same_share(scale: float) -> None:
    full, scaled = fan().mask(300, 400), fan().mask(int(300 * scale), int(400 * scale), scale)
    assert scaled.mean() == pytest.approx(full.mean(), rel=0.01)


def test_box_cuts_the_fan_and_is_half_open() -> None:
    mask = Sector(SectorKind.LINEAR, (10, 20, 30, 60)).mask(100, 100)
    assert mask.sum() == 20 * 40
    assert mask[20, 10]
    assert not mask[60, 29]
    assert not fan(box=(0, 0, 150, 300)).mask(300, 400)[:, 150:].any()


def test_plan_lists_each_needed_frame_once() -> None:
    plan = SamplingPlan(np.array([[4, 0, 2], [2, 3, 4]]))
    assert plan.needed == (0, 2, 3, 4)


@given(
    st.sampled_from(list(Status)),
    st.dictionaries(st.text(max_size=8), st.floats(0, 1), max_size=4),
    st.lists(st.text(max_size=30), max_size=3),
    st.one_of(st.none(), st.floats(0, 1)),
)
def test_view_result_survives_json(
    status: Status, probabilities: dict[str, float], reasons: list[str], p: float | None
) -> None:
    result = ViewResult("ü/片.dcm", status, probability=p, probabilities=probabilities, reasons=tuple(reasons),
                        kind=CineKind.B_MODE, sector=fan(right=math.pi / 5),
                        clip_probabilities=((0.25, 0.75),))  # fmt: skip
    assert msgspec.json.decode(msgspec.json.encode(result), type=ViewResult) == result
