"""DICOM files to cines: the header is read at once, the frames one by one when asked for.

======================  ==========================================================
``sniff``               is this a DICOM file at all, with or without its preamble
``stream``              bounded reads from a file, deflated or not
``header``              the elements before the pixels
``layout``              how pixels are stored
``frames``              where each frame lies in the file
``jpeg``, ``codecs``    one compressed frame to samples
``mpeg``                a whole video stream to frames
``native``              uncompressed bytes to samples
``tone``, ``colour``    samples to grey or to R, G, B
``timing``, ``regions``, ``kind``, ``colorbox``   what the header (and colour in the pixels) says about the cine
``pictures``, ``find``, ``reader``, ``open``      all of it together
======================  ==========================================================
"""

from __future__ import annotations

from echoplane.sources.dicom.colorbox import has_color_box
from echoplane.sources.dicom.open import open_dicom
from echoplane.sources.dicom.sniff import is_dicom

__all__ = ["has_color_box", "is_dicom", "open_dicom"]
