"""Clips in, views out: the object that a program holds on to."""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from threading import Lock
from typing import Any, TypeAlias, TypeGuard

import numpy as np
import numpy.typing as npt

from echoplane import _processes
from echoplane._processes import result_of
from echoplane.errors import BundleError, MissingExtraError, PrepareError, ReadError, UsageError
from echoplane.inference import mirror
from echoplane.inference.cam import CamEngine
from echoplane.inference.decide import Answer, decide, gate
from echoplane.inference.engine import Engine, available_cpus, load_engine
from echoplane.inference.look import Look
from echoplane.inference.seeing import look_at
from echoplane.models.bundle import Bundle
from echoplane.models.registry import is_padded
from echoplane.records import Cine, PreparedCine, SamplingPlan, Status, ViewResult
from echoplane.sources.array import cine_from_array
from echoplane.sources.colour import with_colour_noticed
from echoplane.sources.item import SourceItem, item_of
from echoplane.sources.limits import DEFAULT_LIMITS, Limits
from echoplane.sources.open import open_cine
from echoplane.sources.side_by_side import decoding_threads

#: What can be answered for: a file or a folder of frames, an item of discovery, a cine, or frames in memory.
Source: TypeAlias = str | Path | SourceItem | Cine | npt.NDArray[np.uint8]

#: Files begun ahead of the one whose result is handed out next, for each job. Bounds what waits behind a slow file.
AHEAD = 4
#: Names of the threads that work on files begin so.
WORKERS = "echoplane-file"

_log = logging.getLogger(__name__)


class ViewClassifier:
    """Tells which view of the heart a cine shows. Made by :meth:`load`; safe to use from several threads.

    Pickled, it is its bundle and its settings: the copy loads the network anew. A forked process cannot use it.

    Attributes
    ----------
    bundle : Bundle
    include_color, include_stills : bool
        Whether colour Doppler cines and single frames are answered too.
    all_clips : bool
        Whether every clip of a cine is looked at, also where two of them leave no doubt.

    Examples
    --------
    >>> classifier = ViewClassifier.load()                               # doctest: +SKIP
    >>> result = classifier.predict("clip.dcm")                          # doctest: +SKIP
    >>> result.status, result.view, round(result.probability, 2)         # doctest: +SKIP
    (<Status.OK: 'ok'>, 'A4C', 0.98)
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        engine: str = "auto",
        precision: str = "auto",
        threads: int | None = None,
        jobs: int | None = None,
        include_color: bool = False,
        include_stills: bool = False,
        all_clips: bool = False,
        limits: Limits = DEFAULT_LIMITS,
        on_look: Callable[[Look], None] | None = None,
    ) -> None:
        _refuse_fewer_than_one(jobs=jobs, threads=threads)
        if on_look is not None and engine not in ("auto", "openvino"):
            raise UsageError(f"engine {engine!r} gives no activation maps; the CPU engine, openvino, does.")
        self.bundle = bundle
        self.include_color = include_color
        self.include_stills = include_stills
        self.all_clips = all_clips
        self._limits = limits
        self._on_look = on_look
        self._engine_name, self._precision, self._threads, self._jobs = engine, precision, threads, jobs
        self._engines: dict[int, Engine] = {}
        self._loaded_in: int | None = None
        self._lock = Lock()

    @classmethod
    def load(
        cls,
        bundle: str | Path | Bundle | None = None,
        engine: str = "auto",
        threads: int | None = None,
        *,
        precision: str = "auto",
        jobs: int | None = None,
        include_color: bool = False,
        include_stills: bool = False,
        all_clips: bool = False,
        limits: Limits = DEFAULT_LIMITS,
        on_look: Callable[[Look], None] | None = None,
    ) -> ViewClassifier:
        """Load a bundle and its network.

        Parameters
        ----------
        bundle : str, Path, Bundle or None
            Folder or file of a bundle. None takes the weights that ship with the package.
        engine : {"auto", "openvino", "torch", "cuda"}
            See :func:`echoplane.inference.engine.load_engine`.
        threads : int or None
            Threads of the network, and of decoding where one cine is worked on at a time; None takes all processors
            this process may use. At least 1.
        precision : {"auto", "f32", "bf16", "int8"}
            Default ``auto``: what the bundle names.
        jobs : int or None
            Files that :meth:`predict_many` works on side by side; None takes one for each processor.
        include_color, include_stills : bool
            Answer colour Doppler cines and single frames too. Default False.
        all_clips : bool
            Look at every clip of a cine. Default False: two that agree and leave no doubt are enough, where the bundle
            says from which probability on (:mod:`echoplane.inference.enough`).
        limits : Limits
            Sizes above which a file is refused.
        on_look : callable, optional
            Given the :class:`echoplane.inference.look.Look` of every cine that was answered, in the thread that
            answered it: what the network looked at, from the CPU engine.

        Raises
        ------
        BundleError
            No bundle, or one that is damaged, foreign or too new.
        UsageError
            An engine or precision that does not exist or that this machine does not have; `on_look` for a network
            that has no activation map of its own; fewer than one thread or job.
        """
        loaded = bundle if isinstance(bundle, Bundle) else Bundle.load(bundle)
        classifier = cls(
            loaded,
            engine=engine,
            precision=precision,
            threads=threads,
            jobs=jobs,
            include_color=include_color,
            include_stills=include_stills,
            all_clips=all_clips,
            limits=limits,
            on_look=on_look,
        )
        classifier.engine(classifier._jobs or 1)
        return classifier

    def __getstate__(self) -> dict[str, Any]:
        # Networks stay where they are: the copy loads its own from the bundle when it is first asked.
        return {**self.__dict__, "_engines": {}, "_loaded_in": None, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = Lock()

    def engine(self, streams: int = 1) -> Engine:
        """Return the engine for so many calls side by side; it is loaded when first asked for.

        Raises
        ------
        UsageError
            In a process that was forked off the one that loaded it.
        """
        # Before the lock, which another thread may have held at the fork.
        if self._loaded_in not in (None, os.getpid()):
            raise UsageError(
                "This classifier was loaded before this process was forked, and its threads did not come along: it "
                "would wait for them for ever. Load it in the new process, or start processes afresh with "
                "multiprocessing.get_context('spawn')."
            )
        with self._lock:
            self._loaded_in = os.getpid()
            if streams not in self._engines:
                threads = self._threads or max(available_cpus(), streams)
                # torch shares one network between all callers, so one engine is enough for any number of streams.
                if self._engine_name in ("torch", "cuda") and self._engines:
                    self._engines[streams] = next(iter(self._engines.values()))
                else:
                    self._engines[streams] = self._load(threads, streams)
            return self._engines[streams]

    def _load(self, threads: int, streams: int) -> Engine:
        if self._on_look is not None:
            return CamEngine(self.bundle, precision=self._precision, threads=threads, streams=streams)
        return load_engine(self.bundle, self._engine_name, precision=self._precision, threads=threads, streams=streams)

    def predict(self, source: Source, *, fps: float | None = None) -> ViewResult:
        """Answer for one cine.

        Parameters
        ----------
        source : str, Path, SourceItem, Cine or uint8 array (T, H, W) or (T, H, W, 3)
            A file, a folder of frames, or frames in memory (grey, or R, G, B).
        fps : float, optional
            Frames a second of an array.

        Returns
        -------
        ViewResult
            Always: a file that cannot be read gives a result that says so.

        Raises
        ------
        UsageError
            For an array of another dtype or shape, what is none of these sources, or an `fps` that is no frame rate.
        BundleError
            When the bundle's network cannot be loaded.
        """
        return self._alone(_as_source(source, fps), self._jobs or 1)

    def predict_many(
        self, sources: str | Path | Iterable[Source], *, jobs: int | None = None
    ) -> Generator[ViewResult, None, None]:
        """Answer for many cines, one result each, in the order given, as soon as each is there.

        Parameters
        ----------
        sources : iterable, or a path by itself
            As for :meth:`predict`; taken from the iterable a few at a time, so it may be endless. For folders that
            hold many files give ``echoplane.sources.discover.discover(folders)``. Arrays are copied as they are taken,
            so that one buffer may be filled again and again; cines and memory maps are not.
        jobs : int or None
            Cines worked on side by side, each by one thread of this process: while one is being decoded, another is
            in the network. None: as given to :meth:`load`, or one for each processor.

        Yields
        ------
        ViewResult
            Also for what :meth:`predict` raises UsageError for: status ``unsupported``, and the reason.

        Raises
        ------
        UsageError
            For fewer than one job, when the first result is asked for.

        Notes
        -----
        Who takes no more results (an error, Ctrl-C, ``close()``) waits ten seconds for the files that have begun. One
        that does not answer, as on a dead network disk, is left to its thread, for which Python waits at its end; the
        command line leaves it behind.
        """
        _refuse_fewer_than_one(jobs=jobs)
        given: Iterable[Source] = [sources] if isinstance(sources, str | Path) else sources
        jobs = jobs or self._jobs or available_cpus()
        engine = self.engine(jobs)
        if jobs == 1:
            for source in given:
                yield self._one_of_many(source, lambda known: self._alone(known, 1))
            return
        waiting: deque[Future[ViewResult]] = deque()
        pool = ThreadPoolExecutor(jobs, thread_name_prefix=WORKERS)
        try:
            for source in given:
                # Its owner may fill a buffer anew while this one waits.
                kept = source.copy() if _is_buffer(source) else source
                waiting.append(pool.submit(self._one_of_many, kept, lambda known: self._answer(known, engine)))
                if len(waiting) >= jobs * AHEAD:
                    yield result_of(waiting[0])
                    waiting.popleft()
            while waiting:
                yield result_of(waiting[0])
                waiting.popleft()
        finally:
            # Reached by an interrupt too: what has not begun is dropped, what has begun takes a moment to end; but a
            # file on a disk that does not answer may take for ever.
            pool.shutdown(wait=False, cancel_futures=True)
            late = wait((begun for begun in waiting if not begun.cancelled()), _processes.PATIENCE).not_done
            pool.shutdown(wait=not late)  # a file's thread ends a moment after its answer is there

    def _one_of_many(self, source: Source, answer: Callable[[SourceItem | Cine], ViewResult]) -> ViewResult:
        try:
            known = _as_source(source)
        except UsageError as error:  # one wrong source among many becomes its row, as a damaged file does
            name = "array" if isinstance(source, np.ndarray) else type(source).__name__
            return ViewResult(name, Status.UNSUPPORTED, reasons=(str(error),))
        return answer(known)

    def _alone(self, source: SourceItem | Cine, jobs: int) -> ViewResult:
        """Answer for one source, decoded on this job's share of the threads."""
        engine = self.engine(jobs)
        with decoding_threads((self._threads or available_cpus()) // jobs):
            return self._answer(source, engine)

    def _answer(self, source: SourceItem | Cine, engine: Engine) -> ViewResult:
        """Answer for one source; whatever goes wrong with it becomes its row."""
        result, look = self._outcome(source, source.source, engine)
        if look is not None and self._on_look is not None:
            self._on_look(look)  # outside of what becomes a row: a full disk is not the cine's fault
        return result

    def _outcome(self, source: SourceItem | Cine, name: str, engine: Engine) -> tuple[ViewResult, Look | None]:
        try:
            return self._run(source, name, engine)
        except (ReadError, PrepareError) as error:
            _log.debug("It could not be dealt with.", exc_info=True)
            return ViewResult(name, Status(error.status), reasons=(error.sentence,)), None
        except MissingExtraError as error:
            _log.debug("Something is not installed.", exc_info=True)
            return ViewResult(name, Status.UNSUPPORTED, reasons=(str(error),)), None
        except BundleError:
            raise  # not the file's fault, and the next file would end the same
        except Exception as error:  # noqa: BLE001 - one file must not end a batch of thousands
            _log.exception("Unexpected failure; its row says so, and the batch goes on.")
            reason = f"Failed unexpectedly ({type(error).__name__}); this is a fault of echoplane, please report it."
            return ViewResult(name, Status.UNREADABLE, reasons=(reason,)), None

    def _run(self, source: SourceItem | Cine, name: str, engine: Engine) -> tuple[ViewResult, Look | None]:
        started = time.perf_counter()
        cine = source if isinstance(source, Cine) else open_cine(source, limits=self._limits)
        opened = time.perf_counter()
        decision = gate(cine, include_color=self.include_color, include_stills=self.include_stills)
        seconds = {"open": opened - started}
        if decision.status is not None:
            return _row(name, cine, decision.status, (decision.reason, *cine.notes), seconds), None
        facts = self.bundle.facts
        seen = look_at(cine, facts, engine, seconds, all_clips=self.all_clips)
        sampling, prepared = seen.sampling, seen.prepared
        if not prepared.frames.any():
            reason = "Every frame looked at is black where the ultrasound picture should be."
            return _row(name, cine, Status.NOT_B_MODE, (reason, *cine.notes), seconds, sampling, prepared), None
        answer = decide(seen.logits, facts)
        remarks = filter(None, (mirror.SENTENCE if seen.mirrored else "", decision.reason))
        reasons = (*answer.reasons, *remarks, *cine.notes, *sampling.notes, *prepared.notes)
        result = _row(name, cine, answer.status, reasons, seconds, sampling, prepared, answer, seen.mirrored)
        if seen.maps is None or not answer.best_view:
            return result, None
        maps = seen.maps[:, facts.vocabulary.index(answer.best_view)]
        return result, Look(result, prepared, sampling, maps, is_padded(facts.network.name))


def _refuse_fewer_than_one(**numbers: int | None) -> None:
    for name, number in numbers.items():
        if number is not None and not (isinstance(number, int | np.integer) and number >= 1):
            raise UsageError(f"{name} {number!r}: must be at least 1, a whole number.")


def _as_source(source: Source, fps: float | None = None) -> SourceItem | Cine:
    if isinstance(source, np.ndarray):
        return with_colour_noticed(cine_from_array(source, fps))
    known = source if isinstance(source, Cine) else item_of(source)
    if fps is not None:
        raise UsageError("fps is for arrays only; files say their own frame rate.")
    return known


def _is_buffer(source: Source) -> TypeGuard[npt.NDArray[Any]]:
    # A memory map is a file, of which only the frames that are needed are read.
    return isinstance(source, np.ndarray) and not isinstance(source, np.memmap)


def _row(
    name: str,
    cine: Cine,
    status: Status,
    reasons: tuple[str, ...],
    seconds: dict[str, float],
    sampling: SamplingPlan | None = None,
    prepared: PreparedCine | None = None,
    answer: Answer | None = None,
    mirrored: bool = False,
) -> ViewResult:
    return ViewResult(
        file=name,
        status=status,
        view=answer.view if answer else "",
        best_view=answer.best_view if answer else "",
        probability=answer.probability if answer else None,
        probabilities=answer.probabilities if answer else {},
        clip_votes=answer.clip_votes if answer else {},
        vote=answer.vote if answer else "",
        clip_probabilities=answer.clip_probabilities if answer else (),
        reasons=reasons,
        kind=cine.kind,
        n_frames=cine.n_frames,
        frames_used=len(prepared.indices) if prepared else 0,
        fps=cine.fps,
        short_policy=sampling.short_policy if sampling else "",
        mirrored=mirrored,
        sector=prepared.sector if prepared else None,
        seconds=seconds,
    )
