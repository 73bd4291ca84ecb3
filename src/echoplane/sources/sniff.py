"""What kind of file is this? Told from its first bytes; the name counts only where bytes cannot tell."""

from __future__ import annotations

import re
import stat
import zlib
from pathlib import Path

from echoplane.errors import UnreadableError
from echoplane.sources.guard import reading

#: Bytes looked at; covers the DICOM preamble, a NIfTI header and the tar mark.
HEAD = 1024

#: (offset, bytes, format): the first row that fits wins. DICOM comes first because its free preamble may look like
#: something else (dual DICOM and TIFF files do so on purpose).
_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (128, b"DICM", "dicom"),
    (0, b"\x89PNG\r\n\x1a\n", "png"),
    (0, b"\xff\xd8\xff", "jpeg"),
    (0, b"GIF87a", "gif"),
    (0, b"GIF89a", "gif"),
    (0, b"II*\x00", "tiff"),
    (0, b"MM\x00*", "tiff"),
    (0, b"II+\x00", "tiff"),
    (0, b"MM\x00+", "tiff"),
    (0, b"\x1aE\xdf\xa3", "mkv"),
    (0, b"0&\xb2u\x8ef\xcf\x11", "wmv"),
    (0, b"FLV\x01", "flv"),
    (0, b"OggS", "ogg"),
    (0, b"\x00\x00\x01\xba", "mpeg"),
    (0, b"\x00\x00\x01\xb3", "mpegvideo"),
    (0, b"\x93NUMPY", "npy"),
    (344, b"n+1\x00", "nifti"),
    (344, b"ni1\x00", "nifti"),
    (4, b"n+2\x00\r\n\x1a\n", "nifti"),
    (4, b"ni2\x00\r\n\x1a\n", "nifti"),
    (0, b"Rar!\x1a\x07", "rar"),
    (0, b"7z\xbc\xaf'\x1c", "7z"),
    (257, b"ustar", "tar"),
    (0, b"BZh", "bzip2"),
    (0, b"\xfd7zXZ\x00", "xz"),
    (0, b"(\xb5/\xfd", "zstd"),
    (0, b"%PDF", "pdf"),
    (0, b"\x89HDF\r\n\x1a\n", "hdf5"),
    (0, b"MATLAB 5.0 MAT-file", "mat"),
    (0, b"NRRD0", "nrrd"),
    (0, b"\x00\x00\x00\x0cjP  \r\n\x87\n", "jpeg2000"),
    (0, b"\xffO\xffQ", "jpeg2000"),
    (0, b"SQLite format 3\x00", "database"),
    (0, b"\x7fELF", "program"),
    (0, b"MZ", "program"),
    (0, b"\x00\x05\x16\x07", "system"),
    (0, b"\x00\x00\x00\x01Bud1", "system"),
)
_RIFF = {b"AVI ": "avi", b"WEBP": "webp", b"WAVE": "sound"}
#: First boxes of the ISO base media family; old QuickTime files begin with the later ones.
_ISO_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_ISO_STILLS = (b"heic", b"heix", b"mif1", b"avif", b"avis", b"hevc", b"msf1")
_H264_START = re.compile(rb"\x00\x00\x00?\x01[\x67\x27\x47\x09]")
_HEVC_START = re.compile(rb"\x00\x00\x00?\x01[\x40\x42\x44\x46]\x01")
_METAIMAGE = re.compile(rb"^\s*(ObjectType|NDims|Comment)\s*=", re.IGNORECASE)
_PICKLE = re.compile(rb"\x80[\x02-\x05]")

#: Files that an operating system or a file manager leaves behind.
SYSTEM_FILES = frozenset({".ds_store", "thumbs.db", "ehthumbs.db", "desktop.ini", ".directory", ".localized"})

#: Endings of the formats, for the note that a name and its content differ.
ENDINGS = {
    "dicom": (".dcm", ".dicom", ".ima"),
    "png": (".png", ".apng"),
    "jpeg": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "bmp": (".bmp", ".dib"),
    "webp": (".webp",),
    "tiff": (".tif", ".tiff"),
    "gif": (".gif",),
    "avi": (".avi",),
    "mp4": (".mp4", ".m4v", ".mov", ".qt", ".3gp"),
    "mkv": (".mkv", ".webm"),
    "wmv": (".wmv", ".asf"),
    "mpeg": (".mpg", ".mpeg", ".vob"),
    "mpegts": (".ts", ".m2ts", ".mts"),
    "mpegvideo": (".m2v", ".m1v", ".mpv"),
    "h264": (".h264", ".264", ".avc"),
    "hevc": (".h265", ".265", ".hevc"),
    "flv": (".flv",),
    "ogg": (".ogv", ".ogg"),
    "nifti": (".nii", ".hdr"),
    "nifti_gz": (".nii.gz",),
    "metaimage": (".mhd", ".mha"),
    "npy": (".npy",),
    "npz": (".npz",),
}
#: Formats of single pictures, which may be the frames of a cine; and of videos.
PICTURES = frozenset({"png", "jpeg", "bmp", "webp", "tiff"})
VIDEOS = frozenset(
    {"avi", "mp4", "mkv", "wmv", "gif", "mpeg", "mpegts", "mpegvideo", "h264", "hevc", "flv", "ogg"}
)  # the keys of video.CONTAINERS, here so that nothing has to import FFmpeg to know them
_BY_ENDING = {ending: name for name, endings in ENDINGS.items() for ending in endings}


def sniff(path: Path, source: object) -> str:
    """Tell the format of a regular file.

    Parameters
    ----------
    path : Path
    source : object
        Name for messages.

    Returns
    -------
    str
        A key of :data:`ENDINGS`; an archive or other kind that is not read (``"zip"``, ``"pdf"``, ``"text"``, ...); or
        ``"unknown"``.

    Raises
    ------
    UnreadableError
        When there is no such file, it is empty, is no regular file, or may not be read.
    """
    with reading(source):
        mode = path.stat().st_mode
        # Opening a pipe or a device could wait for ever.
        if not stat.S_ISREG(mode):
            raise UnreadableError(source, "Is no regular file (a pipe, socket or device).")
        with path.open("rb") as stream:
            head = stream.read(HEAD)
    if path.name.lower() in SYSTEM_FILES or (not head and path.name.startswith(".")):  # .gitkeep and the like
        return "system"
    if not head:
        raise UnreadableError(source, "Is empty (0 bytes).", "Was the copy interrupted?")
    return sniff_bytes(head) or _unmarked(path, head)


def sniff_bytes(head: bytes) -> str:
    """Return the format that the first bytes of a file (up to :data:`HEAD`) give away, or ``""``."""
    for offset, mark, name in _MAGIC:
        if head.startswith(mark, offset):
            return name
    if head[:4] == b"RIFF" and head[8:12] in _RIFF:
        return _RIFF[head[8:12]]
    if head[4:8] in _ISO_BOXES:
        return "heic" if head[4:8] == b"ftyp" and head[8:12] in _ISO_STILLS else "mp4"
    if head[:2] == b"BM" and head[14:18] in (b"\x0c\0\0\0", b"\x28\0\0\0", b"\x6c\0\0\0", b"\x7c\0\0\0"):
        return "bmp"
    if head[:2] == b"PK":
        return _zip_kind(head)
    if head[:2] == b"\x1f\x8b":
        return _gzip_kind(head)
    if len(head) > 376 and head[0] == head[188] == head[376] == 0x47:
        return "mpegts"
    return _by_pattern(head)


def _by_pattern(head: bytes) -> str:
    for pattern, name in (
        (_HEVC_START, "hevc"),
        (_H264_START, "h264"),
        (_METAIMAGE, "metaimage"),
        (_PICKLE, "pickle"),
    ):
        if pattern.match(head):
            return name
    return ""


def _zip_kind(head: bytes) -> str:
    length = int.from_bytes(head[26:28], "little")
    first = head[30 : 30 + length]
    if first.endswith(b".npy"):
        return "npz"
    return "document" if first in (b"[Content_Types].xml", b"mimetype") else "zip"


def _gzip_kind(head: bytes) -> str:
    try:
        inside = zlib.decompressobj(31).decompress(head, 512)
    except zlib.error:
        return "gzip"
    return "nifti_gz" if sniff_bytes(inside) == "nifti" else "gzip"


def _unmarked(path: Path, head: bytes) -> str:
    """Tell files without a mark: DICOM without its preamble, and text."""
    from echoplane.sources.dicom.sniff import is_dicom

    if is_dicom(path):
        return "dicom"
    return "text" if is_text(head) else "unknown"


def is_text(head: bytes) -> bool:
    """Tell whether bytes look like text: UTF-8 (or UTF-16 with its mark) without control characters."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return True
    if re.search(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]", head):
        return False
    for cut in range(4):  # a character may be cut at the end of the head
        try:
            head[: len(head) - cut].decode("utf-8")
        except UnicodeDecodeError:
            continue
        return True
    return False


def named_format(name: str) -> str:
    """Return the format that a file's ending claims, or ``""``."""
    lower = name.lower()
    if lower.endswith(".nii.gz"):
        return "nifti_gz"
    dot = lower.rfind(".")
    return _BY_ENDING.get(lower[dot:], "") if dot > 0 else ""
