"""How much a file may ask for before it is refused: the guard against decompression bombs and lying headers."""

from __future__ import annotations

from dataclasses import dataclass

from echoplane.errors import RefusedError, UsageError

_MIB = 1024 * 1024

#: No scanner, slide or satellite picture has this many pixels in one frame: raising the limit is no advice then.
_ABSURD_PIXELS = 10**10


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes above which a file is refused, before anything of that size is allocated.

    The defaults are far above any scanner's pictures (1024 x 768, some hundred frames); raise one where a file is
    known to be honest: ``Limits(max_pixels=200_000_000)``.

    Attributes
    ----------
    max_pixels : int
        Pixels of one frame, rows times columns.
    max_frames : int
        Frames of one cine.
    max_bytes : int
        Bytes that a reader may hold in memory at once for one file: a whole file, or a whole array where the format
        cannot be read in parts.

    Raises
    ------
    UsageError
        When one of them is below 1.
    """

    max_pixels: int = 50_000_000
    max_frames: int = 100_000
    max_bytes: int = 2048 * _MIB

    def __post_init__(self) -> None:
        for name in ("max_pixels", "max_frames", "max_bytes"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}, expected 1 or more.")

    def check_frame(self, path: object, height: int, width: int) -> None:
        """Refuse a frame of too many pixels.

        Raises
        ------
        RefusedError
        """
        if height * width > self.max_pixels:
            raise RefusedError(
                path,
                f"Frames are said to be {width} x {height} pixels, more than the limit of {self.max_pixels:,} pixels.",
                "The header is probably damaged."
                if height * width > _ABSURD_PIXELS
                else f"If that is true, raise max_pixels to {height * width:,} (--limit-pixels).",
            )

    def check_count(self, path: object, n_frames: int) -> None:
        """Refuse a cine of too many frames.

        Raises
        ------
        RefusedError
        """
        if n_frames > self.max_frames:
            raise RefusedError(
                path,
                f"Is said to hold {n_frames:,} frames, more than the limit of {self.max_frames:,}.",
                f"If that is true, raise max_frames to {n_frames:,}.",
            )

    def check_bytes(self, path: object, n_bytes: int) -> None:
        """Refuse what would need too much memory at once.

        Raises
        ------
        RefusedError
        """
        if n_bytes > self.max_bytes:
            raise RefusedError(
                path,
                f"Needs {n_bytes / _MIB:,.0f} MiB of memory at once, more than the limit of "
                f"{self.max_bytes / _MIB:,.0f} MiB.",
                f"If that is true and the memory is there, raise max_bytes to {n_bytes}.",
            )


#: What applies where no limits are given.
DEFAULT_LIMITS = Limits()
