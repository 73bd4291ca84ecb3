"""One small picture for each cine that ``predict --cam`` answers: three moments, plain above and marked below."""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePath
from threading import Lock

import cv2
import numpy as np

from echoplane._files import atomic_write, safe_name
from echoplane.errors import UsageError
from echoplane.explain.cinemap import sector_in_crop
from echoplane.inference.look import Look
from echoplane.records import Status, UInt8Array, ViewResult

#: Moments shown, and how much the network's picture is enlarged (112 become 224).
_MOMENTS, _ENLARGED = 3, 2
_HEAD = 26
_QUALITY = 88


class Overlays:
    """Writes pictures into a folder; called from several threads.

    Parameters
    ----------
    folder : str or Path
        Made when the first picture is written. A picture that is there already is replaced: the name depends on the
        cine alone.

    Attributes
    ----------
    written : int

    Raises
    ------
    UsageError
        When there is a file in its place.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if self.folder.exists() and not self.folder.is_dir():
            raise UsageError(f"{self.folder}: is a file; name a folder for the overlays.")
        self.written = 0
        self._lock = Lock()

    def __call__(self, look: Look) -> None:
        """Write the picture of one answer."""
        picture = draw(look)
        done, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        assert done
        with atomic_write(self.folder / overlay_name(look.result.file), "wb", durable=False) as stream:
            stream.write(data.tobytes())
        with self._lock:
            self.written += 1


def overlay_name(source: str) -> str:
    """Return the file name for a cine: what its own path ends in, and a few digits of the whole path's hash."""
    end = "_".join(PurePath(source).parts[-2:])
    return f"{safe_name(end, 80)}-{hashlib.sha256(source.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}.jpg"


def draw(look: Look) -> UInt8Array:
    """Draw three moments side by side, uint8 (h, w, 3), R, G, B."""
    from echoplane.explain.panel import write_text
    from echoplane.explain.tint import blend, contour

    coarse = look.coarse()
    coarse /= max(float(coarse.max()), 1e-9)
    whole = look.prepared.frames.shape[1:]
    inside = sector_in_crop(look.prepared.sector, look.prepared.crop, whole)
    # The network's picture is square; the black above and below the ultrasound picture is left out.
    lit = np.flatnonzero(look.prepared.frames.any(axis=(0, 2)))
    rows = slice(lit[0], lit[-1] + 1) if lit.size else slice(None)
    frames, moments = look.prepared.frames[:, rows], coarse.sum(axis=(1, 2))
    parts = [p for p in np.array_split(np.arange(len(frames)), min(_MOMENTS, len(frames))) if len(p)]
    height, width = frames.shape[1] * _ENLARGED, frames.shape[2] * _ENLARGED
    columns = []
    for part in parts:
        t = int(part[np.argmax(moments[part])])
        # Only the moments that are drawn are enlarged.
        heat = (look.enlarged(coarse[t]) * inside)[rows].astype(np.float32)
        plain = np.repeat(frames[t][..., None], 3, axis=2)
        # Blended small and enlarged together, which is a third of the work.
        pair = np.vstack([plain, blend(frames[t], heat)])
        column = cv2.resize(pair, (width, 2 * height), interpolation=cv2.INTER_LINEAR).astype(np.uint8)
        contour(column[height:], cv2.resize(heat, (width, height)).astype(np.float32))
        columns.append(column)
    body = np.hstack(columns)
    page = np.zeros((_HEAD + len(body), max(body.shape[1], 2 * width), 3), np.uint8)
    page[_HEAD:, : body.shape[1]] = body
    write_text(page, (6, 5), _words(look.result), 14)
    return page


def _words(result: ViewResult) -> str:
    probability = f"{result.probability:.2f}" if result.probability is not None else ""
    if result.status is Status.OK:
        return f"{result.view} {probability}"
    return f"{result.status}; best guess {result.best_view} {probability}"
