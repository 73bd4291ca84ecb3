"""The files of a bundle, in a folder, in one zip archive or in memory: read whole, by plain name, never extracted.

A zip must be stored, not compressed: nothing can then unpack to more than its own size, and the weights could not be
made smaller anyway.
"""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from echoplane._files import atomic_write
from echoplane.errors import BundleError
from echoplane.models.bundle_facts import MEMBER_NAME

#: The member that describes all others.
FACTS_NAME = "bundle.json"

#: Endings that mean "one file".
ARCHIVE_SUFFIXES = (".echoplane", ".zip")

#: No member of a bundle may be larger (bytes).
MEMBER_LIMIT = 2 * 1024**3

# The oldest date that a zip can carry: the same content gives the same bytes.
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)


class BundleFiles(Protocol):
    """Read access to the members of a bundle."""

    where: str

    def sizes(self) -> Mapping[str, int]:
        """Size in bytes of every member, by name."""

    def read(self, name: str) -> bytes:
        """Return the bytes of a member; BundleError when it cannot be read."""


class MemoryFiles:
    """Members held in memory, before they are saved."""

    def __init__(self, members: Mapping[str, bytes], where: str = "bundle in memory") -> None:
        self.where = where
        self._members = dict(members)

    def sizes(self) -> Mapping[str, int]:
        """Size in bytes of every member, by name."""
        return {name: len(data) for name, data in self._members.items()}

    def read(self, name: str) -> bytes:
        """Return the bytes of a member."""
        return self._members[name]


class FolderFiles:
    """Members as files of one folder; sub-folders and links that leave it are not members."""

    def __init__(self, folder: Path) -> None:
        self.where = str(folder)
        self._folder = folder

    def sizes(self) -> Mapping[str, int]:
        """Size in bytes of every member, by name."""
        inside = self._folder.resolve()
        found = {}
        for path in sorted(self._folder.iterdir()):
            if MEMBER_NAME.fullmatch(path.name) and path.is_file() and path.resolve().parent == inside:
                found[path.name] = path.stat().st_size
        return found

    def read(self, name: str) -> bytes:
        """Return the bytes of a member; BundleError when it cannot be read."""
        try:
            return (self._folder / name).read_bytes()
        except OSError as error:
            raise BundleError(f"{self.where}: {name} cannot be read ({error.strerror}).") from error


class ZipFiles:
    """Members of a zip archive that holds nothing but stored files with plain names."""

    def __init__(self, path: Path) -> None:
        self.where = str(path)
        self._path = path
        try:
            with zipfile.ZipFile(path) as archive:
                infos = archive.infolist()
        except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError) as error:
            raise BundleError(
                f"{path}: is not a bundle: neither a folder nor a whole zip archive ({error})."
            ) from error
        except OSError as error:
            raise BundleError(f"{path}: cannot be read ({error.strerror}).") from error
        self._infos = self._checked(infos)

    def _checked(self, infos: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
        names = [info.filename for info in infos]
        if FACTS_NAME not in names:
            raise BundleError(f"{self.where}: is a zip archive, but no echoplane bundle: it holds no {FACTS_NAME}.")
        for info in infos:
            if not MEMBER_NAME.fullmatch(info.filename) or stat.S_ISLNK(info.external_attr >> 16):
                raise BundleError(f"{self.where}: refused: {info.filename!r} is not a plain file name.")
            if info.flag_bits & 1 or info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
                raise BundleError(
                    f"{self.where}: refused: {info.filename} is compressed or encrypted, and bundles are stored plain. "
                    "Unpack it and run: echoplane bundle pack FOLDER"
                )
        if len(set(names)) != len(names):
            raise BundleError(f"{self.where}: refused: a member name occurs twice.")
        if sum(info.file_size for info in infos) > self._path.stat().st_size:
            raise BundleError(f"{self.where}: refused: its members claim more bytes than the file has.")
        return {info.filename: info for info in infos}

    def sizes(self) -> Mapping[str, int]:
        """Size in bytes of every member, by name."""
        return {name: info.file_size for name, info in self._infos.items()}

    def read(self, name: str) -> bytes:
        """Return the bytes of a member; BundleError when it cannot be read."""
        try:
            with zipfile.ZipFile(self._path) as archive:
                return archive.read(self._infos[name])
        # RuntimeError: a flag asks for a password, or for what zipfile cannot undo (NotImplementedError).
        except (zipfile.BadZipFile, OSError, EOFError, RuntimeError) as error:
            raise BundleError(f"{self.where}: {name} is damaged ({error}).") from error


def open_files(path: Path) -> BundleFiles:
    """Open the folder or the archive at `path`.

    Raises
    ------
    BundleError
        When there is nothing, or something else than a bundle.
    """
    if path.is_dir():
        return FolderFiles(path)
    if not path.exists():
        raise BundleError(f"{path}: there is no such bundle. Give a folder, or a file ending in .echoplane.")
    return ZipFiles(path)


def write_files(path: Path, members: Mapping[str, bytes]) -> None:
    """Write members as an archive (`path` ends in .echoplane or .zip) or as a folder; the archive appears whole or not.

    Raises
    ------
    BundleError
        When the folder exists and holds files that are not part of this bundle.
    """
    ordered = sorted(members, key=lambda name: (name != FACTS_NAME, name))
    if path.suffix.lower() in ARCHIVE_SUFFIXES:
        with atomic_write(path, "wb") as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
            for name in ordered:
                info = zipfile.ZipInfo(name, _ZIP_DATE)
                info.external_attr = 0o644 << 16
                archive.writestr(info, members[name])
        return
    strangers = sorted(p.name for p in path.iterdir() if p.name not in members) if path.is_dir() else []
    if strangers:
        raise BundleError(f"{path}: holds other files ({', '.join(strangers[:3])}); give an empty or a new folder.")
    # bundle.json goes last: a folder without it is no bundle, so a torn write is seen.
    for name in reversed(ordered):
        with atomic_write(path / name, "wb") as stream:
            stream.write(members[name])
