"""What `explain_proofs.py` measures: do the maps lie where they should, and are they true to the network?

Everything is measured on phantom cines, whose every pixel has a known label, with one clip a cine.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

from echoplane.explain.ablate import ablation_curve, energy_share, randomised, similarity
from echoplane.explain.cinemap import CineMap, cine_map
from echoplane.explain.enlarge import enlarge
from echoplane.explain.methods import METHODS, Setting, attribute
from echoplane.inference.cam import CamEngine
from echoplane.inference.classifier import ViewClassifier
from echoplane.inference.engine import Engine, load_engine
from echoplane.models.bundle import Bundle
from echoplane.models.registry import find, is_padded
from echoplane.phantom.clip import PhantomCine, render_clip
from echoplane.phantom.labels import Tissue
from echoplane.pipelines._overlays import Overlays
from echoplane.pipelines.explain import Explainer, ExplainSettings
from echoplane.prepare.frames import prepare
from echoplane.records import BoolArray, FloatArray, PreparedCine, SamplingPlan
from echoplane.sampling.clips import gather, plan

#: What makes a view that view, as labels of the phantom.
DEFINING: dict[str, tuple[str, frozenset[int]]] = {
    "A4C": ("right heart", frozenset({Tissue.BLOOD_RV, Tissue.BLOOD_RA, Tissue.MYO_RV, Tissue.LEAFLET_TRICUSPID})),
    "A3C": ("aortic root", frozenset({Tissue.BLOOD_AO, Tissue.CUSP_AORTIC})),
    "PSAX-MV": ("mitral leaflets", frozenset({Tissue.LEAFLET_MITRAL})),
    "PSAX-PM": ("papillary muscles", frozenset({Tissue.PAPILLARY})),
}
#: Leaflets are thinner than a pixel of the network's picture, so a structure is taken with this margin around it.
MARGIN_MM = 4.0
#: A cine counts when the structure alone fills at least this share of the sector in the frames looked at.
LEAST_SHARE = 0.002
#: Levels of the cascade of randomised weights: this share of the layers, from the answer downwards.
CASCADE = (0.0, 0.5, 1.0)
CURVE_STEPS = 10
#: Slow (hundreds of runs of the network a clip): asked of the first cine of each view only.
SLOW = "occlusion"


@dataclass(eq=False)
class Case:
    """One phantom cine, ready for the network."""

    view: str
    phantom: PhantomCine
    prepared: PreparedCine
    plan: SamplingPlan
    clip: FloatArray  # (1, 1, N, H, W), normalised
    region: BoolArray  # (N, H, W)
    inside: BoolArray  # (N, H, W), the sector
    first: bool  # of its view
    maps: dict[str, FloatArray] = field(default_factory=dict)  # method -> (N, H, W), whole, towards the true view

    @property
    def chance(self) -> float:
        """Share of the sector that the structure fills: what a map of noise would score."""
        return float((self.region & self.inside).sum() / self.inside.sum())


class Subject:
    """The bundle under test, with its network in torch and in the CPU engine."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.facts = bundle.facts
        self.network = Explainer(ExplainSettings(bundle.where))._network
        self.layer = find(self.facts.network.name).feature_layer
        self.engine = load_engine(bundle, precision="f32")
        self.padded = is_padded(self.facts.network.name)
        self.setting = Setting((0.0 - self.facts.recipe.mean) / self.facts.recipe.std, self.padded)
        try:
            self.cam: CamEngine | None = CamEngine(bundle, precision="f32")
        except ValueError:  # UsageError: ends in another way
            self.cam = None
        self.methods = (*(["cam"] if self.cam else []), *METHODS)

    def disagreement(self, clip: FloatArray) -> float:
        """Largest difference of a logit between the network in torch, which is differentiated, and the CPU engine."""
        with torch.no_grad():
            return float(np.abs(self.network(torch.from_numpy(clip)).numpy() - self.engine.run(clip)).max())

    def weights(self, view: str) -> FloatArray:
        result = np.zeros(len(self.facts.vocabulary), np.float32)
        result[self.facts.vocabulary.index(view)] = 1
        return result

    def map(self, method: str, clip: FloatArray, view: str, network: nn.Module | None = None) -> FloatArray:
        """One map, (N, H, W), as the network gives it: nothing is cut away outside the sector."""
        if method == "cam":
            assert self.cam is not None
            maps = self.cam.look(clip)[1][:, self.facts.vocabulary.index(view)]
            return enlarge(np.maximum(maps, 0), clip.shape[2:], self.padded)[0]
        return attribute(network or self.network, self.layer, clip, self.weights(view), method, self.setting)[0]


def cases(subject: Subject, per_view: int, seed: int) -> Iterator[Case]:
    """Render cines of each view in which what defines it can be seen."""
    rule = replace(subject.facts.sampling, max_clips=1)
    for view, (_, labels) in DEFINING.items():
        found = 0
        for number in range(seed, seed + 40 * per_view):
            if found == per_view or view not in subject.facts.vocabulary:
                break
            phantom = render_clip(view, number, frames=60, size=(360, 480), nuisances=("acoustics", "pose", "disease"))
            case = _case(subject, view, phantom, plan(60, phantom.fps, rule), labels, found == 0)
            if case is not None:
                found += 1
                yield case


def _case(
    subject: Subject, view: str, phantom: PhantomCine, sampling: SamplingPlan, labels: frozenset[int], first: bool
) -> Case | None:
    prepared = prepare(phantom.to_cine(), subject.facts.recipe, sampling.needed)
    clip = subject.facts.recipe.normalise(gather(prepared, sampling))[:, None]
    height, width = clip.shape[3:]
    x0, y0, x1, y1 = prepared.crop
    across, down = (x1 - x0) / width, (y1 - y0) / height
    # Of each pixel of the network's picture, the label of the frame's pixel under its centre.
    inverse = np.array([[across, 0, x0 + across / 2 - 0.5], [0, down, y0 + down / 2 - 0.5]])
    seen = phantom.labels(sampling.indices[0])
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    small = np.stack([cv2.warpAffine(s, inverse, (width, height), flags=flags, borderValue=255) for s in seen])
    inside = small != 255
    bare = np.isin(small, list(labels))
    if bare.sum() < LEAST_SHARE * inside.sum():
        return None
    reach = max(1, round(MARGIN_MM / 10 * phantom.recording.framing.pixels_per_cm / across))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    region = np.stack([cv2.dilate(b.astype(np.uint8), kernel) for b in bare]).astype(bool) & inside
    return Case(view, phantom, prepared, sampling, clip, region, inside, first)


def fill_maps(subject: Subject, case: Case) -> None:
    """Ask every method what speaks for the true view."""
    for method in subject.methods:
        if method != SLOW or case.first:
            case.maps[method] = subject.map(method, case.clip, case.view)


def share_on_structure(case: Case, method: str) -> float:
    """Share of what speaks for the view that lies on the structure, of all that lies in the sector."""
    if method == "brightness":  # a map that is the picture itself
        return energy_share(case.clip[0, 0] - case.clip.min(), case.region) / energy_share(
            case.clip[0, 0] - case.clip.min(), case.inside
        )
    values = np.where(case.inside, case.maps[method], 0)
    return energy_share(values, case.region)


def outside_share(case: Case, method: str) -> float:
    """Share of the energy that the network itself put outside the sector, before it is cut away."""
    return 1.0 - energy_share(case.maps[method], case.inside)


def shown_outside(case: Case, method: str) -> float:
    """Largest magnitude outside the sector of what is shown, over every frame of the cine at full size."""
    shown: CineMap = cine_map(
        case.maps[method][None], case.plan, len(case.phantom.frames), case.prepared.sector, case.prepared.crop,
        method=method, target=case.view,
    )  # fmt: skip
    height, width = case.phantom.frames.shape[1:3]
    outside = ~case.prepared.sector.mask(height, width)
    return max(
        float(np.abs(shown.on_frame(t, height, width)[outside]).max(initial=0)) for t in range(0, len(shown.values), 7)
    )


class Engined(nn.Module):
    """The CPU engine as a torch module, for runs that need no gradient."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self.engine = engine

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(self.engine.run(np.ascontiguousarray(x.numpy())))


def faithfulness(subject: Subject, case: Case, noises: int = 3) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Deletion and insertion curves of the network's own answer by method; ``random`` is the mean of maps of noise."""
    network = Engined(subject.engine)
    best = int(subject.engine.run(case.clip)[0].argmax())
    view = subject.facts.vocabulary[best]

    def curves(values: FloatArray) -> tuple[FloatArray, FloatArray]:
        down, up = (
            ablation_curve(network, case.clip[0], values, best, kind, subject.setting.black, CURVE_STEPS)
            for kind in ("deletion", "insertion")
        )
        return np.array(down.probability, np.float32), np.array(up.probability, np.float32)

    found = {}
    for method in case.maps:
        if method == SLOW and view != case.view:
            continue  # its map is of another view
        values = case.maps[method] if view == case.view else subject.map(method, case.clip, view)
        found[method] = curves(np.where(case.inside, values, 0))
    rng = np.random.default_rng(0)
    # Noise in the sector only, as fair as can be: outside of it there is nothing to take away.
    noise = [curves(np.where(case.inside, rng.random(case.inside.shape), 0).astype(np.float32)) for _ in range(noises)]
    found["random"] = (np.mean([n[0] for n in noise], axis=0), np.mean([n[1] for n in noise], axis=0))
    return found


def cascade(subject: Subject, case: Case, method: str) -> list[float]:
    """Rank correlation of the map with that of the same network after more and more of its layers are drawn anew."""
    layers = sum(isinstance(m, nn.Linear | nn.Conv3d | nn.Conv2d) for m in subject.network.modules())
    found = []
    for share in CASCADE:
        network = randomised(subject.network, max(1, round(share * layers)))
        values = subject.map(method, case.clip, case.view, network)
        found.append(similarity(case.maps[method][case.inside], values[case.inside]))
    return found


def speed(bundle: Bundle, file: Path, overlays: Path, rounds: int = 7) -> dict[str, tuple[float, float]]:
    """Time the ways to an answer in turns; return by name the median ratio to predict alone, and median seconds."""
    plain = ViewClassifier.load(bundle, precision="f32", jobs=1)
    looking = ViewClassifier.load(bundle, precision="f32", jobs=1, on_look=lambda look: None)
    drawing = ViewClassifier.load(bundle, precision="f32", jobs=1, on_look=Overlays(overlays))
    gradcam = Explainer(ExplainSettings(bundle.where, "gradcam"))
    ways: dict[str, Callable[[], object]] = {
        "predict": lambda: plain.predict(file),
        "predict, map handed out": lambda: looking.predict(file),
        "predict --cam, picture written": lambda: drawing.predict(file),
        "answer and Grad-CAM": lambda: gradcam.explain(file),
    }
    for way in ways.values():
        way()
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            begun = time.perf_counter()
            way()
            taken[name].append(time.perf_counter() - begun)
    base = taken["predict"]
    return {
        name: (statistics.median(t / b for t, b in zip(times, base, strict=True)), statistics.median(times))
        for name, times in taken.items()
    }
