import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoplane.prepare.geometry import allowed_reduction, pixel_crop, wanted_crop
from echoplane.prepare.recipe import RECIPES, PrepareRecipe
from echoplane.records import Sector, SectorKind

SIDES = st.integers(1, 1500)


@st.composite
def sectors(draw: st.DrawFn) -> Sector:
    x0, y0 = draw(st.integers(0, 900)), draw(st.integers(0, 900))
    return Sector(SectorKind.FULL, (x0, y0, x0 + draw(st.integers(1, 900)), y0 + draw(st.integers(1, 900))))


@given(sectors(), st.integers(1, 300), st.integers(1, 300), st.floats(0, 0.3))
def test_sector_crop_holds_the_box_and_keeps_proportions(
    sector: Sector, rows: int, columns: int, margin: float
) -> None:
    recipe = PrepareRecipe(size=(rows, columns), margin=margin)
    x0, y0, x1, y1 = wanted_crop(recipe, sector, 2000, 2000)
    box = sector.box
    assert x0 <= box[0] + 1e-6
    assert y0 <= box[1] + 1e-6
    assert x1 >= box[2] - 1e-6
    assert y1 >= box[3] - 1e-6
    assert (x1 - x0) * rows == pytest.approx((y1 - y0) * columns)
    assert (x0 + x1) / 2 == pytest.approx((box[0] + box[2]) / 2)
    assert (y0 + y1) / 2 == pytest.approx((box[1] + box[3]) / 2)


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (600, 800, (250, 150, 550, 450)),
        (434, 636, (168, 67, 468, 367)),
        (301, 303, (2, 0, 302, 300)),  # 1.5 goes to 2, 0.5 to 0
        (200, 100, (-100, -50, 200, 250)),
    ],
)
def test_center_crop(height: int, width: int, expected: tuple[int, ...]) -> None:
    sector = Sector(SectorKind.FULL, (0, 0, width, height))
    assert wanted_crop(RECIPES["reference"], sector, height, width) == expected


def test_no_crop_is_the_frame() -> None:
    assert wanted_crop(PrepareRecipe(crop="none"), Sector(SectorKind.FULL, (3, 3, 5, 5)), 60, 80) == (0, 0, 80, 60)


@given(st.floats(1, 3000), st.integers(8, 256), st.floats(1, 2))
def test_reduction_keeps_detail(side: float, target: int, detail: float) -> None:
    recipe = PrepareRecipe(size=(target, target), min_detail=detail)
    reduction = allowed_reduction(recipe, (0, 0, side, side))
    assert reduction in (1, 2, 4, 8)
    assert reduction == 1 or side / reduction >= detail * target
    assert reduction == 8 or side / (2 * reduction) < detail * target


def test_exact_recipes_are_never_reduced() -> None:
    assert allowed_reduction(RECIPES["reference"], (0, 0, 5000, 5000)) == 1


@given(st.floats(-500, 2000), st.floats(-500, 2000), st.floats(0.1, 2000), st.sampled_from([1, 2, 4, 8]))
def test_pixel_crop_stays_square_and_near(x: float, y: float, side: float, pitch: int) -> None:
    x0, y0, x1, y1 = pixel_crop((x, y, x + side, y + side), pitch)
    assert abs((x1 - x0) - (y1 - y0)) <= 1  # float rounding of the two sides of one square
    assert x1 > x0
    assert abs(x0 * pitch - x) <= pitch / 2 + 1e-6
    assert abs(y0 * pitch - y) <= pitch / 2 + 1e-6
