"""The screen: which scanner's layout, where the fan lies on it, and what the picture is sent through.

A layout is data: a name, the sizes it comes in, the box the fan lives in, and which furniture stands around it. The
furniture itself is drawn in ``overlays.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

from echoplane.phantom.fan import Fan, Framing, extent
from echoplane.phantom.looks import Rng, Shape

Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Layout:
    """How one kind of machine lays out its screen.

    Attributes
    ----------
    name : str
    sizes : tuple of (int, int)
        (height, width) it comes in, pixels.
    box : tuple of float
        (x0, y0, x1, y1) of the fan's box, as shares of width and height.
    cut : tuple of float
        Range of the fan's size relative to what fits the box; above 1 the box cuts the fan.
    furniture : tuple of str
        What may stand around the fan: names of functions in ``overlays.py``.
    weight : float
        How often it is drawn.
    """

    name: str
    sizes: tuple[Size, ...]
    box: tuple[float, float, float, float]
    cut: tuple[float, float]
    furniture: tuple[str, ...]
    weight: float


CART = ("header", "settings", "ruler", "marker", "grey_bar", "ecg", "logo", "note")
LAYOUTS: tuple[Layout, ...] = (
    Layout("cart", ((480, 640), (600, 800), (768, 1024)), (0.08, 0.06, 0.96, 0.97), (0.85, 1.2), CART, 3.0),
    Layout("cart-wide", ((450, 800), (720, 1280)), (0.15, 0.03, 0.85, 0.99), (0.85, 1.1), CART, 1.5),
    Layout(
        "export",
        ((448, 512), (434, 636), (708, 1016)),
        (0.0, 0.0, 1.0, 1.0),
        (1.0, 1.6),
        ("dots", "marker", "ecg", "note"),
        3.0,
    ),
    Layout("handheld", ((542, 378), (438, 288), (640, 360)), (0.0, 0.0, 1.0, 1.0), (1.1, 1.9), ("ruler", "badge"), 2.0),
    Layout(
        "tablet", ((600, 860), (768, 1024)), (0.05, 0.02, 0.95, 0.98), (0.85, 1.05), ("ruler", "badge", "settings"), 1.0
    ),
    Layout("split-left", ((600, 800), (720, 1280)), (0.01, 0.12, 0.49, 0.95), (0.9, 1.1), CART, 0.3),
    Layout("split-right", ((600, 800), (720, 1280)), (0.51, 0.12, 0.99, 0.95), (0.9, 1.1), CART, 0.3),
    Layout("tiny", ((112, 112), (176, 176)), (0.0, 0.0, 1.0, 1.0), (0.95, 1.15), (), 1.0),
)
#: A fan may be this much taller than its box, and no more.
TALLEST = 1.15
#: How often a piece of furniture is there, where not in most clips.
CHANCES = {"ecg": 0.35, "note": 0.3, "logo": 0.5, "dots": 0.6}
BY_NAME = {layout.name: layout for layout in LAYOUTS}


@dataclass(frozen=True, slots=True)
class Screen:
    """One clip's screen.

    Attributes
    ----------
    layout : str
    size : tuple of int
        (height, width), pixels.
    fill : float
        Size of the fan relative to what fits the box.
    shift : tuple of float
        Offset of the fan, shares of the box's width and height.
    furniture : tuple of str
        What is drawn.
    furniture_seed : int
        Draws texts, positions and colours.
    tint : tuple of float
        R, G, B gains of the grey map; (1, 1, 1) is plain grey.
    background : int
        Grey outside the fan.
    jpeg_quality : int
        0 leaves the frames uncompressed.
    video_kbps : int
        Rate of an H.264 pass; 0 for none.
    """

    layout: str = "export"
    size: Size = (480, 640)
    fill: float = 0.97
    shift: tuple[float, float] = (0.0, 0.0)
    furniture: tuple[str, ...] = ()
    furniture_seed: int = 0
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    background: int = 0
    jpeg_quality: int = 0
    video_kbps: int = 0


def draw_screen(rng: Rng, size: Size | None = None) -> Screen:
    """Draw a screen; `size` overrides the layout's own sizes."""
    weights = [layout.weight for layout in LAYOUTS]
    layout = LAYOUTS[int(rng.choice(len(LAYOUTS), p=[w / sum(weights) for w in weights]))]
    own = layout.sizes[int(rng.integers(len(layout.sizes)))]
    furniture = tuple(name for name in layout.furniture if rng.random() < CHANCES.get(name, 0.7))
    tinted = rng.random() < 0.2
    warm = rng.uniform(-0.25, 0.25)
    low, high = layout.cut
    return Screen(
        layout=layout.name,
        size=size or own,
        fill=float(rng.uniform(low, high)),
        shift=(float(rng.normal(0, 0.02)), float(rng.uniform(-0.02, 0.03))),
        furniture=furniture,
        furniture_seed=int(rng.integers(2**31)),
        tint=(1.0 + min(warm, 0.0), 1.0 - abs(warm) / 3, 1.0 - max(warm, 0.0)) if tinted else (1.0, 1.0, 1.0),
        background=int(rng.integers(0, 12) * (rng.random() < 0.2)),
        jpeg_quality=int(rng.integers(45, 98) * (rng.random() < 0.7)),
        video_kbps=int(rng.integers(200, 3000) * (rng.random() < 0.3)),
    )


def frame_fan(screen: Screen, shape: Shape) -> tuple[Fan, Framing]:
    """Place a fan on a screen."""
    fan = Fan(shape.kind, shape.face_cm, shape.depth_cm, shape.steer - shape.width / 2, shape.steer + shape.width / 2)
    height, width = screen.size
    x0, y0, x1, y1 = BY_NAME[screen.layout].box
    box = (round(x0 * width), round(y0 * height), round(x1 * width), round(y1 * height))
    left, top, right, bottom = extent(fan.face_cm, fan.far_cm, fan.left, fan.right)
    if shape.mirrored:
        left, right = -right, -left
    box_width, box_height = box[2] - box[0], box[3] - box[1]
    # A fan larger than its box loses its sides and a little of its bottom, never its top.
    fits = min(box_width / (right - left), box_height / (bottom - top))
    scale = min(fits * screen.fill, TALLEST * box_height / (bottom - top))
    x = (box[0] + box[2]) / 2 + screen.shift[0] * box_width - scale * (left + right) / 2
    spare = max(box_height - scale * (bottom - top), 0.0)
    y = box[1] + 0.3 * spare + screen.shift[1] * box_height - scale * top
    return fan, Framing(height, width, scale, (x, y), box, shape.mirrored)


def other_half(screen: Screen) -> int:
    """Return the columns from the fan to the other half of a split screen, where a frozen picture stands; or 0."""
    half = screen.size[1] // 2
    return {"split-left": half, "split-right": -half}.get(screen.layout, 0)
