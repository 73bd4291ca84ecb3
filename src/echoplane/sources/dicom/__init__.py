"""DICOM files to cines: the header is read at once, the frames one by one when asked for.

======================  ==========================================================
``sniff``               is this a DICOM file at all, with or without its preamble
``stream``              bounded reads from a file, deflated or not
``header``              the elements before the pixels
``layout``              how pixels are stored, checked against the limits
``frames``              where each frame lies in the file
``jpeg``, ``codecs``    one compressed frame to samples
``mpeg``                a whole video stream to frames
``native``              uncompressed bytes to samples
``tone``, ``colour``    samples to grey or to R, G, B
``timing``, ``regions``, ``kind``, ``colorbox``   what the header (and colour in the pixels) says about the cine
``reader``, ``open``    all of it together
======================  ==========================================================
"""

from __future__ import annotations

from echoplane.sources.dicom.open import MAX_CINE_BYTES, MAX_FRAME_PIXELS, open_dicom
from echoplane.sources.dicom.sniff import is_dicom

__all__ = ["MAX_CINE_BYTES", "MAX_FRAME_PIXELS", "is_dicom", "open_dicom"]
