"""Filters: the favourite moving pictures of a layer, or its feature maps on a cine, as one page of film."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from echoplane._optional import need
from echoplane.errors import UsageError
from echoplane.models.bundle import Bundle
from echoplane.pipelines._movie import MOVIES, write_movie
from echoplane.pipelines.explain import prepared_clips
from echoplane.records import UInt8Array
from echoplane.sources.open import open_cine

#: Frame rate of the pages.
_FPS = 10.0

#: Pictures on a page are at least so many pixels wide; the band with their number is so high.
_SMALLEST, _LETTERS = 96, 12


def layer_names(bundle: Bundle) -> list[tuple[str, int]]:
    """Return the layers that have filters, first to last, as (dotted name, number of filters).

    Raises
    ------
    BundleError, MissingExtraError
        As :func:`echoplane.models.load.load_network`.
    """
    need("torch", "explain", "look into a network")
    from echoplane.models.load import load_network

    network = load_network(bundle)
    counts = {n: getattr(m, "out_channels", getattr(m, "out_features", None)) for n, m in network.named_modules()}
    return [(name, count) for name, count in counts.items() if isinstance(count, int)]


def favourites(
    bundle: Bundle,
    layer: str,
    channels: Sequence[int] | None = None,
    *,
    steps: int = 96,
    seed: int = 0,
    on_start: Callable[[int], None] = lambda total: None,
    on_done: Callable[[int], None] = lambda channel: None,
) -> UInt8Array:
    """Search the moving picture that each filter of a layer answers to most.

    Parameters
    ----------
    bundle : Bundle
    layer : str
        Dotted name: one of :func:`layer_names`, or any other whose output is (B, channels, ...), such as a block. Of
        a layer that runs more than once it is the last run.
    channels : sequence of int, optional
        None for all.
    steps, seed : int
        See :class:`echoplane.explain.kernels.Dream`.
    on_start, on_done : callable
        Called with the number of filters, and with each filter when it is done.

    Returns
    -------
    uint8 array, (P, N, 64, 64)
        One moving picture a filter.

    Raises
    ------
    UsageError
        For an unknown layer or filter.
    """
    from echoplane.explain.kernels import Dream, favourite
    from echoplane.models.load import load_network

    network = load_network(bundle)
    chosen = list(range(_count(bundle, network, layer))) if channels is None else list(channels)
    dream = Dream(shape=(bundle.facts.clip_shape[0], 64, 64), steps=steps, seed=seed)
    on_start(len(chosen))
    pictures = []
    for channel in chosen:
        pictures.append(favourite(network, layer, channel, dream)[0])
        on_done(channel)
    return np.stack(pictures)


def _count(bundle: Bundle, network: Any, layer: str) -> int:
    """Return how many filters a layer has, by running it once."""
    from echoplane.explain.kernels import feature_maps

    nothing = np.zeros((1, 1, *bundle.facts.clip_shape), np.float32)
    try:
        return int(feature_maps(network, layer, nothing).shape[1])
    except UsageError:
        if layer in dict(network.named_modules()):
            raise
        known = ", ".join(name for name, _ in layer_names(bundle))
        raise UsageError(f"no layer {layer!r}; those with filters of their own: {known}.") from None


def maps_of(bundle: Bundle, layer: str, source: str | Path) -> UInt8Array:
    """Return the feature maps of a layer on the first clip of a cine, each stretched over the range of grey.

    Returns
    -------
    uint8 array, (P, n, h, w)

    Raises
    ------
    ReadError, PrepareError, UsageError
    """
    need("torch", "explain", "look into a network")
    from echoplane.explain.kernels import feature_maps
    from echoplane.models.load import load_network

    clips, _, _ = prepared_clips(open_cine(source), bundle)
    maps = feature_maps(load_network(bundle), layer, clips[:1])[0]
    if maps.ndim != 4:
        raise UsageError(f"layer {layer!r} gives numbers, and no maps that could be shown; take an earlier one.")
    low = maps.min(axis=(1, 2, 3), keepdims=True)
    high = maps.max(axis=(1, 2, 3), keepdims=True)
    grey: UInt8Array = (255 * (maps - low) / np.maximum(high - low, 1e-9)).astype(np.uint8)
    return grey


def _corner(text: str, width: int) -> UInt8Array:
    """Return a band with a small number at its left, uint8 (_LETTERS, width)."""
    from PIL import Image, ImageDraw, ImageFont

    image = Image.new("L", (width, _LETTERS))
    ImageDraw.Draw(image).text((2, 0), text, fill=255, font=ImageFont.load_default(10))
    return np.asarray(image)


def check_ending(path: Path) -> None:
    """Refuse endings that :func:`write_page` does not write.

    Raises
    ------
    UsageError
    """
    if path.suffix.lower() not in (*MOVIES, ".png"):
        raise UsageError(f"{path}: pages of filters end in {', '.join([*MOVIES, '.png'])}.")


def write_page(pictures: UInt8Array, path: str | Path, numbers: Sequence[int] | None = None) -> Path:
    """Lay moving pictures (P, N, H, W) side by side and write them as ``.mp4``, ``.gif``, ``.webp`` or ``.png``.

    Pictures below 96 pixels are enlarged; ``.png`` has the middle frame.

    Parameters
    ----------
    pictures : uint8 array, (P, N, H, W)
    path : str or Path
    numbers : sequence of int, optional
        Written into the corners: which filter each picture is of. 0, 1, ... when left out.

    Raises
    ------
    UsageError
        For another ending.
    """
    from PIL import Image

    from echoplane.explain.kernels import montage

    path = Path(path)
    check_ending(path)
    times = max(1, -(-_SMALLEST // max(pictures.shape[2:])))
    grown = np.ascontiguousarray(pictures.repeat(times, axis=2).repeat(times, axis=3))
    for number, picture in zip(range(len(grown)) if numbers is None else numbers, grown, strict=True):
        picture[:, :_LETTERS] = np.maximum(picture[:, :_LETTERS] // 3, _corner(str(number), picture.shape[2]))
    page = montage(grown)
    page = np.pad(page, ((0, 0), (0, page.shape[1] % 2), (0, page.shape[2] % 2)))
    colour = np.repeat(page[..., None], 3, axis=3)
    if path.suffix.lower() == ".png":
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(page[len(page) // 2]).save(path)
    else:
        write_movie(path, iter(colour), _FPS)
    return path
