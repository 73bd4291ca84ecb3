"""How pixels are stored, taken from the header and checked before anything is decoded."""

from __future__ import annotations

from dataclasses import dataclass

from echoplane.errors import NotImageError, UnreadableError, UnsupportedError
from echoplane.sources.dicom.header import Header
from echoplane.sources.dicom.syntax import name_of

_ONE_SAMPLE = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR")
_THREE_SAMPLES = (
    *("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_422", "YBR_PARTIAL_420"),
    *("YBR_RCT", "YBR_ICT"),
)
_HALVED_CHROMA = ("YBR_FULL_422", "YBR_PARTIAL_422")


@dataclass(frozen=True, slots=True)
class Layout:
    """How one frame is stored.

    Attributes
    ----------
    rows, columns : int
        Size in pixels.
    samples : {1, 3}
        Samples a pixel.
    planar : bool
        True where all red samples come first, then all green ones.
    photometric : str
        PhotometricInterpretation (PS3.3 C.7.6.3.1.2).
    allocated, stored, high : int
        Bits a sample takes, bits it uses, and its highest bit.
    signed : bool
    """

    rows: int
    columns: int
    samples: int
    planar: bool
    photometric: str
    allocated: int
    stored: int
    high: int
    signed: bool

    @property
    def is_422(self) -> bool:
        """True where uncompressed chroma is stored for every second pixel only."""
        return self.photometric in _HALVED_CHROMA

    @property
    def is_grey(self) -> bool:
        """True for MONOCHROME1 and MONOCHROME2."""
        return self.photometric.startswith("MONO")

    @property
    def frame_bytes(self) -> int:
        """Bytes of one uncompressed frame."""
        samples = 2 if self.is_422 else self.samples
        return self.rows * self.columns * samples * (self.allocated // 8)

    @property
    def value_range(self) -> tuple[int, int]:
        """The lowest and highest value that a sample can have."""
        if self.signed:
            return -(1 << (self.stored - 1)), (1 << (self.stored - 1)) - 1
        return 0, (1 << self.stored) - 1


def read_layout(header: Header, name: str) -> tuple[Layout, tuple[str, ...]]:
    """Take the pixel layout from a header.

    Returns
    -------
    layout : Layout
    notes : tuple of str

    Raises
    ------
    UnreadableError, UnsupportedError
        When the description makes no sense, or is of a kind that is not read.
    """
    rows, columns = header.integer("Rows"), header.integer("Columns")
    if rows is None or columns is None:
        raise UnreadableError(name, "The header gives no rows and columns for its pixels.")
    if rows <= 0 or columns <= 0:
        raise UnreadableError(name, f"The header gives a picture of {rows} rows and {columns} columns.")
    notes: list[str] = []
    photometric, samples = _colour(header, name, notes)
    allocated, stored, high = _bits(header, name, notes)
    planar = samples == 3 and header.integer("PlanarConfiguration") == 1
    if planar and photometric in _HALVED_CHROMA:
        notes.append(f"Planar configuration 1 has no meaning with {photometric}; taken as 0.")
        planar = False
    signed = header.integer("PixelRepresentation") == 1
    return Layout(rows, columns, samples, planar, photometric, allocated, stored, high, signed), tuple(notes)


def _colour(header: Header, name: str, notes: list[str]) -> tuple[str, int]:
    photometric, samples = header.text("PhotometricInterpretation").upper(), header.integer("SamplesPerPixel")
    if not photometric:
        if samples not in (None, 1):
            raise UnreadableError(name, f"The header has {samples} samples a pixel and does not say in which colours.")
        notes.append("The photometric interpretation is missing; taken as MONOCHROME2.")
        return "MONOCHROME2", 1
    if photometric not in _ONE_SAMPLE + _THREE_SAMPLES:
        raise UnsupportedError(
            name,
            "The photometric interpretation is none that is read here.",
            f"Convert the file to one of {', '.join(_ONE_SAMPLE + _THREE_SAMPLES)}.",
        )
    expected = 1 if photometric in _ONE_SAMPLE else 3
    if samples != expected:
        notes.append(f"The header has {samples} samples a pixel for {photometric}, which has {expected}.")
    return photometric, expected


def _bits(header: Header, name: str, notes: list[str]) -> tuple[int, int, int]:
    allocated = header.integer("BitsAllocated")
    if allocated is None:
        raise UnreadableError(name, "The header does not say how many bits a sample takes.")
    if allocated not in (8, 16):
        raise UnsupportedError(name, f"Samples of {allocated} bits are not read, only 8 and 16.")
    stored, high = header.integer("BitsStored"), header.integer("HighBit")
    if stored is None or not 1 <= stored <= allocated:
        notes.append(f"The header has {stored} bits stored of {allocated}; taken as {allocated}.")
        stored = allocated
    if high is None or not stored - 1 <= high < allocated:
        if high is not None:
            notes.append(f"The header has high bit {high} for {stored} bits stored; taken as {stored - 1}.")
        high = stored - 1
    return allocated, stored, high


def require_picture(header: Header, name: str) -> None:
    """Refuse what has no picture, in a sentence that says what it has.

    Raises
    ------
    NotImageError
        For reports, waveforms, directories, presentation states.
    UnreadableError
        For a picture whose pixels are missing.
    UnsupportedError
        For pixels stored as floating point numbers, or on a server.
    """
    if header.pixels is not None:
        if header.pixels.keyword != "PixelData":
            raise UnsupportedError(name, "Pixels stored as floating point numbers are not read.")
        return
    values = header.values
    if header.cut:
        raise UnreadableError(name, "Is cut off inside the DICOM header.")
    if "DirectoryRecordSequence" in values or header.sop_class.endswith(".1.3.10"):
        # Said of one in a folder that was given, and of one that was opened by itself.
        reason = "Is a DICOMDIR: it lists files and holds no picture."
        raise NotImageError(name, reason, "Where its folder is given, those files are read.")
    for keyword, what in (("WaveformSequence", "a waveform"), ("ContentSequence", "a structured report")):
        if keyword in values:
            raise NotImageError(name, f"Holds {what} and no picture.")
    if name_of(header.syntax).startswith("JPIP"):
        reason = f"Its pixels are not in the file, but on a server (transfer syntax {name_of(header.syntax)})."
        raise UnsupportedError(name, reason, "Export it from the archive with its pixels.")
    if "Rows" in values and "Columns" in values:
        raise UnreadableError(name, "The header describes a picture, but its pixels are missing (cut off?).")
    raise NotImageError(name, "Is a DICOM file without pixels (a report, a presentation state or the like).")
