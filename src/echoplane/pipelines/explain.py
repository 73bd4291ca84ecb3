"""Explain: what did the network look at in this cine? Pictures, numbers, a page, a gallery."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from echoplane._files import atomic_write
from echoplane._optional import need
from echoplane.errors import PrepareError, ReadError, UsageError
from echoplane.explain.target import Target
from echoplane.inference.decide import Answer, decide, gate
from echoplane.inference.engine import Engine, load_engine
from echoplane.models.bundle import Bundle
from echoplane.models.registry import find
from echoplane.pipelines import _html
from echoplane.pipelines._movie import MOVIES, write_movie
from echoplane.prepare.frames import prepare
from echoplane.records import Cine, FloatArray, PreparedCine, SamplingPlan, UInt8Array
from echoplane.sampling.clips import gather, plan
from echoplane.sources.discover import discover
from echoplane.sources.item import SourceItem
from echoplane.sources.open import open_cine

if TYPE_CHECKING:
    from echoplane.explain.cinemap import CineMap
    from echoplane.explain.render import Caption

#: The map of the network itself, from the CPU engine, without torch.
CAM = "cam"

#: What an explanation can be written as.
FORMATS = (*MOVIES, ".png", ".npz", ".html")

#: Frame rate of pictures of a cine that does not say its own.
_ASSUMED_FPS = 25.0


@dataclass(frozen=True, slots=True)
class ExplainSettings:
    """How to explain.

    Attributes
    ----------
    bundle : str or None
        Folder or file; None takes the weights that ship with the package.
    method : str
        ``cam`` or a name of :data:`echoplane.explain.methods.METHODS`.
    view : str
        Explain this view; empty: the network's own answer.
    minus : str
        Explain why `view` and not this one.
    layer : str
        Dotted name of the feature layer; empty: the registry's.
    side_by_side : bool
        Show the plain cine beside the marked one.
    """

    bundle: str | None = None
    method: str = CAM
    view: str = ""
    minus: str = ""
    layer: str = ""
    side_by_side: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """What was found for one cine.

    Attributes
    ----------
    cine : Cine
    answer : Answer
        Of the network on this cine.
    found : CineMap
    """

    cine: Cine
    answer: Answer
    found: CineMap


class Explainer:
    """A bundle, ready to explain cines. The network is loaded when it is first needed.

    Raises
    ------
    UsageError
        For an unknown method.
    """

    def __init__(self, settings: ExplainSettings | None = None) -> None:
        self.settings = settings or ExplainSettings()
        self.bundle = Bundle.load(self.settings.bundle)
        if self.settings.method != CAM:
            need("torch", "explain", f"explain with method {self.settings.method!r}; method 'cam' does without")
            from echoplane.explain.methods import METHODS

            if self.settings.method not in METHODS:
                raise UsageError(f"method {self.settings.method!r} is not known; known: {', '.join([CAM, *METHODS])}.")

    @cached_property
    def _engine(self) -> Engine:
        return load_engine(self.bundle)

    @cached_property
    def _network(self) -> Any:
        from echoplane.models.load import load_network

        return load_network(self.bundle)

    def explain(self, source: str | Path | SourceItem | Cine) -> Explanation:
        """Explain one cine, as a rule for the view that the network answers.

        Raises
        ------
        ReadError, PrepareError
            When the file does not become a cine of moving B-mode.
        UsageError
            For a view that the network does not know, or a layer that it does not have.
        """
        from echoplane.explain.cinemap import cine_map

        cine = source if isinstance(source, Cine) else open_cine(source)
        refusal = gate(cine, include_color=True, include_stills=True)
        if refusal.status is not None:
            raise PrepareError(cine.source, refusal.reason)
        clips, sampling, prepared = prepared_clips(cine, self.bundle)
        answer, target, maps = self._maps(clips)
        found = cine_map(maps, sampling, cine.n_frames, prepared.sector, prepared.crop,
                         method=self.settings.method, target=target.name)  # fmt: skip
        return Explanation(cine, answer, found)

    def _maps(self, clips: FloatArray) -> tuple[Answer, Target, FloatArray]:
        if self.settings.method == CAM:
            return self._engine_maps(clips)
        from echoplane.explain.methods import attribute

        facts = self.bundle.facts
        answer = decide(self._engine.run(clips), facts)
        target = self._target(answer)
        black = (0.0 - facts.recipe.mean) / facts.recipe.std
        layer = self.settings.layer or find(facts.network.name).feature_layer
        weights = target.weights(facts.vocabulary)
        return answer, target, attribute(self._network, layer, clips, weights, self.settings.method, black)

    @cached_property
    def _cam_engine(self) -> object:
        from echoplane.inference.cam import CamEngine

        return CamEngine(self.bundle)

    def _engine_maps(self, clips: FloatArray) -> tuple[Answer, Target, FloatArray]:
        from echoplane.explain.enlarge import enlarge
        from echoplane.inference.cam import CamEngine

        assert isinstance(self._cam_engine, CamEngine)
        logits, maps_CKnhw = self._cam_engine.run(clips)
        answer = decide(logits, self.bundle.facts)
        target = self._target(answer)
        maps = np.einsum("cknhw,k->cnhw", maps_CKnhw, target.weights(self.bundle.facts.vocabulary))
        if not target.minus:
            maps = np.maximum(maps, 0)
        return answer, target, enlarge(maps.astype(np.float32), clips.shape[2:])

    def _target(self, answer: Answer) -> Target:
        return Target(self.settings.view or answer.best_view, self.settings.minus)


def write(explanation: Explanation, path: str | Path, *, side_by_side: bool = True, title: str = "") -> Path:
    """Write an explanation in the format that the ending says.

    Parameters
    ----------
    explanation : Explanation
    path : str or Path
        ``.mp4``, ``.gif``, ``.webp`` moving; ``.png`` the moments that matter; ``.npz`` the numbers (``values``
        float32 (T, H, W), ``crop``, ``moments``, ``seen``); ``.html`` a page that stands alone.
    side_by_side : bool
    title : str
        Beside the picture; the file's own name when empty.

    Raises
    ------
    UsageError
        For another ending.
    ReadError
        When the frames cannot be decoded.
    """
    from echoplane.explain.render import film_strip, frames

    path = Path(path)
    kind = path.suffix.lower()
    if kind not in FORMATS:
        raise UsageError(f"{path}: explanations end in {', '.join(FORMATS)}.")
    found, cine = explanation.found, explanation.cine
    if kind == ".npz":
        with atomic_write(path, "wb") as stream:
            np.savez_compressed(stream, values=found.values, crop=np.array(found.crop), moments=found.moments(),
                                seen=found.seen)  # fmt: skip
        return path
    grey = cine.reader.read(range(cine.n_frames))
    note = caption(explanation, title)
    fps = cine.fps or _ASSUMED_FPS
    if kind == ".html":
        with atomic_write(path) as stream:
            stream.write(_page([(explanation, note, grey)]))
    elif kind == ".png":
        from PIL import Image

        with atomic_write(path, "wb") as stream:
            Image.fromarray(film_strip(grey, found, note)).save(stream, "PNG")
    else:
        write_movie(path, frames(grey, found, note, side_by_side=side_by_side), fps)
    return path


def caption(explanation: Explanation, title: str = "") -> Caption:
    """Return what stands beside the picture."""
    from echoplane.explain.render import Caption

    answer = explanation.answer
    name = title or Path(explanation.cine.source).name
    return Caption(name, answer.probabilities, explanation.found.target.partition(",")[0])


def gallery(
    paths: Iterable[str | Path],
    output: str | Path,
    settings: ExplainSettings | None = None,
    *,
    on_start: Callable[[int], None] = lambda total: None,
    on_done: Callable[[str], None] = lambda name: None,
) -> tuple[int, list[tuple[str, str]]]:
    """Write one self-contained page for many cines, the most doubtful first.

    Returns
    -------
    shown : int
    failed : list of (str, str)
        File and reason of those that could not be explained; they stand at the end of the page as well.
    """
    explainer = Explainer(settings)
    items = list(discover([str(p) for p in paths]))
    on_start(len(items))
    cards: list[tuple[float, str]] = []
    failed: list[tuple[str, str]] = []
    for item in items:
        try:
            explanation = explainer.explain(item)
            grey = explanation.cine.reader.read(range(explanation.cine.n_frames))
            probability = max(explanation.answer.probabilities.values(), default=0.0)
            cards.append((probability, _card(explanation, caption(explanation), grey)))
        except (ReadError, PrepareError) as error:
            failed.append((item.source, error.sentence))
        on_done(item.source)
    cards.sort(key=lambda pair: pair[0])
    body = [_html.side_by_side(*(card for _, card in cards))]
    if failed:
        body.append(_html.section(f"Not explained: {len(failed)}", _html.table(["file", "reason"], failed)))
    lead = (
        f"{len(cards)} cines by {explainer.bundle.name}, method {explainer.settings.method}; the most doubtful first."
    )
    with atomic_write(output) as stream:
        stream.write(_html.page("What the network looked at", lead, body))
    return len(cards), failed


def _card(explanation: Explanation, note: Caption, grey: UInt8Array) -> str:
    """Return a small moving picture of the marked cine with its answer."""
    from echoplane.explain.render import blend

    found = explanation.found
    height, width = grey.shape[1:]
    inside = found.sector.mask(height, width)
    x0, y0, x1, y1 = found.sector.box
    chosen = np.unique(np.linspace(0, len(grey) - 1, min(len(grey), 24)).astype(int))
    marked = np.stack(
        [blend(np.where(inside, grey[t], 0).astype(np.uint8), found.on_frame(int(t), height, width)) for t in chosen]
    )[:, y0:y1, x0:x1]
    best = sorted(note.probabilities.items(), key=lambda item: -item[1])[:2]
    words = f"{note.title}: " + ", ".join(f"{view} {p:.2f}" for view, p in best)
    fps = (explanation.cine.fps or _ASSUMED_FPS) * len(chosen) / len(grey)
    return _html.moving_picture(marked, words, fps=fps, side=224)


def _page(rows: Sequence[tuple[Explanation, Caption, UInt8Array]]) -> str:
    import base64
    import io

    from PIL import Image

    from echoplane.explain.render import film_strip

    body = []
    for explanation, note, grey in rows:
        stream = io.BytesIO()
        Image.fromarray(film_strip(grey, explanation.found, note)).save(stream, "PNG")
        strip = base64.b64encode(stream.getvalue()).decode()
        best = sorted(note.probabilities.items(), key=lambda item: -item[1])
        body.append(_card(explanation, note, grey))
        body.append(
            f'<p><img style="max-width:100%" alt="moments that matter" src="data:image/png;base64,{strip}"></p>'
        )
        body.append(_html.table(["view", "probability"], best))
        body.append(_html.paragraph("; ".join(explanation.answer.reasons)))
    first = rows[0][0]
    return _html.page(
        f"What the network looked at: {first.found.target}", f"Method {escape(first.found.method)}.", body
    )


def prepared_clips(cine: Cine, bundle: Bundle) -> tuple[FloatArray, SamplingPlan, PreparedCine]:
    """Return a cine's normalised clips (C, 1, N, H, W), their plan, and the prepared frames."""
    facts = bundle.facts
    sampling = plan(cine.n_frames, cine.fps, facts.sampling, source=cine.source)
    prepared = prepare(cine, facts.recipe, sampling.needed)
    return facts.recipe.normalise(gather(prepared, sampling))[:, None], sampling, prepared
