"""A bundle: one network with all it needs to answer, in a folder or in one ``.echoplane`` file.

::

    bundle.json             vocabulary, recipe, sampling, calibration, thresholds, data, metrics, hashes
    weights.safetensors     the weights, for torch
    model.onnx              the network in f32, for every other engine
    network-int8.xml, .bin  optional: the network in int8, for OpenVINO
    MODEL_CARD.md           optional: the same facts for people

Loading never unpickles, never extracts, and checks the hash of whatever it reads. The hashes find damage; they do
not prove who made a bundle.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from importlib import resources
from pathlib import Path

import msgspec

from echoplane import config
from echoplane.errors import BundleError, ConfigError
from echoplane.models.bundle_facts import FORMAT, FORMAT_VERSION, BundleFacts, Member
from echoplane.models.bundle_files import (
    FACTS_NAME,
    MEMBER_LIMIT,
    BundleFiles,
    MemoryFiles,
    open_files,
    write_files,
)

WEIGHTS_NAME = "weights.safetensors"
ONNX_NAME = "model.onnx"
CARD_NAME = "MODEL_CARD.md"

#: The word for the bundle that ships; a folder of this name is ``./default``.
DEFAULT = "default"

#: ``bundle.json`` is text about a network; more than this (bytes) is something else.
_FACTS_LIMIT = 4 * 1024**2


class Bundle:
    """A loaded bundle. Use :meth:`load` or :meth:`create`.

    Attributes
    ----------
    facts : BundleFacts
    files : BundleFiles
        The members; use :meth:`read`, which checks the hash.
    """

    def __init__(self, facts: BundleFacts, files: BundleFiles, facts_bytes: bytes) -> None:
        self.facts = facts
        self.files = files
        self._facts_bytes = facts_bytes

    @classmethod
    def load(cls, path: str | Path | None = None) -> Bundle:
        """Load a bundle; the weights stay on disk until an engine asks for them.

        Parameters
        ----------
        path : str, Path or None
            Folder or file. None, or the word ``default``, takes the bundle that ships with the package.

        Raises
        ------
        BundleError
            Nothing there, a foreign or damaged file, a member missing, or a version this package does not know.
        """
        files = open_files(default_path() if path in (None, DEFAULT) else Path(path))
        sizes = files.sizes()
        if FACTS_NAME not in sizes:
            inner = Path(files.where) / "bundle"  # of a training run
            hint = f" {inner} is one." if (inner / FACTS_NAME).is_file() else ""
            raise BundleError(f"{files.where}: is no echoplane bundle: it holds no {FACTS_NAME}.{hint}")
        if sizes[FACTS_NAME] > _FACTS_LIMIT:
            raise BundleError(f"{files.where}: {FACTS_NAME} has {sizes[FACTS_NAME]} bytes; that is no description.")
        raw = files.read(FACTS_NAME)
        bundle = cls(_parse(raw, files.where), files, raw)
        bundle._check_sizes(sizes)
        return bundle

    @classmethod
    def create(cls, facts: BundleFacts, members: Mapping[str, bytes]) -> Bundle:
        """Make a bundle in memory from its facts and the bytes of its members; sizes and hashes are filled in.

        Raises
        ------
        UsageError
            When a member name is not plain.
        BundleError
            When a variant names a file that is not among the members.
        """
        hashes = {name: Member(len(data), hashlib.sha256(data).hexdigest()) for name, data in sorted(members.items())}
        facts = replace(facts, members=hashes)
        plain = {"format": facts.format, "format_version": facts.format_version, **config.to_mapping(facts)}
        raw = msgspec.json.format(msgspec.json.encode(plain), indent=1) + b"\n"
        bundle = cls(facts, MemoryFiles({**members, FACTS_NAME: raw}), raw)
        bundle._check_sizes(bundle.files.sizes())
        return bundle

    def _check_sizes(self, sizes: Mapping[str, int]) -> None:
        wanted = self.facts.members
        for variant in self.facts.variants:
            if len(variant.files) not in (1, 2):
                raise BundleError(
                    f"{self.where}: variant {variant.precision} names {len(variant.files)} files: expected one ONNX "
                    "file, or an OpenVINO .xml and its .bin."
                )
        for name in (n for variant in self.facts.variants for n in variant.files):
            if name not in wanted:
                raise BundleError(f"{self.where}: a variant needs {name}, which is not among the members.")
        for name, member in wanted.items():
            if name not in sizes:
                raise BundleError(f"{self.where}: {name} is missing; get the whole bundle again.")
            if sizes[name] != member.size or member.size > MEMBER_LIMIT:
                raise BundleError(
                    f"{self.where}: {name} has {sizes[name]} bytes, expected {member.size}; get the bundle again."
                )

    @property
    def where(self) -> str:
        """Folder or file of this bundle, for messages."""
        return self.files.where

    @property
    def name(self) -> str:
        """Name of the bundle."""
        return self.facts.name

    @cached_property
    def hash(self) -> str:
        """SHA-256 of ``bundle.json``, which holds every member's hash: it names exactly these weights and settings."""
        return hashlib.sha256(self._facts_bytes).hexdigest()

    def read(self, name: str) -> bytes:
        """Return a member's bytes after checking its hash.

        Raises
        ------
        BundleError
            When the bundle has no such member, or its bytes are not those that were written.
        """
        member = self.facts.members.get(name)
        if member is None:
            raise BundleError(f"{self.where}: holds no {name}; it has {', '.join(self.facts.members) or 'no members'}.")
        data = self.files.read(name)
        if hashlib.sha256(data).hexdigest() != member.sha256:
            raise BundleError(f"{self.where}: {name} is damaged (its hash differs); get the bundle again.")
        return data

    def verify(self) -> tuple[str, ...]:
        """Read every member and check its hash.

        Returns
        -------
        tuple of str
            Names of files in the bundle that are not members of it; they are never read.

        Raises
        ------
        BundleError
            For the first member that is not as written.
        """
        for name in self.facts.members:
            self.read(name)
        return tuple(n for n in self.files.sizes() if n not in self.facts.members and n != FACTS_NAME)

    def save(self, path: str | Path) -> Path:
        """Write the bundle: one file when `path` ends in ``.echoplane`` or ``.zip``, else a folder.

        Raises
        ------
        BundleError
            When a member is damaged, or the folder holds other files.
        """
        members = {name: self.read(name) for name in self.facts.members}
        write_files(Path(path), {**members, FACTS_NAME: self._facts_bytes})
        return Path(path)


def default_path() -> Path:
    """Return the folder of the bundle that ships with the package.

    Raises
    ------
    BundleError
        When this installation has none.
    """
    folder = Path(str(resources.files("echoplane"))) / "weights" / "default"
    if not (folder / FACTS_NAME).is_file():
        raise BundleError(
            "This installation of echoplane carries no default weights. Give a bundle: --bundle FILE on the command "
            "line, ViewClassifier.load('FILE') in Python; `echoplane train` and `echoplane bundle pack` make one."
        )
    return folder


def _parse(raw: bytes, where: str) -> BundleFacts:
    try:
        data = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BundleError(f"{where}: {FACTS_NAME} is damaged: {error}.") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise BundleError(f"{where}: is no echoplane bundle: its {FACTS_NAME} is of another kind.")
    version = data.get("format_version")
    if not isinstance(version, int) or not 1 <= version <= FORMAT_VERSION:
        raise BundleError(
            f"{where}: is a bundle of version {version!r}, and this echoplane reads version {FORMAT_VERSION}. "
            "Run: pip install --upgrade echoplane"
        )
    try:
        return config.from_mapping(BundleFacts, data, f"{where}: {FACTS_NAME}")
    except ConfigError as error:
        raise BundleError(str(error)) from error
