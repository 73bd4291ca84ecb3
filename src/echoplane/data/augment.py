"""Augmentation of whole clips: drawn first, then applied; every frame gets the same draw, and a draw can be replayed.

>>> import numpy as np
>>> drawn = draw(np.random.default_rng(3), AUGMENTS["default"])
>>> clip = np.random.default_rng(0).integers(0, 256, (10, 112, 112), np.uint8)
>>> bool((apply(clip, drawn) == apply(clip, drawn)).all())
True
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from echoplane.data.augment_fan import Fan
from echoplane.data.augment_geometry import Geometry, GeometryDraw, move
from echoplane.data.augment_grey import Grey, GreyDraw, regrade
from echoplane.data.augment_mix import Mix, MixDraw, borrow, deface
from echoplane.data.augment_shadow import Shadow, ShadowDraw, shade
from echoplane.data.augment_style import Style, StyleDraw, restyle
from echoplane.data.augment_texture import Texture, TextureDraw, roughen
from echoplane.data.augment_time import Time, TimeDraw, retime
from echoplane.errors import UsageError
from echoplane.records import UInt8Array

__all__ = ["AUGMENTS", "AugmentRecipe", "Draw", "Fan", "apply", "augment_named", "draw", "retime"]


@dataclass(frozen=True, slots=True)
class AugmentRecipe:
    """How strongly and how often clips are changed in training; every part is a few lines of YAML.

    Attributes
    ----------
    time : Time
        Speed, direction, dropped frames, stills.
    mix : Mix
        Borders and fan shape of other cines, printed marks, cut-outs.
    shadow : Shadow
        Rib shadows, near-field haze, a narrower fan.
    grey : Grey
        Gain, gamma, reject, grey map.
    texture : Texture
        Speckle, noise, blur or sharpening, JPEG.
    geometry : Geometry
        Rotation about the apex, scale, shift, shear, imaging depth, crop; flip (off by default).
    style : Style
        Looks of another store's cines (off by default).
    """

    time: Time = field(default_factory=Time)
    mix: Mix = field(default_factory=Mix)
    shadow: Shadow = field(default_factory=Shadow)
    grey: Grey = field(default_factory=Grey)
    texture: Texture = field(default_factory=Texture)
    geometry: Geometry = field(default_factory=Geometry)
    style: Style = field(default_factory=Style)


@dataclass(frozen=True, slots=True)
class Draw:
    """One draw from an :class:`AugmentRecipe`: plain numbers, None where nothing changes.

    ``echoplane.config.to_mapping`` turns it into JSON and ``from_mapping(Draw, ...)`` back.
    """

    time: TimeDraw | None = None
    mix: MixDraw | None = None
    shadow: ShadowDraw | None = None
    grey: GreyDraw | None = None
    texture: TextureDraw | None = None
    geometry: GeometryDraw | None = None
    style: StyleDraw | None = None


_OFF = AugmentRecipe(
    time=Time(p=0.0, reverse_p=0.0, drop_p=0.0, freeze_p=0.0),
    mix=Mix(outside_p=0.0, shape_p=0.0, mark_p=0.0, hole_p=0.0),
    shadow=Shadow(wedge_p=0.0, haze_p=0.0, narrow_p=0.0),
    grey=Grey(p=0.0),
    texture=Texture(speckle_p=0.0, noise_p=0.0, blur_p=0.0, sharpen_p=0.0, jpeg_p=0.0),
    geometry=Geometry(affine_p=0.0, depth_p=0.0, stretch_p=0.0, crop_p=0.0),
)

#: The recipes that come with the package, by name.
AUGMENTS: dict[str, AugmentRecipe] = {
    "none": _OFF,
    "light": AugmentRecipe(
        time=Time(p=0.2, reverse_p=0.0, drop_p=0.0, freeze_p=0.0),
        mix=Mix(outside_p=0.05, shape_p=0.05, mark_p=0.0, hole_p=0.0),
        shadow=Shadow(wedge_p=0.05, haze_p=0.05, narrow_p=0.1, narrow=0.1),
        grey=Grey(p=0.5, gain=(0.85, 1.15), gamma=(0.85, 1.2), reject=0.05, bend=0.03),
        texture=Texture(speckle_p=0.1, noise_p=0.05, blur_p=0.05, sharpen_p=0.05, jpeg_p=0.05),
        geometry=Geometry(
            affine_p=0.5,
            rotate=6.0,
            scale=(0.95, 1.05),
            shift=0.03,
            shear=2.0,
            depth_p=0.1,
            stretch_p=0.0,
            crop_p=0.3,
            crop=0.04,
        ),
    ),
    "default": AugmentRecipe(),
    "strong": AugmentRecipe(
        time=Time(p=0.5, speed=(0.65, 1.55), reverse_p=0.2, drop_p=0.1, freeze_p=0.06),
        mix=Mix(outside_p=0.2, shape_p=0.3, mark_p=0.25, hole_p=0.25),
        shadow=Shadow(wedge_p=0.35, haze_p=0.3, haze=(10.0, 90.0), narrow_p=0.4, narrow=0.25),
        grey=Grey(p=0.95, gain=(0.6, 1.5), gamma=(0.55, 1.7), reject=0.18, bend=0.1),
        texture=Texture(
            speckle_p=0.4, speckle=(0.05, 0.5), noise_p=0.3, noise=(2.0, 20.0), blur_p=0.25, blur=(0.4, 1.8), jpeg_p=0.2
        ),
        geometry=Geometry(
            affine_p=0.9,
            rotate=20.0,
            scale=(0.8, 1.2),
            shift=0.1,
            shear=10.0,
            depth_p=0.5,
            depth=(0.7, 1.4),
            stretch_p=0.5,
            stretch=(0.8, 1.35),
            crop=0.1,
        ),
    ),
}


def augment_named(name: str) -> AugmentRecipe:
    """Look an augmentation recipe up.

    Raises
    ------
    UsageError
        When there is none of that name; the message lists those that exist.
    """
    try:
        return AUGMENTS[name]
    except KeyError:
        raise UsageError(f"no augmentation is called {name!r}; known: {', '.join(AUGMENTS)}.") from None


def draw(rng: np.random.Generator, recipe: AugmentRecipe) -> Draw:
    """Draw once for one clip."""
    return Draw(
        time=recipe.time.draw(rng),
        mix=recipe.mix.draw(rng),
        shadow=recipe.shadow.draw(rng),
        grey=recipe.grey.draw(rng),
        texture=recipe.texture.draw(rng),
        geometry=recipe.geometry.draw(rng),
        style=recipe.style.draw(rng),
    )


def apply(
    clip: UInt8Array,
    drawn: Draw,
    *,
    fan: Fan | None = None,
    partner: UInt8Array | None = None,
    partner_fan: Fan | None = None,
    example: UInt8Array | None = None,
    example_fan: Fan | None = None,
) -> UInt8Array:
    """Apply a draw.

    Parameters
    ----------
    clip : uint8 array, (N, H, W)
        Not changed. Its frames were chosen before: ``drawn.time`` acts on frame numbers, through :func:`retime`.
    drawn : Draw
    fan : Fan, optional
        Where the ultrasound lies; the usual fan when left out.
    partner, partner_fan : uint8 array (H, W), Fan, optional
        A frame of another cine for ``drawn.mix``; without it nothing is mixed.
    example, example_fan : uint8 array (H, W), Fan, optional
        A frame of another store's cine for ``drawn.style``; without it nothing is lent.

    Returns
    -------
    uint8 array, (N, H, W)
        The clip itself when the draw changes nothing.
    """
    _, height, width = clip.shape
    fan = fan or Fan.usual(height, width)
    # What is lent comes first: what follows may then change it further.
    if drawn.style is not None and example is not None:
        clip = restyle(clip, drawn.style, fan, example, example_fan or Fan.usual(height, width))
    # In the order in which it happens: the body, the scanner, the archive; then what the probe's tilt and the crop do.
    if drawn.shadow is not None:
        clip = shade(clip, drawn.shadow, fan)
    if drawn.mix is not None and partner is not None:
        clip = borrow(clip, drawn.mix, fan, partner, partner_fan or Fan.usual(height, width))
    if drawn.grey is not None:
        clip = regrade(clip, drawn.grey)
    if drawn.texture is not None:
        clip = roughen(clip, drawn.texture, fan)
    if drawn.geometry is not None:
        clip = move(clip, drawn.geometry, fan)
    if drawn.mix is not None and (drawn.mix.marks or drawn.mix.holes):
        clip = deface(clip, drawn.mix)
    return clip
