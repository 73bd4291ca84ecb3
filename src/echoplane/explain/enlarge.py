"""Enlarge small maps to the size of the clip, each cell where the network looked, without torch."""

from __future__ import annotations

import math

import numpy as np

from echoplane.records import FloatArray


def enlarge(maps_Cnhw: FloatArray, shape: tuple[int, ...], padded: bool = False) -> FloatArray:
    """Interpolate linearly in time, rows and columns.

    Parameters
    ----------
    maps_Cnhw : float32 array, (C, n, h, w)
    shape : tuple of int
        (N, H, W).
    padded : bool
        Of the network: :attr:`echoplane.models.registry.Network.padded`.

    Returns
    -------
    float32 array, (C, N, H, W)
    """
    in_time, rows, columns = (shares(n, cells, padded) for n, cells in zip(shape, maps_Cnhw.shape[1:], strict=True))
    grown: FloatArray = rows @ np.einsum("Nn,cnhw->cNhw", in_time, maps_Cnhw) @ columns.T
    return grown


def shares(size: int, cells: int, padded: bool = False) -> FloatArray:
    """Say how much of each cell of a map each place of the clip gets, along one axis.

    A network whose strided windows are padded has its cell j centred on place `j * stride`: the first one on the
    border. That is half a cell from where enlarging a picture would draw it. Others lose as much at both ends, so that
    their cells lie evenly about the middle; where a pool drops a rest at the end, they lie up to half of that rest
    before.

    Parameters
    ----------
    size, cells : int
        Frames, rows or columns of the clip, and of the map.
    padded : bool

    Returns
    -------
    float32 array, (size, cells)
        Each row adds up to 1. Places beyond the outermost cells get these.
    """
    halvings = math.log2(size / cells)
    stride = 2.0 ** (math.ceil(halvings) if padded else math.floor(halvings))
    origin = 0.0 if padded else (size - 1 - stride * (cells - 1)) / 2
    place = np.clip((np.arange(size) - origin) / stride, 0, cells - 1)
    result: FloatArray = np.maximum(0, 1 - np.abs(place[:, None] - np.arange(cells))).astype(np.float32)
    return result
