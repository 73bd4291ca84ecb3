"""The compression a picture went through before anybody saw it: JPEG 4:2:2 and H.264."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import cv2
import numpy as np

from echoplane.phantom.arrays import u8
from echoplane.records import UInt8Array


def through_jpeg(frame: UInt8Array, quality: int) -> UInt8Array:
    """Send one frame, (H, W) or (H, W, 3) R, G, B, through baseline JPEG with 4:2:2 chroma."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    if frame.ndim == 2:
        return u8(cv2.imdecode(cv2.imencode(".jpg", frame, options)[1], cv2.IMREAD_GRAYSCALE))
    options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422]
    done = u8(cv2.imdecode(cv2.imencode(".jpg", frame[..., ::-1], options)[1], cv2.IMREAD_COLOR))
    return np.ascontiguousarray(done[..., ::-1])


def through_video(frames: UInt8Array, fps: float, kbps: int) -> UInt8Array:
    """Send frames, (T, H, W) or (T, H, W, 3), through H.264 at a rate; odd sizes lose nothing."""
    grey = frames.ndim == 3
    height, width = frames.shape[1:3]
    even = height + height % 2, width + width % 2
    store = io.BytesIO()
    with av.open(store, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1000))
        stream.height, stream.width, stream.pix_fmt = even[0], even[1], "yuv420p"
        stream.bit_rate = kbps * 1000
        # One thread and a fixed preset: the same frames give the same bytes.
        stream.options = {"preset": "veryfast", "threads": "1"}
        for picture in frames:
            colour = cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB) if grey else picture
            padded = cv2.copyMakeBorder(colour, 0, even[0] - height, 0, even[1] - width, cv2.BORDER_REPLICATE)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(padded, format="rgb24")))
        container.mux(stream.encode(None))
    store.seek(0)
    with av.open(store, "r") as film:
        decoded = [f.to_ndarray(format="rgb24")[:height, :width] for f in film.decode(video=0)]
    out = np.stack(decoded)
    return u8(np.ascontiguousarray(out[..., 1]) if grey else out)
