"""Explain: what did the network look at in this cine? The maps; `explain_write` makes pictures and pages of them."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from echoplane._optional import need
from echoplane.errors import BundleError, PrepareError, UnreadableError, UsageError
from echoplane.explain.target import Target
from echoplane.inference import mirror
from echoplane.inference.decide import Answer, decide, gate
from echoplane.inference.engine import Engine, load_engine
from echoplane.models.bundle import Bundle
from echoplane.models.registry import find, is_padded
from echoplane.phantom.clip import PhantomCine
from echoplane.prepare.deidentify import is_sure
from echoplane.prepare.frames import prepare
from echoplane.records import Cine, FloatArray, PreparedCine, SamplingPlan
from echoplane.sampling.clips import gather, plan, without_empty
from echoplane.sources.array import cine_from_array
from echoplane.sources.item import SourceItem
from echoplane.sources.open import open_cine
from echoplane.views import find_view

if TYPE_CHECKING:
    from echoplane.explain.cinemap import CineMap
    from echoplane.inference.cam import CamEngine

#: The map of the network itself, from the CPU engine, without torch; and that where there is one, else Grad-CAM.
CAM, AUTO = "cam", "auto"


@dataclass(frozen=True, slots=True)
class ExplainSettings:
    """How to explain.

    Attributes
    ----------
    bundle : str or None
        Folder or file; None takes the weights that ship with the package.
    method : str
        ``cam``, a name of :data:`echoplane.explain.methods.METHODS`, or ``auto``: ``cam`` for networks that have a
        map of their own, ``gradcam`` for the others.
    view : str
        Explain this view, in any spelling that :func:`echoplane.views.find_view` knows; empty: the network's answer.
    minus : str
        Explain why `view` and not this one.
    layer : str
        Dotted name of the feature layer; empty: the registry's.
    """

    bundle: str | None = None
    method: str = AUTO
    view: str = ""
    minus: str = ""
    layer: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """What was found for one cine.

    Attributes
    ----------
    cine : Cine
    answer : Answer
        Of the network on this cine.
    found : CineMap
    phases : float32 array, (T,), or None
        Phase of the beat of every frame, where it is known: of phantoms.
    masked_surely : bool
        False where the sector is a guess, so that burned-in text may be left in the pictures.
    """

    cine: Cine
    answer: Answer
    found: CineMap
    phases: FloatArray | None = None
    masked_surely: bool = True


class Explainer:
    """A bundle, ready to explain cines. The network is loaded when it is first needed.

    Parameters
    ----------
    settings : ExplainSettings, optional
    on_step : callable
        Called after each pass of the network that a map is made of. Occlusion takes hundreds, the method of the CPU
        engine none.

    Raises
    ------
    UsageError
        For an unknown method, or a layer where the method has its own.
    BundleError
        When the bundle cannot be loaded.
    MissingExtraError
        When the method needs torch, and it is not installed.
    """

    def __init__(self, settings: ExplainSettings | None = None, *, on_step: Callable[[], None] = lambda: None) -> None:
        self._on_step = on_step
        self.settings = settings or ExplainSettings()
        self.bundle = Bundle.load(self.settings.bundle)
        if self.settings.method not in (CAM, AUTO):
            need("torch", "explain", f"explain with method {self.settings.method!r} (method 'cam' needs no torch)")
            from echoplane.explain.methods import METHODS

            if self.settings.method not in METHODS:
                known = ", ".join([AUTO, CAM, *METHODS])
                raise UsageError(f"method {self.settings.method!r} is not known; known: {known}.")
        if self.settings.layer and self.settings.method == CAM:
            raise UsageError("method 'cam' has its own layer; --layer goes with the other methods, such as gradcam.")

    @cached_property
    def method(self) -> str:
        """What is really used: the method asked for, with ``auto`` decided by the network.

        Raises
        ------
        MissingExtraError
            When ``auto`` means Grad-CAM and torch is not installed.
        """
        if self.settings.method != AUTO:
            return self.settings.method
        if self.settings.layer:
            need("torch", "explain", "look at a layer")
            return "gradcam"
        try:
            _ = self._cam_engine
        except UsageError:
            need("torch", "explain", f"explain {self.bundle.name!r}, which has no activation map of its own")
            return "gradcam"
        return CAM

    @cached_property
    def _engine(self) -> Engine:
        return load_engine(self.bundle)

    @cached_property
    def _network(self) -> Any:
        from echoplane.models.load import load_network

        return load_network(self.bundle)

    def explain(self, source: str | Path | SourceItem | Cine | PhantomCine) -> Explanation:
        """Explain one cine, as a rule for the view that the network answers.

        Parameters
        ----------
        source : str, Path, SourceItem, Cine or PhantomCine
            A phantom, in memory or as written by ``echoplane phantom clip -o clip.npz``, brings its ECG phases along.

        Raises
        ------
        ReadError, PrepareError
            When the file does not become a cine of moving B-mode.
        UsageError
            For a view that the network does not know, or a layer that it does not have.
        BundleError
            When the network gives no finite numbers.
        """
        from echoplane.explain.cinemap import cine_map

        cine, phases = _open(source)
        refusal = gate(cine, include_color=True, include_stills=True)
        if refusal.status is not None:
            raise PrepareError(cine.source, refusal.reason)
        clips, sampling, prepared = prepared_clips(cine, self.bundle)
        if not prepared.frames.any():
            raise PrepareError(cine.source, "Every frame looked at is black where the ultrasound picture should be.")
        # The same turn as prediction takes, so that what is explained is the answer that it gives (`--all-clips`).
        logits, features = self._look(clips)
        turned = np.ascontiguousarray(clips[..., ::-1])
        mirrored = mirror.seems_exchanged(logits, lambda: self._look(turned[:1])[0], self.bundle.facts)
        if mirrored:
            clips = turned
            logits, features = self._look(clips)
        answer = decide(logits, self.bundle.facts)
        target = self._target(answer)
        maps = self._maps(clips, target) if features is None else self._engine_maps(features, target, clips.shape[2:])
        if mirrored:
            answer, maps = replace(answer, reasons=(*answer.reasons, mirror.SENTENCE)), maps[..., ::-1]
        if prepared.sector.upside_down:
            maps = maps[..., ::-1, :]
        found = cine_map(maps, sampling, cine.n_frames, prepared.sector, prepared.crop,
                         method=self.method, target=target.name)  # fmt: skip
        return Explanation(cine, answer, found, phases, is_sure(prepared.sector, cine.n_frames))

    def _look(self, clips: FloatArray) -> tuple[FloatArray, FloatArray | None]:
        """Return logits (C, K) and, where the engine hands them out, maps (C, K, n, h, w)."""
        return self._cam_engine.look(clips) if self.method == CAM else (self._engine.run(clips), None)

    def _maps(self, clips: FloatArray, target: Target) -> FloatArray:
        from echoplane.explain.methods import Setting, attribute
        from echoplane.explain.scored import last_map

        facts = self.bundle.facts
        setting = Setting((0.0 - facts.recipe.mean) / facts.recipe.std, is_padded(facts.network.name))
        layer = self.settings.layer or find(facts.network.name).feature_layer or last_map(self._network, clips.shape)
        with _each_pass(self._network, self._on_step):
            return attribute(self._network, layer, clips, target.weights(facts.vocabulary), self.method, setting)

    @cached_property
    def _cam_engine(self) -> CamEngine:
        from echoplane.inference.cam import CamEngine

        return CamEngine(self.bundle)

    def _engine_maps(self, maps_CKnhw: FloatArray, target: Target, shape: tuple[int, ...]) -> FloatArray:
        from echoplane.explain.enlarge import enlarge

        maps = np.einsum("cknhw,k->cnhw", maps_CKnhw, target.weights(self.bundle.facts.vocabulary))
        if not target.minus:
            maps = np.maximum(maps, 0)
        return enlarge(maps.astype(np.float32), shape, is_padded(self.bundle.facts.network.name))

    def _target(self, answer: Answer) -> Target:
        known = self.bundle.facts.vocabulary
        if not answer.best_view:
            raise BundleError(f"{self.bundle.where}: {answer.reasons[0]}")
        return Target(_label(self.settings.view, known) or answer.best_view, _label(self.settings.minus, known))


@contextmanager
def _each_pass(network: Any, on_step: Callable[[], None]) -> Iterator[None]:
    """Call `on_step` after each pass of a torch network while the block runs, also of copies that are made in it."""

    def hook(*_: object) -> None:  # what a hook returns would take the place of the logits
        on_step()

    handle = network.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def _label(name: str, known: tuple[str, ...]) -> str:
    """Return the network's own label for a spelling of a view; a name that means nothing stays as it is."""
    row = find_view(name)
    return row.label if name not in known and row is not None and row.label in known else name


def _open(source: str | Path | SourceItem | Cine | PhantomCine) -> tuple[Cine, FloatArray | None]:
    if isinstance(source, Cine):
        return source, None
    if isinstance(source, PhantomCine):
        return source.to_cine(), source.phases
    if isinstance(source, str | Path) and Path(source).suffix.lower() == ".npz":
        return _phantom_file(Path(source))
    return open_cine(source), None


def _phantom_file(path: Path) -> tuple[Cine, FloatArray]:
    """Read what :func:`echoplane.pipelines.phantom.write_clip` wrote."""
    try:
        # Opened here, for np.load leaves a file open that it cannot read.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            frames, phases, fps = file["frames"], file["phases"], float(file["fps"])
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise UnreadableError(
            path, f"Is no phantom clip ({type(error).__name__}).", "Write one: echoplane phantom clip -o clip.npz"
        ) from error
    return cine_from_array(frames, fps, str(path)), phases.astype(np.float32)


def prepared_clips(cine: Cine, bundle: Bundle) -> tuple[FloatArray, SamplingPlan, PreparedCine]:
    """Return a cine's normalised clips (C, 1, N, H, W), their plan, and the prepared frames."""
    facts = bundle.facts
    sampling = plan(cine.n_frames, cine.fps, facts.sampling, source=cine.source)
    prepared = prepare(cine, facts.recipe, sampling.needed)
    sampling = without_empty(prepared.frames, prepared.indices, sampling)
    return facts.recipe.normalise(gather(prepared, sampling))[:, None], sampling, prepared
