"""Many fans judged at once are each worth what they are worth alone, counted pixel by pixel and point by point."""

import math

import cv2
import numpy as np
import pytest

from echoplane.prepare import sector_judge as sj
from echoplane.prepare.sector_evidence import Evidence
from echoplane.prepare.sector_fan import Fan, boundary_points

HEIGHT, WIDTH = 90, 130


def evidence(rng: np.random.Generator) -> Evidence:
    """A ragged blob with torn-off pieces."""
    region = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.ellipse(region, (60, 10), (55, 70), 0, 30, 150, 1, -1)
    live = (region > 0) & (rng.random(region.shape) > 0.2)
    stray = (region == 0) & (rng.random(region.shape) > 0.99)
    contours, _ = cv2.findContours(live.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    points = np.concatenate(contours)[:, 0, :]
    hull = np.zeros_like(region)
    cv2.fillConvexPoly(hull, cv2.convexHull(points), 1)
    return Evidence(live, stray, points.astype(np.float32), np.zeros(len(points), bool), hull > 0)


def fans(rng: np.random.Generator, count: int) -> list[Fan]:
    """Fans inside, across and around the frame, some cut off by a box; and boxes."""
    made = []
    for _ in range(count):
        r1 = rng.uniform(8, 120)
        r0 = rng.choice([0, rng.uniform(0, r1 - 2)])
        left, right = np.deg2rad(rng.uniform(-80, 20)), np.deg2rad(rng.uniform(25, 80))
        x, y = rng.uniform(-20, WIDTH + 20), rng.uniform(-60, 60)
        cut = (rng.uniform(0, 40), rng.uniform(0, 20), rng.uniform(60, WIDTH), rng.uniform(40, HEIGHT))
        made.append(Fan(x, y, r0, r1, left, right, cut if rng.random() < 0.4 else (0, 0, WIDTH, HEIGHT)))
        made.append(Fan(0, 0, 0, 0, 0, 0, cut))
    return made


def weighed(fan: Fan, seen: Evidence) -> tuple[float, float]:
    """Count the pixels of the grid: score and overlap."""
    y, x = np.mgrid[0 : HEIGHT : sj.GRID, 0 : WIDTH : sj.GRID].astype(np.float32)
    mask = fan.inside(x, y)
    live, stray, hull = (part[:: sj.GRID, :: sj.GRID] for part in (seen.live, seen.stray, seen.hull))
    both, area = (mask & hull).sum(), max(mask.sum(), 1)
    outside = 1 - (mask & live).sum() / live.sum() + min(sj.STRAY * (stray & ~mask).sum() / live.sum(), sj.MOST_STRAY)
    score = 1 - sj.OUTSIDE * outside - sj.EMPTY * (1 - both / area) + sj.TOUCHED + sj.LEVEL * sj.level(fan)
    return score, both / (area + hull.sum() - both)


def touched(x: np.ndarray, y: np.ndarray, seen: Evidence) -> tuple[float, float]:
    """Count the points of a boundary within a pixel of the outline, and those not on the frame's border."""
    outline = {tuple(point) for point in seen.outline.astype(int)}
    near = {(u + i, v + j) for u, v in outline for i in (-1, 0, 1) for j in (-1, 0, 1)}
    free = [(u, v) for u, v in zip(x, y, strict=True) if 1 < u < WIDTH - 2 and 1 < v < HEIGHT - 2]
    if len(free) < 4:
        return 0.0, 0.0
    return sum((round(u), round(v)) in near for u, v in free) / len(free), len(free) / len(x)


def judged(fan: Fan, seen: Evidence) -> tuple[float, float]:
    """Judge a fan alone: score and share touched."""
    all_around, free = touched(*boundary_points(fan), seen)
    if fan.r1 == 0:
        doubt = max(0, 1 - (all_around * free + 1 - free) / sj.FIRM)
    else:
        x0, y0, x1, y1 = fan.box
        radii = np.arange(fan.r0, fan.r1, 2.0)
        weaker = []
        for angle in (fan.left, fan.right):
            x, y = fan.x + radii * math.sin(angle), fan.y + radii * math.cos(angle)
            kept = (x > x0) & (x < x1 - 1) & (y > y0) & (y < y1 - 1)
            weaker.append(touched(x[kept], y[kept], seen)[0])
        doubt = (1 - sj.level(fan)) * max(0, 1 - min(weaker) / sj.FIRM)
    return fan.score - sj.TOUCHED * (1 - all_around) - sj.DOUBT * doubt, all_around


@pytest.mark.parametrize("seed", range(6))
def test_each_of_many_is_worth_what_it_is_worth_alone(seed: int) -> None:
    rng = np.random.default_rng(seed)
    seen, some = evidence(rng), fans(rng, 40)
    judge = sj.Judge(seen)
    for fan in (weighed_fans := judge.weigh(some)):
        assert (fan.score, fan.overlap) == pytest.approx(weighed(fan, seen), abs=1e-9)
    for before, fan in zip(weighed_fans, judge.judge(weighed_fans), strict=True):
        assert (fan.score, fan.touched) == pytest.approx(judged(before, seen), abs=1e-9)
        assert fan.overlap == before.overlap


def test_nothing_is_judged_where_nothing_is_given() -> None:
    judge = sj.Judge(evidence(np.random.default_rng(0)))
    assert judge.weigh([]) == judge.judge([]) == []
