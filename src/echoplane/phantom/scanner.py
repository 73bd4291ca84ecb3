"""What the machine makes of an echo field: detection, compression, grey map, persistence, sharpening.

Everything happens on the polar picture, before scan conversion, as in a scanner.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from echoplane.phantom.arrays import ComplexArray, f32, u8
from echoplane.phantom.looks import Scanner
from echoplane.records import FloatArray, UInt8Array

#: Grey steps of the lookup from compressed echo to grey.
STEPS = 1024


@dataclass(slots=True)
class Processor:
    """Turns echo fields into grey polar pictures; remembers the last one for persistence.

    Attributes
    ----------
    settings : Scanner
    curve : uint8 array, (STEPS,)
        The grey map.
    offset : float
        Added to the compressed echo; set by :meth:`set_gain`.
    """

    settings: Scanner
    curve: UInt8Array
    offset: float = 0.0
    _last: FloatArray | None = None

    @classmethod
    def of(cls, settings: Scanner) -> Processor:
        """Build the grey map of some settings."""
        return cls(settings, grey_map(settings))

    def set_gain(self, field: ComplexArray, weight: FloatArray) -> None:
        """Turn the gain until the brightest tenth of a picture begins at the wanted level.

        Parameters
        ----------
        field : complex64 array, (B, D)
        weight : float32 array, (D,)
            How much of the picture a sample covers.
        """
        decibels = 20 * np.log10(np.abs(field) + 1e-5)
        order = np.argsort(decibels, axis=None)
        share = np.cumsum(np.broadcast_to(weight, field.shape).ravel()[order])
        tenth = decibels.ravel()[order[np.searchsorted(share, 0.9 * share[-1])]]
        # The level is wanted after the grey map, so the map is read backwards.
        wanted = np.searchsorted(self.curve, 255 * self.settings.level) / (STEPS - 1)
        self.offset = float(wanted) - float(tenth) / self.settings.range_db

    def frame(self, field: ComplexArray) -> UInt8Array:
        """One echo field to one grey polar picture, uint8 (B, D)."""
        s = self.settings
        power = f32((field * field.conj()).real + np.float32(1e-9))
        if s.compound > 1:
            # Looks from other angles have independent speckle; neighbouring beams stand in for them.
            power = f32(cv2.blur(power, (1, 1 + s.compound), borderType=cv2.BORDER_REFLECT_101))
        shown = f32(np.log(power))
        shown *= np.float32(10 / np.log(10) / s.range_db)
        shown += np.float32(self.offset)
        np.clip(shown, -0.25, 1.15, out=shown)
        if s.smooth > 0:
            calm = cv2.bilateralFilter(shown, 5, 0.28, 1.6)
            shown += np.float32(s.smooth) * (calm - shown)
        if s.persistence > 0 and self._last is not None:
            shown += np.float32(s.persistence) * (self._last - shown)
        self._last = shown
        if s.sharpen > 0:
            soft = cv2.GaussianBlur(shown, (7, 5), 1.6, sigmaY=1.0, borderType=cv2.BORDER_REFLECT_101)
            shown = shown + np.float32(s.sharpen) * (shown - soft)
        index = np.clip(shown * np.float32(STEPS - 1), 0, STEPS - 1).astype(np.int16)
        return u8(self.curve[index])


def grey_map(settings: Scanner) -> UInt8Array:
    """Return the grey value of every compressed echo, uint8 (STEPS,)."""
    x = np.linspace(0, 1, STEPS)
    x = np.clip((x - settings.reject) / (1 - settings.reject), 0, 1) ** settings.gamma
    x = (1 - settings.contrast) * x + settings.contrast * x * x * (3 - 2 * x)
    return np.round(255 * x).astype(np.uint8)
