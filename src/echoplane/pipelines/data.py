"""A store looked at and split: what ``echoplane data`` does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from echoplane._files import atomic_write, each_path
from echoplane.data.checks import Finding, Level, check, count_views
from echoplane.data.duplicates import Pair, find_duplicates
from echoplane.data.manifest import Failure
from echoplane.data.secrets import other_secrets
from echoplane.data.split import Split, make_split
from echoplane.pipelines import _html as html
from echoplane.pipelines.prepare import FAILURES_FILE, read_failures
from echoplane.store import StoreReader, StoreRow, losses, open_stores

#: Frames of a small moving picture, and pictures shown for a finding.
MOVING, SHOWN = 12, 8
#: Lines shown of the list of failures; failures.csv has them all.
FAILURE_LINES = 200


@dataclass(frozen=True, slots=True)
class DataReport:
    """What was found.

    Attributes
    ----------
    findings : tuple of Finding
        Errors first.
    pairs : tuple of Pair
    failures : tuple of Failure
        What an earlier ``prepare`` could not store.
    """

    findings: tuple[Finding, ...]
    pairs: tuple[Pair, ...]
    failures: tuple[Failure, ...]

    @property
    def errors(self) -> int:
        """How many findings would make a result wrong."""
        return sum(finding.level is Level.ERROR for finding in self.findings)


def data_report(
    paths: str | Path | Sequence[str | Path],
    out: str | Path | None,
    *,
    split: str | Path | None = None,
    min_frames: int = 10,
    pictures: int = 8,
    on_start: Callable[[int], None] = lambda total: None,
    on_cine: Callable[[], None] = lambda: None,
) -> DataReport:
    """Check one or several stores, and write a page with tables and pictures.

    Parameters
    ----------
    paths : str, Path or sequence of them
        Folders or URLs of stores.
    out : str or Path or None
        The page; None writes none.
    split : str or Path, optional
        A split file to check for leaks.
    min_frames : int
        Shorter cines are named.
    pictures : int
        Moving pictures a view.
    on_start, on_cine : callable
        Told how many cines there are; called after each.

    Raises
    ------
    StoreError, DataError
        When a store or the split file cannot be read.
    """
    stores = open_stores(paths, checked=False)  # what is damaged is looked at, and told
    chosen = Split.load(split) if split else None
    on_start(sum(map(len, stores)))
    pairs = find_duplicates(stores, on_cine=on_cine)
    failures = tuple(failure for path in each_path(paths) for failure in read_failures(Path(path) / FAILURES_FILE))
    report = DataReport(tuple(check(stores, pairs, split=chosen, min_frames=min_frames)), tuple(pairs), failures)
    if out is not None:
        with atomic_write(out) as stream:
            stream.write(_page(stores, report, chosen, pictures))
    return report


def split_stores(
    paths: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    folds: int = 0,
    validation: float = 0.2,
    test: float = 0.0,
    seed: int = 0,
    given: bool = True,
    copies: bool = True,
    on_start: Callable[[int], None] = lambda total: None,
    on_cine: Callable[[], None] = lambda: None,
) -> tuple[Split, tuple[str, ...]]:
    """Split stores by patient and write the split file; see :func:`echoplane.data.split.make_split`.

    Parameters
    ----------
    copies : bool
        Look for copies of recordings first, and keep them on one side.
    """
    stores = open_stores(paths)
    on_start(sum(map(len, stores)) if copies else 0)
    pairs = find_duplicates(stores, on_cine=on_cine) if copies else []
    split, warnings = make_split(
        [row for store in stores for row in store.rows],
        folds=folds,
        validation=validation,
        test=test,
        seed=seed,
        given=given,
        together=[(pair.one.cine, pair.two.cine) for pair in pairs],
        store_of={row.cine: store.path for store in stores for row in store.rows},
    )
    split.save(out)
    return split, (*losses(stores), *warnings, *other_secrets(stores))


def _page(stores: Sequence[StoreReader], report: DataReport, split: Split | None, pictures: int) -> str:
    rows = [row for store in stores for row in store.rows]
    gallery = _Gallery(stores)
    lead = (
        f"{len(rows)} cines, {sum(row.n_frames for row in rows):,} frames of "
        f"{stores[0].info.width} x {stores[0].info.height} pixels, "
        f"recipe {stores[0].info.recipe.get('name', 'unnamed')!r}; "
        f"{', '.join(store.path for store in stores)}"
    )
    body = [
        html.section("To look at", *_findings(report.findings, gallery)),
        html.section("Views", _views_table(rows), _histogram([row.n_frames for row in rows])),
    ]
    if split is not None:
        body.append(html.section("Split", _split_table(split)))
    if report.failures:
        body.append(html.section("Not stored", *_failures(report.failures)))
    body += [html.section(f"{view or 'No label'}", gallery.of_view(view, pictures)) for view in _views(rows)]
    return html.page("Clip store", lead, body)


def _views(rows: Iterable[StoreRow]) -> list[str]:
    return sorted({row.top_label() for row in rows})


def _findings(findings: Sequence[Finding], gallery: _Gallery) -> Iterable[str]:
    if not findings:
        yield html.paragraph("Nothing: no copies, no leaks, no short or unlabelled cines.")
    for finding in findings:
        yield html.paragraph(f"{str(finding.level).upper()}: {finding.text}")
        if finding.cines:
            yield gallery.of_cines(finding.cines[:SHOWN])
            if len(finding.cines) > SHOWN:
                yield html.paragraph(f"and {len(finding.cines) - SHOWN} more")


def _views_table(rows: Sequence[StoreRow]) -> str:
    lines = [(line.view or "(no label)", line.cines, line.groups, *line.frames) for line in count_views(rows)]
    return html.table(["view", "cines", "patients", "fewest frames", "middle", "most frames"], lines)


def _split_table(split: Split) -> str:
    counts = split.counts()
    views = sorted({view for line in counts.values() for view in line})
    lines = [(side, *(line.get(view, 0) for view in views), sum(line.values())) for side, line in counts.items()]
    return html.table(["side", *(view or "(no label)" for view in views), "all"], lines)


def _failures(failures: Sequence[Failure]) -> Iterable[str]:
    yield html.table(["why", "files"], Counter(failure.status for failure in failures).most_common())
    shown = failures[:FAILURE_LINES]
    yield html.table(["file", "why", "reason"], [(f.file, f.status, f.reason) for f in shown])
    if len(failures) > len(shown):
        yield html.paragraph(f"and {len(failures) - len(shown)} more in failures.csv")


def _histogram(frames: Sequence[int], bins: int = 24) -> str:
    """Frame counts as bars, an inline SVG."""
    if not frames:
        return ""
    counts, edges = np.histogram(frames, bins=bins, range=(0, max(frames) + 1))
    width, height, foot = 560, 120, 22
    step = width / bins
    bars = "".join(
        f'<rect x="{i * step + 1:.1f}" y="{height * (1 - n / counts.max()):.1f}" width="{step - 2:.1f}" '
        f'height="{height * n / counts.max():.1f}" fill="#0b6e99"><title>{int(n)} cines of {edges[i]:.0f} to '
        f"{edges[i + 1]:.0f} frames</title></rect>"
        for i, n in enumerate(counts)
    )
    return (
        f'<svg role="img" viewBox="0 0 {width} {height + foot}" width="{width}" font-size="12" fill="#5b6b78">{bars}'
        f'<line x1="0" x2="{width}" y1="{height}" y2="{height}" stroke="#5b6b78"/>'
        f'<text x="0" y="{height + 16}">0 frames</text><text x="{width}" y="{height + 16}" text-anchor="end">'
        f"{max(frames)} frames</text></svg>"
    )


class _Gallery:
    """Moving pictures of cines by key."""

    def __init__(self, stores: Sequence[StoreReader]) -> None:
        self._place = {row.cine: (store, i) for store in stores for i, row in enumerate(store.rows)}

    def of_cines(self, cines: Iterable[str]) -> str:
        return html.side_by_side(*(self._picture(cine) for cine in cines))

    def of_view(self, view: str, count: int) -> str:
        cines = sorted(cine for cine, (store, i) in self._place.items() if store.rows[i].top_label() == view)
        chosen = np.random.default_rng(0).permutation(len(cines))[:count]
        return self.of_cines(cines[i] for i in sorted(chosen))

    def _picture(self, cine: str) -> str:
        store, i = self._place[cine]
        row = store.rows[i]
        frames = store.frames(i)
        step = max(1, len(frames) // MOVING)
        who = f", {row.group}" if row.group else ""
        caption = f"{cine}: {row.top_label() or 'no label'}{who}, {row.n_frames} frames"
        return html.moving_picture(frames[::step][:MOVING], caption, fps=10.0)
