"""``echoplane info``: what is in a file, how it will be treated, and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from echoplane.apps.cli._common import (
    EXIT_OK,
    EXIT_SOME_FAILED,
    EXIT_USAGE,
    console,
    json_text,
    print_error,
    printable,
    short_names,
)

if TYPE_CHECKING:
    from rich.console import RenderableType

    from echoplane.pipelines.info import FileInfo
    from echoplane.records import Region, Sector

_HELP = """Show what is in files, how they will be treated, and why. Nothing is answered and nothing is written.

\b
  echoplane info clip.dcm          one file, everything about it
  echoplane info study/            one line a file
  echoplane info study/ --json     all of it, for programs

No patient data is shown.

Exit code: 0 every file could be dealt with; 1 some were too_short, unsupported, refused or unreadable; 2 wrong usage,
or nothing found.
"""

#: RegionSpatialFormat and RegionDataType (PS3.3 C.8.5.5.1.1 and C.8.5.5.1.2).
_SPATIAL = ("no format", "2D", "M-mode", "spectral", "waveform", "graphics")
_DATA = (
    "no data", "tissue", "colour flow", "PW Doppler", "CW Doppler", "Doppler mean", "Doppler mode", "Doppler maximum",
    "volume", "dV/dt", "ECG", "pulse", "phonocardiogram", "grey bar", "colour bar", "backscatter", "area", "dA/dt",
    "other",
)  # fmt: skip
_FAILED = ("too_short", "unsupported", "refused", "unreadable")


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command("info", help=_HELP, short_help="Show what is in files and how they will be treated.")
    def command(
        paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Files and folders.", show_default=False)],
        as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list instead of a table.")] = False,
        bundle: Annotated[
            str | None,
            typer.Option(help="Tell the treatment by this model bundle.", show_default="the one that ships"),
        ] = None,
        no_sector: Annotated[
            bool, typer.Option("--no-sector", help="Read headers only; do not look for the ultrasound sector.")
        ] = False,
        stills: Annotated[
            bool, typer.Option("--stills", help="Numbered pictures are stills, not the frames of cines.")
        ] = False,
        follow_links: Annotated[bool, typer.Option("--follow-links", help="Walk into folders behind links.")] = False,
        limit_pixels: Annotated[
            int | None,
            typer.Option(min=1, help="Refuse frames of more pixels than this.", show_default="50000000"),
        ] = None,
    ) -> None:
        from echoplane._files import nothing_to_read
        from echoplane.pipelines.info import info
        from echoplane.sources.limits import DEFAULT_LIMITS, Limits

        found = info(
            paths,
            bundle=bundle,
            sector=not no_sector,
            follow_links=follow_links,
            group_frames=not stills,
            limits=DEFAULT_LIMITS if limit_pixels is None else Limits(max_pixels=limit_pixels),
        )
        total, failed = _print_json(found) if as_json else _print_tables(found)
        if not total:
            print_error(str(nothing_to_read(paths)))
            raise typer.Exit(EXIT_USAGE)
        raise typer.Exit(EXIT_SOME_FAILED if failed else EXIT_OK)


def _print_json(found: Iterator[FileInfo]) -> tuple[int, int]:
    """Print one list, file by file, so that a long one can be read while it comes."""
    total = failed = 0
    for one in found:
        print("[" if not total else ",")
        print(json_text(one), end="")
        total += 1
        failed += one.status in _FAILED
    print("\n]" if total else "[]")
    return total, failed


def _print_tables(found: Iterator[FileInfo]) -> tuple[int, int]:
    """Print one file at length, or many as a list."""
    first = next(found, None)
    if first is None:
        return 0, 0
    second = next(found, None)
    if second is None:
        console().print(_one(first))
        return 1, int(first.status in _FAILED)
    out = console()
    total = failed = 0
    part: list[FileInfo] = []
    for one in _chain(first, second, found):
        total += 1
        failed += one.status in _FAILED
        part.append(one)
        if len(part) == 50:  # so many in one table that a long list still comes as it is made
            out.print(_many(part, out.width))
            part = []
    if part:
        out.print(_many(part, out.width))
    counts = f"{total} files" + (f"; {failed} could not be dealt with" if failed else "")
    console(stderr=True).print(f"{counts}.", markup=False)
    return total, failed


def _chain(first: FileInfo, second: FileInfo, rest: Iterator[FileInfo]) -> Iterator[FileInfo]:
    yield first
    yield second
    yield from rest


def _one(one: FileInfo) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    for name, value, style in _lines(one):
        table.add_row(name, Text(printable(value), style=style))
    return table


def _lines(one: FileInfo) -> Iterator[tuple[str, str, str]]:
    """Yield (name, value, style); a value of several lines repeats no name."""
    yield "file", one.file, "bold"
    colour = "green" if one.status == "ok" else "red" if one.status in _FAILED else "yellow"
    yield "status", str(one.status), colour
    for i, sentence in enumerate(one.treatment):
        yield "" if i else "treatment", sentence, ""
    if one.bytes:
        yield "size on disk", _bytes(one.bytes) + (f" in {one.files} files" if one.files > 1 else ""), ""
    if one.n_frames:
        yield "kind", str(one.kind).replace("_", " "), ""
        length = f", {one.seconds:.2f} s" if one.seconds else ""
        yield "frames", f"{one.n_frames} of {one.width} x {one.height} pixels{length}", ""
        rate = f"{one.fps:.5g} a second (from {one.fps_source})" if one.fps else "not known"
        yield "frame rate", rate, ""
    if one.spacing_mm:
        yield "pixel size", f"{one.spacing_mm[0]:.4g} mm high, {one.spacing_mm[1]:.4g} mm wide", ""
    for i, region in enumerate(one.regions):
        yield "" if i else "regions", _region(region), ""
    if one.sector is not None:
        yield "sector", _sector(one.sector), ""
    for name, value in one.facts.items():
        yield name.replace("_", " "), value, ""
    for i, note in enumerate(one.notes):
        yield "" if i else "notes", note, "yellow"


def _many(found: list[FileInfo], width: int) -> RenderableType:
    from echoplane.apps.cli._results import NAME_WIDTH, Column, noted_table

    names = short_names([printable(one.file) for one in found], NAME_WIDTH)
    rows = []
    for name, one in zip(names, found, strict=True):
        style = "green" if one.status == "ok" else "red" if one.status in _FAILED else "yellow"
        said = (*(() if one.status == "ok" else one.treatment[:1]), *one.notes)
        rows.append(
            (
                (name, ""),
                (str(one.status), style),
                (str(one.n_frames or ""), ""),
                (f"{one.width} x {one.height}" if one.width else "", ""),
                (f"{one.fps:.4g}" if one.fps else "", ""),
                ("" if one.sector is None else f"{one.sector.confidence:.2f}", ""),
                (printable(" ".join(said)), ""),
            )
        )
    columns = (
        Column("file", breaks="anywhere"),
        Column("status"),
        Column("frames", right=True),
        Column("size"),
        Column("fps", right=True),
        Column("sector", right=True),
        Column("note"),
    )
    return noted_table(columns, rows, width)


def _bytes(count: int) -> str:
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"


def _region(region: Region) -> str:
    spatial = _SPATIAL[region.spatial_format] if region.spatial_format < len(_SPATIAL) else str(region.spatial_format)
    data = _DATA[region.data_type] if region.data_type < len(_DATA) else str(region.data_type)
    size = (
        "" if region.spacing_mm is None else f", pixels of {region.spacing_mm[0]:.3g} x {region.spacing_mm[1]:.3g} mm"
    )
    return f"{spatial}, {data}: columns {region.x0} to {region.x1 - 1}, rows {region.y0} to {region.y1 - 1}{size}"


def _sector(sector: Sector) -> str:
    x0, y0, x1, y1 = sector.box
    where = {"dicom": "from the header", "pixels": "from the pixels", "given": "as given"}.get(
        sector.origin, "not found"
    )
    return (
        f"{sector.kind}, confidence {sector.confidence:.2f}, {where}: columns {x0} to {x1 - 1}, rows {y0} to {y1 - 1}"
    )
