"""What is in a file, how it will be treated, and why: what ``echoplane info`` shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from echoplane._files import each_path
from echoplane.errors import BundleError, EchoplaneError, PrepareError, ReadError, TooShortError
from echoplane.inference.decide import gate
from echoplane.models.bundle import Bundle
from echoplane.models.bundle_facts import BundleFacts
from echoplane.prepare.deidentify import is_sure
from echoplane.prepare.sector import find_sector
from echoplane.records import Cine, CineKind, Region, Sector, Status
from echoplane.sampling.clips import plan
from echoplane.sources.discover import discover
from echoplane.sources.item import SourceItem
from echoplane.sources.limits import DEFAULT_LIMITS, Limits
from echoplane.sources.open import open_cine

#: Kinds whose picture is no slice of the body.
_WITHOUT_SECTOR = (CineKind.SPECTRAL_DOPPLER, CineKind.M_MODE, CineKind.VOLUME, CineKind.OTHER_MODALITY)


@dataclass(frozen=True, slots=True)
class FileInfo:
    """One file, read but not answered.

    Attributes
    ----------
    file : str
        As given by the user.
    status : Status
        ``ok`` when a network would be run on it; else how it will end.
    treatment : tuple of str
        What will be done with it, and why, one sentence each.
    bytes : int
        Of all its files together; 0 where unknown.
    files : int
        How many files it is made of.
    kind : CineKind
    n_frames, height, width : int
    fps : float or None
    fps_source : str
    seconds : float or None
        Length, where the frame rate is known.
    spacing_mm : tuple of float or None
        (row, column) size of a pixel.
    regions : tuple of Region
    sector : Sector or None
        None where it was not looked for.
    notes : tuple of str
        What is odd about the file.
    facts : mapping of str to str
        Format, codec, colour and the like.
    """

    file: str
    status: Status
    treatment: tuple[str, ...] = ()
    bytes: int = 0
    files: int = 1
    kind: CineKind = CineKind.UNKNOWN
    n_frames: int = 0
    height: int = 0
    width: int = 0
    fps: float | None = None
    fps_source: str = ""
    seconds: float | None = None
    spacing_mm: tuple[float, float] | None = None
    regions: tuple[Region, ...] = ()
    sector: Sector | None = None
    notes: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)


def info(
    paths: str | Path | Iterable[str | Path],
    *,
    bundle: str | Path | None = None,
    sector: bool = True,
    follow_links: bool = False,
    group_frames: bool = True,
    limits: Limits = DEFAULT_LIMITS,
) -> Iterator[FileInfo]:
    """Look into files and folders; one result each, as soon as it is there.

    Parameters
    ----------
    paths : str, Path or iterable of them
    bundle : str, Path or None
        Whose sampling rule tells how a cine will be treated; None takes the weights that ship, if there are any.
    sector : bool
        Also decode a few frames and look for the ultrasound sector.
    follow_links, group_frames : bool
        See :func:`echoplane.sources.discover.discover`.
    limits : Limits

    Yields
    ------
    FileInfo

    Raises
    ------
    BundleError
        When a bundle was named and cannot be used.
    UsageError
        At an empty path.
    """
    given = list(each_path(paths))  # an empty one is told before the first result
    facts = _bundle_facts(bundle)
    for item in discover(given, follow_links=follow_links, group_frames=group_frames):
        yield inspect(item, facts, sector=sector, limits=limits)


def inspect(
    item: SourceItem, facts: BundleFacts | None = None, *, sector: bool = True, limits: Limits = DEFAULT_LIMITS
) -> FileInfo:
    """Look into one item; whatever is wrong with it is told in the result.

    Parameters
    ----------
    item : SourceItem
    facts : BundleFacts or None
        For the sampling rule; None leaves the clips out.
    sector : bool
    limits : Limits
    """
    size, files = _size(item)
    try:
        cine = open_cine(item, limits=limits)
        status, treatment = _treatment(cine, facts)
        found = find_sector(cine) if sector and cine.kind not in _WITHOUT_SECTOR else None
    except (ReadError, PrepareError) as error:
        return FileInfo(item.source, Status(error.status), (error.sentence,), size, files)
    except EchoplaneError as error:
        return FileInfo(item.source, Status.UNSUPPORTED, (str(error),), size, files)
    if found is not None:
        treatment += (_sector_sentence(found, cine),)
    return FileInfo(
        file=item.source,
        status=status,
        treatment=treatment,
        bytes=size,
        files=files,
        kind=cine.kind,
        n_frames=cine.n_frames,
        height=cine.height,
        width=cine.width,
        fps=cine.fps,
        fps_source=cine.fps_source,
        seconds=cine.n_frames / cine.fps if cine.fps and cine.n_frames > 1 else None,
        spacing_mm=cine.spacing_mm,
        regions=cine.regions,
        sector=found,
        notes=cine.notes,
        facts=dict(cine.facts),
    )


def _treatment(cine: Cine, facts: BundleFacts | None) -> tuple[Status, tuple[str, ...]]:
    decision = gate(cine)
    if decision.status is not None:
        return decision.status, (f"Not answered: {decision.reason}",)
    if facts is None:
        return Status.OK, ("Answered: a moving B-mode picture.",)
    try:
        sampling = plan(cine.n_frames, cine.fps, facts.sampling, source=cine.source)
    except TooShortError as error:
        return Status.TOO_SHORT, (f"Not answered: {error.sentence}",)
    clips, frames = sampling.indices.shape
    sentence = (
        f"Answered from {clips} clip{'s' if clips > 1 else ''} of {frames} frames, "
        f"for which {len(sampling.needed)} of {cine.n_frames} frames are decoded."
    )
    return Status.OK, (sentence, *sampling.notes)


def _sector_sentence(sector: Sector, cine: Cine) -> str:
    if is_sure(sector, cine.n_frames, cine.kind):
        return "Everything outside the sector is blacked out."
    return "The sector is a guess; export does not mask by it unless told to (--accept-guess)."


def _bundle_facts(bundle: str | Path | None) -> BundleFacts | None:
    try:
        return Bundle.load(bundle).facts
    except BundleError:
        if bundle is not None:
            raise
        return None


def _size(item: SourceItem) -> tuple[int, int]:
    folder = item.path if item.format == "frames" else item.path.parent
    paths = [folder / name for name in item.files] if item.files else [item.path]
    total = 0
    for path in paths:
        try:
            total += path.stat().st_size if not path.is_dir() else 0
        except (OSError, ValueError):
            return 0, len(paths)
    return total, len(paths)
