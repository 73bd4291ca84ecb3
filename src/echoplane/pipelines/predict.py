"""Files in, one row each out: what ``echoplane predict`` and programs that want the same do."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from echoplane import config
from echoplane._files import absolute_name, each_path, nothing_to_read
from echoplane._processes import refuse_unguarded
from echoplane.errors import RefusedError
from echoplane.inference.classifier import ViewClassifier
from echoplane.inference.engine import Engine, available_cpus
from echoplane.models.bundle import Bundle
from echoplane.pipelines._overlays import Overlays, overlay_name
from echoplane.pipelines._watch import Watch
from echoplane.pipelines._workers import spread
from echoplane.pipelines.result_table import ResultTable
from echoplane.pipelines.run_manifest import RunManifest, here_from, now, versions
from echoplane.records import Status, ViewResult
from echoplane.sources.discover import discover
from echoplane.sources.item import SourceItem
from echoplane.sources.limits import DEFAULT_LIMITS, Limits

#: A row with one of these means that the file could not be dealt with, as against "is no clip of a main view".
FAILED: frozenset[Status] = frozenset({Status.UNREADABLE, Status.UNSUPPORTED, Status.REFUSED, Status.TOO_SHORT})

#: From so many files on, processes make up for the second that each takes to start.
MANY = 100


_TWIN = "Has the name of another cine in these results. Rename one of the two."


@dataclass(frozen=True, slots=True)
class PredictSettings:
    """How to predict.

    Attributes
    ----------
    bundle : str or None
        Folder or file; None takes the weights that ship with the package.
    engine, precision : str
        See :func:`echoplane.inference.engine.load_engine`.
    threads : int or None
        Threads of the network, and of decoding where there is one job; None takes all processors this process may use.
    jobs : int or None
        Files worked on side by side; None takes one for each processor, but no more than there are files.
    include_color, include_stills : bool
    all_clips : bool
        Look at every clip of a cine, also where two of them leave no doubt.
    follow_links, group_frames : bool
        See :func:`echoplane.sources.discover.discover`.
    max_pixels : int or None
        Frames of more pixels are refused; None keeps the default of :class:`echoplane.sources.limits.Limits`.
    cam : str or None
        Folder for one small overlay a cine that is answered: where the network looked. Needs the CPU engine and a
        network that ends in a global average; the arithmetic is f32 or bf16.
    """

    bundle: str | None = None
    engine: str = "auto"
    precision: str = "auto"
    threads: int | None = None
    jobs: int | None = None
    include_color: bool = False
    include_stills: bool = False
    all_clips: bool = False
    follow_links: bool = False
    group_frames: bool = True
    max_pixels: int | None = None
    cam: str | None = None

    @property
    def that_matter(self) -> dict[str, Any]:
        """Those that can change an answer; the bundle is compared by its hash."""
        left_out = ("bundle", "threads", "jobs", "cam")
        return {name: value for name, value in config.to_mapping(self).items() if name not in left_out}


@dataclass(frozen=True, slots=True)
class PredictRun:
    """How a run ended.

    Attributes
    ----------
    counts : mapping of str to int
        Results of this run by status.
    skipped : int
        Files that had a row already.
    seconds : float
    interrupted : bool
    bundle : str
        Name and start of the hash.
    manifest : Path or None
        Where it was written.
    overlays : int
        Pictures written into the folder of :attr:`PredictSettings.cam`.
    failed_before : int
        Of `skipped`, those that an earlier run could not deal with.
    """

    counts: dict[str, int]
    skipped: int
    seconds: float
    interrupted: bool
    bundle: str
    manifest: Path | None
    overlays: int = 0
    failed_before: int = 0

    @property
    def files(self) -> int:
        """How many results there are."""
        return sum(self.counts.values())

    @property
    def failed(self) -> int:
        """How many files could not be dealt with, those of the runs that this one went on with included."""
        return self.failed_before + sum(n for status, n in self.counts.items() if Status(status) in FAILED)


def predict(
    paths: str | Path | Iterable[str | Path],
    settings: PredictSettings | None = None,
    *,
    output: str | Path | None = None,
    resume: bool = False,
    retry: bool = False,
    overwrite: bool = False,
    processes: bool = False,
    on_start: Callable[[int], None] = lambda total: None,
    on_result: Callable[[ViewResult], None] = lambda result: None,
    on_wait: Callable[[str, float], None] = lambda file, seconds: None,
) -> PredictRun:
    """Find the cines in files and folders, answer for each, and write rows and manifest.

    Parameters
    ----------
    paths : str, Path or iterable of them
    settings : PredictSettings
    output : str or Path, optional
        Result file ending in ``.csv``, ``.jsonl`` or ``.parquet``; its manifest is written beside it.
    resume : bool
        Go on with `output`: files that have a row are left out. Starts afresh when there is no such file.
    retry : bool
        Go on, and answer once more for files that could not be dealt with, and for those that have changed since the
        run began that wrote their rows, or an earlier one.
    overwrite : bool
        Replace an `output` that is there.
    processes : bool
        Work in `jobs` processes rather than threads where there are many files: faster, and a crash costs one row.
        They are spawned, so the calling script needs its ``if __name__ == "__main__"``.
    on_start : callable
        Told how many files there are to answer for.
    on_result : callable
        Given each result, in order, after it was written.
    on_wait : callable
        Told, by another thread and once a file, which one has not come for half a minute, and the seconds so far. What
        it raises ends that thread, and nothing is told any more.

    Returns
    -------
    PredictRun
        Also after an interrupt (Ctrl-C), with what was done until then.

    Raises
    ------
    UsageError
        Nothing found, an `output` that is there already, that another run is writing, or that was made in another way;
        overlays asked for from a network or an engine that has none; `processes` that cannot start.
    BundleError
        No usable bundle.
    """
    if processes:
        refuse_unguarded()
    settings = settings or PredictSettings()
    with ResultTable.held(output, resume=resume or retry, overwrite=overwrite) as table:
        return _run(paths, settings, table, retry, processes, on_start, on_result, on_wait)


def _run(
    paths: str | Path | Iterable[str | Path],
    settings: PredictSettings,
    table: ResultTable,
    retry: bool,
    processes: bool,
    on_start: Callable[[int], None],
    on_result: Callable[[ViewResult], None],
    on_wait: Callable[[str, float], None],
) -> PredictRun:
    bundle = Bundle.load(settings.bundle)
    manifest = _new_manifest(bundle, settings, table.path)
    done = table.rows_there(manifest)
    items, there, again = _to_do(paths, settings, done, table, retry)
    if table.since_text and not (retry and len(there) + len(again) == len(done)):
        manifest = replace(manifest, since=table.since_text)  # rows that nobody looked at are as old as before
    jobs = min(settings.jobs or available_cpus(), max(1, len(items)))
    overlays = Overlays(settings.cam) if settings.cam is not None else None
    classifier = _classifier(bundle, settings, jobs, overlays)
    table.drop(again)
    if settings.cam is not None:  # what they show is no more what the rows say
        for item in (item for item in items if table.cell(item.source) in again):
            (Path(settings.cam) / overlay_name(item.source)).unlink(missing_ok=True)
    table.open(bundle.facts.vocabulary, replace(manifest, engine=_engine_facts(classifier.engine(jobs))))
    on_start(len(items))
    started, counts, interrupted = time.perf_counter(), Counter[str](), True
    results: Generator[ViewResult, None, None]
    if processes and jobs > 1 and len(items) >= MANY and overlays is None and settings.engine in ("auto", "openvino"):
        results = spread(partial(_answer, settings=settings, jobs=jobs), items, jobs, _crashed, in_order=True)
    else:
        results = classifier.predict_many(items)
    try:
        with Watch(on_wait) as watch:
            for item in items:
                watch.waits_for(item.source)  # they come in order, so it is known whose result is the next one
                result = next(results)
                watch.waits_for("")
                table.write(result)
                counts[str(result.status)] += 1
                on_result(result)
        interrupted = False
    except KeyboardInterrupt:
        pass  # what is done is written; the caller is told
    finally:
        results.close()
        seconds = time.perf_counter() - started
        kept = Counter(status for file, status in done.items() if file not in again)
        table.close(kept + counts, seconds, interrupted)
    label = f"{bundle.name} {bundle.hash[:12]}"
    drawn = overlays.written if overlays else 0
    failed_before = sum(status in FAILED for status in there)
    return PredictRun(dict(counts), len(there), seconds, interrupted, label, table.manifest_path, drawn, failed_before)


def _classifier(bundle: Bundle, settings: PredictSettings, jobs: int, overlays: Overlays | None) -> ViewClassifier:
    return ViewClassifier.load(
        bundle,
        settings.engine,
        settings.threads,
        precision=settings.precision,
        jobs=jobs,
        include_color=settings.include_color,
        include_stills=settings.include_stills,
        all_clips=settings.all_clips,
        limits=DEFAULT_LIMITS if settings.max_pixels is None else Limits(max_pixels=settings.max_pixels),
        on_look=overlays,
    )


def _answer(item: SourceItem, settings: PredictSettings, jobs: int) -> ViewResult:
    """Do what one of several processes does with a file."""
    return _own_classifier(settings, jobs).predict(item)


@cache
def _own_classifier(settings: PredictSettings, jobs: int) -> ViewClassifier:
    alone = replace(settings, threads=max(1, (settings.threads or available_cpus()) // jobs))
    return _classifier(Bundle.load(settings.bundle), alone, 1, None)


def _crashed(item: SourceItem) -> ViewResult:
    reason = "The process that read this file crashed, twice; the file is damaged, or too large for the memory."
    return ViewResult(item.source, Status.UNREADABLE, reasons=(reason,))


def _new_manifest(bundle: Bundle, settings: PredictSettings, output: str | Path | None) -> RunManifest:
    return RunManifest(
        state="running",
        started=now(),
        since=now("microseconds"),
        bundle={"name": bundle.name, "sha256": bundle.hash},
        settings=settings.that_matter,
        versions={} if output is None else versions(),  # takes some milliseconds
        folder="" if output is None else here_from(output),
    )


def _engine_facts(engine: Engine) -> dict[str, str]:
    return {"name": engine.name, "device": engine.device, "precision": engine.precision}


def _to_do(
    paths: str | Path | Iterable[str | Path],
    settings: PredictSettings,
    done: Mapping[str, str],
    table: ResultTable,
    retry: bool,
) -> tuple[list[SourceItem], list[str], set[str]]:
    """Find the items, once each however spelled.

    Apart from them, the statuses of those that have a row already, and the names of those whose rows are to go.
    """
    given = list(each_path(paths))
    found = [
        (absolute_name(table.cell(item.source)), item)
        for item in discover(given, follow_links=settings.follow_links, group_frames=settings.group_frames)
    ]
    found = [(place, item) for place, item in found if not table.is_own(place)]
    if not found:
        raise nothing_to_read(given)
    row_of = {absolute_name(name): (name, status) for name, status in done.items()}
    overlays: set[str] = set()
    if settings.cam is not None:  # the pictures of an earlier run may lie among what is read
        overlays = {absolute_name(Path(settings.cam) / overlay_name(item.source)) for _, item in found}
    items: dict[str, SourceItem] = {}
    there: dict[str, str] = {}
    again: set[str] = set()
    twins: list[SourceItem] = []
    for place, item in found:
        name, status = row_of.get(place, ("", ""))
        if status and not (retry and (status in FAILED or _changed_since(item, table.since))):
            there[place] = status
        elif place not in overlays:
            if not _same_files(items.setdefault(place, item), item):
                twins.append(replace(item, error=RefusedError(item.source, _TWIN)))
            again |= {name} if name else set()
    return [*items.values(), *twins], list(there.values()), again


def _same_files(one: SourceItem, other: SourceItem) -> bool:
    """Tell whether two items of one name are one cine; a part of its frames may have been given besides."""
    if one is other:
        return True
    return not set(map(absolute_name, one.all_files)).isdisjoint(map(absolute_name, other.all_files))


def _changed_since(item: SourceItem, moment: float) -> bool:
    """Tell whether a file, or the folder of a cine's pictures, has changed; a copy keeps the time of its original."""
    files = [*item.all_files, item.path] if item.format == "frames" else item.all_files
    try:
        return any(max(file.stat().st_mtime, file.stat().st_ctime) > moment for file in files)
    except OSError:
        return False  # it has an answer, and is out of reach just now
