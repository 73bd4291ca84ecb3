from dataclasses import replace

import numpy as np
import pytest

from echoplane.explain.cinemap import CineMap
from echoplane.explain.panel import Caption, answer_panel, time_line
from echoplane.explain.render import display_gain, film_strip, frames
from echoplane.explain.tint import AGAINST, FOR, blend, contour
from echoplane.records import Sector, SectorKind

FAN = Sector(SectorKind.PHASED, (20, 10, 180, 150), (100.0, 5.0), 8.0, 140.0, -0.6, 0.6, 1.0, "given")
CAPTION = Caption("clip.dcm", {"A4C": 0.9, "A2C": 0.1}, "A4C", "A4C", 50.0)


def cine(n: int = 5) -> np.ndarray:
    return np.full((n, 160, 200), 90, np.uint8)


def found(n: int = 5, value: float = 1.0) -> CineMap:
    values = np.zeros((n, 32, 32), np.float32)
    values[:, 14:20, 14:20] = value
    return CineMap(values, (20.0, 0.0, 180.0, 160.0), FAN, np.arange(n) % 2 == 0, "Grad-CAM", "A4C")


def test_no_heat_leaves_the_picture_alone_and_heat_has_the_two_colours() -> None:
    grey = np.tile(np.arange(256, dtype=np.uint8), (4, 1))
    np.testing.assert_array_equal(blend(grey, np.zeros((4, 256), np.float32)), np.repeat(grey[..., None], 3, axis=2))
    white = np.full((1, 2), 255, np.uint8)
    full = blend(white, np.array([[1.0, -1.0]], np.float32), strength=1.0)
    np.testing.assert_array_equal(full[0], [FOR, AGAINST])
    # In between, by the rule itself: opacity 0.8 * 0.3 ** 0.8, the colour darkened as the tissue is.
    part = blend(np.full((1, 1), 90, np.uint8), np.full((1, 1), 0.3, np.float32))[0, 0]
    opacity, shade = 0.8 * 0.3**0.8, 0.55 + 0.45 * 90 / 255
    np.testing.assert_allclose(part, [90 * (1 - opacity) + c * shade * opacity for c in FOR], atol=1)


def test_the_contour_runs_where_the_map_is_half_of_its_greatest() -> None:
    ramp = np.repeat(np.linspace(-1, 1, 101, dtype=np.float32)[None], 40, axis=0)
    drawn = contour(np.zeros((40, 101, 3), np.uint8), ramp)[20].any(axis=1)
    marked = set(np.flatnonzero(drawn))
    assert {25, 75} <= marked
    # Besides, only the border of the picture, which closes the lines.
    assert all(min(abs(x - m) for m in (0, 25, 75, 100)) <= 1 for x in marked)


def test_a_few_outliers_do_not_hide_the_rest() -> None:
    values = np.full((10, 10, 10), 0.01, np.float32)
    values[0, 0, 0] = 1
    assert display_gain(values) == pytest.approx(100)
    assert display_gain(np.zeros((2, 2), np.float32)) == 1
    assert display_gain(np.ones((2, 2), np.float32)) == 1


def test_the_ecg_of_a_phantom_has_its_r_wave_where_the_phase_begins_anew() -> None:
    n = 41
    phases = ((np.arange(n) - 20) / 40 % 1).astype(np.float32)  # R wave at frame 20
    plain, _ = time_line(900, found(n), CAPTION)
    strip, cursor = time_line(900, found(n), replace(CAPTION, phases=phases))
    assert len(strip) > len(plain)
    assert CAPTION.at(20) == ", 0.40 s"
    traced = strip[cursor.foot - 30 : cursor.foot - 15].min(axis=2).max(axis=0) > 200  # the upper half of the trace
    columns = np.flatnonzero(traced)
    assert abs(columns.mean() - cursor(20)) < 4


def test_the_view_asked_for_has_its_row_however_unlikely_it_is() -> None:
    views = {f"V{i}": 0.2 - 0.01 * i for i in range(9)}
    small = answer_panel(400, Caption("c", views, "V8"), found())
    other = answer_panel(400, Caption("c", views, "V0"), found())
    assert (small != other).any()


def test_opacity_rises_with_the_map() -> None:
    ramp = np.linspace(0, 1, 50, dtype=np.float32)[None]
    blue = blend(np.full((1, 50), 200, np.uint8), ramp)[0, :, 2].astype(int)
    assert (np.diff(blue) <= 0).all()
    assert blue[0] - blue[-1] > 100


def test_every_frame_has_one_even_size_and_nothing_outside_the_sector() -> None:
    pages = list(frames(cine(), found(), CAPTION))
    assert len(pages) == 5
    assert {p.shape for p in pages} == {pages[0].shape}
    assert pages[0].shape[0] % 2 == pages[0].shape[1] % 2 == 0
    scale = 360 / 160
    outside = pages[0][: int(8 * scale), : int(60 * scale)]
    assert outside.max() == 0
    inside = pages[0][int(100 * scale), int(100 * scale)]
    np.testing.assert_array_equal(inside, [90, 90, 90])


def test_the_map_is_drawn_where_it_lies_and_only_on_the_right() -> None:
    page = next(frames(cine(), found(), CAPTION)).astype(int)
    scale, width = 360 / 160, round(200 * 360 / 160)
    y, x = round(85 * scale), round(102.5 * scale)  # centre of the marked block in the frame
    assert page[y, x].tolist() == [90, 90, 90]
    assert page[y, width + x, 0] > page[y, width + x, 2] + 60
    single = next(frames(cine(), found(), CAPTION, side_by_side=False))
    assert single.shape[1] == pytest.approx(page.shape[1] - width, abs=1)


def test_the_cursor_moves_with_the_frame() -> None:
    pages = list(frames(cine(), found(), CAPTION))
    changed = [np.flatnonzero((pages[0][-40] != p[-40]).any(axis=1)).max(initial=0) for p in pages[1:]]
    assert changed == sorted(changed)
    assert changed[-1] > pages[0].shape[1] * 0.9


@pytest.mark.parametrize("n", [1, 2, 9])
def test_film_strip_of_any_length(n: int) -> None:
    strip = film_strip(cine(n), found(n, -1.0), CAPTION)
    assert strip.ndim == 3
    assert strip.dtype == np.uint8
    assert (strip[..., 2].astype(int) - strip[..., 0] > 60).any()  # against: blue


def test_an_empty_map_can_be_drawn() -> None:
    assert len(list(frames(cine(2), found(2, 0.0), CAPTION))) == 2
