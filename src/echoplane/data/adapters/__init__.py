"""How labelled data sets lie on disk: one adapter a layout, all giving the same manifest."""

from __future__ import annotations

from pathlib import Path

from echoplane.data.adapters import camus, echonet, ev9v, folders, frames, hmc_qu, mimic, phantom, sheet, tmed2
from echoplane.data.adapters.layout import Layout, Options
from echoplane.data.labels import LabelTable
from echoplane.data.manifest import NO_VIEW, Manifest, settle
from echoplane.errors import DataError, UsageError
from echoplane.views import suggest

__all__ = ["LAYOUTS", "Layout", "Options", "layout_named", "read_manifest"]

#: Every layout by name, in the order of the help.
LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        folders.LAYOUT,
        sheet.LAYOUT,
        frames.LAYOUT,
        ev9v.LAYOUT,
        camus.LAYOUT,
        echonet.DYNAMIC,
        echonet.PEDIATRIC,
        echonet.LVH,
        tmed2.LAYOUT,
        mimic.LAYOUT,
        hmc_qu.LAYOUT,
        phantom.LAYOUT,
    )
}


def layout_named(name: str) -> Layout:
    """Look a layout up.

    Raises
    ------
    UsageError
        When there is none of that name; the message lists those that exist.
    """
    try:
        return LAYOUTS[name]
    except KeyError:
        raise UsageError(
            f"no layout is called {name!r}{suggest(name, LAYOUTS) or '.'} Known: {', '.join(LAYOUTS)}."
        ) from None


def read_manifest(
    name: str, root: str | Path, options: Options | None = None, *, may_be_empty: bool = False
) -> Manifest:
    """List the cines of a data set.

    Parameters
    ----------
    name : str
        Of a layout.
    root : str or Path
    options : Options, optional
    may_be_empty : bool
        A data set of which no cine is there is no error.

    Raises
    ------
    UsageError
        Unknown layout.
    DataError
        The folder is not there, does not look like the layout, or holds no cine at all.
    """
    layout, folder = layout_named(name), Path(root)
    if not folder.is_dir():
        raise DataError(f"{folder}: is no folder.")
    options = options or Options()
    manifest = settle(layout.read(folder, options), options.labels.over(LabelTable.of_layout(layout.name)))
    if not manifest.rows and not may_be_empty:
        # A result file of `predict` has many lines without a view; they are not why.
        telling = [failure for failure in manifest.failures if failure.reason != NO_VIEW] or list(manifest.failures)
        why = f" The first of {len(telling)} problems: {telling[0].file}: {telling[0].reason}" if telling else ""
        raise DataError(f"{folder}: no cine was found in the layout {name!r}.{why}")
    return manifest
