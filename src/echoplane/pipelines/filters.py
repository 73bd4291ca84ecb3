"""Filters: the favourite moving pictures of a layer, or its feature maps on a cine, as one page of film."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

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
    return [(n, m.out_channels) for n, m in network.named_modules() if hasattr(m, "out_channels")]


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
        Dotted name, see :func:`layer_names`.
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

    known = dict(layer_names(bundle))
    if layer not in known:
        raise UsageError(f"no layer {layer!r} with filters; known: {', '.join(known)}.")
    chosen = list(range(known[layer])) if channels is None else list(channels)
    network = load_network(bundle)
    dream = Dream(shape=(bundle.facts.clip_shape[0], 64, 64), steps=steps, seed=seed)
    on_start(len(chosen))
    pictures = []
    for channel in chosen:
        pictures.append(favourite(network, layer, channel, dream)[0])
        on_done(channel)
    return np.stack(pictures)


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
    low = maps.min(axis=(1, 2, 3), keepdims=True)
    high = maps.max(axis=(1, 2, 3), keepdims=True)
    grey: UInt8Array = (255 * (maps - low) / np.maximum(high - low, 1e-9)).astype(np.uint8)
    return grey


def write_page(pictures: UInt8Array, path: str | Path) -> Path:
    """Lay moving pictures (P, N, H, W) side by side and write them as ``.mp4``, ``.gif``, ``.webp`` or ``.png``.

    Pictures below 64 pixels are enlarged; ``.png`` has the middle frame.

    Raises
    ------
    UsageError
        For another ending.
    """
    from PIL import Image

    from echoplane.explain.kernels import montage

    path = Path(path)
    if path.suffix.lower() not in (*MOVIES, ".png"):
        raise UsageError(f"{path}: pages of filters end in {', '.join([*MOVIES, '.png'])}.")
    times = max(1, -(-64 // max(pictures.shape[2:])))
    grown = pictures.repeat(times, axis=2).repeat(times, axis=3)
    page = montage(grown)
    page = np.pad(page, ((0, 0), (0, page.shape[1] % 2), (0, page.shape[2] % 2)))
    colour = np.repeat(page[..., None], 3, axis=3)
    if path.suffix.lower() == ".png":
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(page[len(page) // 2]).save(path)
    else:
        write_movie(path, iter(colour), _FPS)
    return path
