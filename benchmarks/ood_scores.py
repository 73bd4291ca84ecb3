"""Which score tells best that a cine shows nothing the network answers? AUROC, on phantoms and on noise.

    echoplane phantom dataset fit --clips 3000 --seed 11 --recipe default
    echoplane phantom dataset test --clips 3000 --seed 12 --recipe default
    python benchmarks/ood_scores.py --fit fit --test test -o docs/ood-scores.md
    python benchmarks/ood_scores.py --fit fit --test test --bundle my.echoplane

Known are the cines of --test whose view the bundle answers; each row of the table is a kind of cine that it does not:

    other organs       phantoms of lung, liver, kidney, neck, ... (label NOISE)
    no scan            drawings and static on the screen (label NOISE)
    Doppler, M-mode    phantom pages
    other heart views  PLAX, subcostal, ...: real hearts, the hardest and the least wrong to answer
    scrambled          known cines with the phases of their spectrum drawn anew: the spectrum of ultrasound, no heart
    1/f noise          the spectrum of natural pictures, moving slowly
    white noise        every pixel drawn alone

The three kinds of noise are made here, inside the sectors of the known cines. The scores; higher is less known:

    energy         -log sum exp of the logits of all labels
    energy, ans.   the same of the labels offered as answers alone, where the network has others
    max logit      minus the largest logit
    max probab.    1 minus the largest calibrated probability
    other          1 minus the calibrated probability of all answers together, where the network has other labels
    Mahalanobis    distance of the pooled features from the nearest class centre of --fit
    nearest        distance of the pooled features, scaled to length 1, from the 10th nearest of --fit (kNN)

Where the network was trained on a kind (a label NOISE in its vocabulary) that kind is no surprise to it; the table says
so. Clips are scored and a cine's score is the mean over its clips. Intervals: bootstrap over patients. The column
"answered" is what a user meets: the share of cines that the bundle, with its thresholds of today, calls a view.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import _markdown
import numpy as np
import numpy.typing as npt

from echoplane.inference.decide import decide
from echoplane.metrics.calibration import mean_by_cine
from echoplane.metrics.classification import auroc
from echoplane.metrics.intervals import Interval, bootstrap
from echoplane.metrics.selective import MahalanobisScore, energy, max_probability_score
from echoplane.models.bundle import Bundle
from echoplane.models.load import load_network
from echoplane.records import Status
from echoplane.sampling.clips import plan
from echoplane.store import StoreReader, StoreRow, open_stores

Floats = npt.NDArray[np.float64]
Scores = dict[str, Floats]

NEIGHBOURS = 10
#: Share of known cines that a limit may turn away, for the second figure of each cell.
TURNED_AWAY = 0.05
NOISES = ("scrambled", "1/f noise", "white noise")


def kind_of(row: StoreRow, answers: tuple[str, ...]) -> str:
    """Return ``known``, the kind of unknown, or an empty text for what is neither (a share of an answered view)."""
    label, content = row.top_label(), str(row.extra.get("content", ""))
    if label in answers:
        return "known"
    if label == "NOISE":
        return "other organs" if content.startswith("organ") else "no scan"
    if label in ("DOPPLER", "M-MODE"):
        return "Doppler, M-mode"
    return "" if label in ("PSAX", "RV-A4C", "A5C") else "other heart views"


class Network:
    """Logits and pooled features: what goes into the last linear layer, averaged over frames where those are apart."""

    def __init__(self, bundle: Bundle) -> None:
        import torch

        self.torch, self.bundle = torch, bundle
        self.network = load_network(bundle).to(memory_format=torch.channels_last_3d)
        linear = [module for module in self.network.modules() if isinstance(module, torch.nn.Linear)]
        self.seen: list[Any] = []
        linear[-1].register_forward_hook(lambda _module, given, _out: self.seen.append(given[0].detach()))

    def run(self, clips: npt.NDArray[np.float32]) -> tuple[Floats, Floats]:
        self.seen.clear()
        with self.torch.inference_mode():
            # A batch of one takes a path that is several times slower.
            batch = self.torch.from_numpy(np.concatenate([clips, clips]) if len(clips) == 1 else clips)
            logits = self.network(batch.contiguous(memory_format=self.torch.channels_last_3d)).numpy()
            features = self.torch.cat(self.seen).reshape(len(batch), -1, self.seen[0].shape[-1]).mean(1).numpy()
        return logits[: len(clips)].astype(float), features[: len(clips)].astype(float)


class Answers:
    """Logits and features of clips, with cine, patient and kind."""

    def __init__(self) -> None:
        self.logits: list[Floats] = []
        self.features: list[Floats] = []
        self.kinds: list[str] = []
        self.labels: list[str] = []
        self.groups: list[str] = []

    def add(self, network: Network, frames: npt.NDArray[np.uint8], row: StoreRow, kind: str) -> None:
        facts = network.bundle.facts
        indices = plan(len(frames), row.fps, facts.sampling, source=row.cine).indices
        clips = facts.recipe.normalise(frames[indices])[:, None]
        logits, features = network.run(np.ascontiguousarray(clips))
        self.logits.append(logits)
        self.features.append(features)
        self.kinds.append(kind)
        self.labels.append(row.top_label())
        self.groups.append(row.group or row.cine)

    def flat(self) -> tuple[Floats, Floats, npt.NDArray[np.int64]]:
        cine = np.repeat(np.arange(len(self.logits)), [len(part) for part in self.logits])
        return np.concatenate(self.logits), np.concatenate(self.features), cine


def noise(kind: str, frames: npt.NDArray[np.uint8], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Return noise in the place, and of the brightness, of a cine (T, H, W)."""
    lit = frames.max(axis=0) > 0
    shape = frames.shape
    if kind == "white noise":
        grey = rng.normal(size=shape)
    elif kind == "1/f noise":
        t, y, x = (np.fft.fftfreq(n)[(...,) + (None,) * k] for n, k in zip(shape, (2, 1, 0), strict=True))
        # Time weighs more: the pattern drifts, rather than flickers.
        radius = np.sqrt((4 * t) ** 2 + y**2 + x**2)
        radius[0, 0, 0] = np.inf
        grey = np.fft.ifftn(np.fft.fftn(rng.normal(size=shape)) / radius).real
    else:
        # Phases of real noise: the result is real.
        phases = np.angle(np.fft.fftn(rng.normal(size=shape)))
        grey = np.fft.ifftn(np.abs(np.fft.fftn(frames.astype(float))) * np.exp(1j * phases)).real
    # The grey values themselves are those of the cine, in the order of the noise.
    out = np.zeros(shape, np.uint8)
    inside = np.broadcast_to(lit, shape)
    ranks = np.argsort(np.argsort(grey[inside], kind="stable"), kind="stable")
    out[inside] = np.sort(frames[inside])[ranks]
    return out


def answer(network: Network, stores: list[StoreReader], limit: int, with_noise: bool) -> Answers:
    found, rng = Answers(), np.random.default_rng(0)
    for store, i, row, kind in _rows(stores, network.bundle.facts.answers, limit):
        frames = store.frames(i)
        found.add(network, frames, row, kind)
        if with_noise and kind == "known" and rng.random() < 0.3:
            for name in NOISES:
                found.add(network, noise(name, frames, rng), row, name)
    return found


def _rows(
    stores: list[StoreReader], answers: tuple[str, ...], limit: int
) -> Iterator[tuple[StoreReader, int, StoreRow, str]]:
    for store in stores:
        for i, row in enumerate(store.rows[:limit]):
            if kind := kind_of(row, answers):
                yield store, i, row, kind


def scores(network: Network, fit: Answers, test: Answers) -> Scores:
    facts = network.bundle.facts
    logits, features, cine = test.flat()
    p = facts.calibration.apply(logits)
    offered = np.array([label in facts.answers for label in facts.vocabulary])
    known = np.flatnonzero([kind == "known" for kind in fit.kinds])
    _, fit_features, fit_cine = fit.flat()
    chosen = np.isin(fit_cine, known)
    fit_features, labels = fit_features[chosen], np.array(fit.labels)[fit_cine[chosen]]
    mahalanobis = MahalanobisScore(fit_features, np.unique(labels, return_inverse=True)[1])
    by_clip = {
        "energy": energy(logits),
        "energy, ans.": energy(logits[:, offered]),
        "max logit": -logits.max(axis=1),
        "max probab.": max_probability_score(p),
        "other": 1 - p[:, offered].sum(axis=1),
        "Mahalanobis": mahalanobis(features),
        "nearest": _nearest(fit_features, features),
    }
    if offered.all():
        del by_clip["other"], by_clip["energy, ans."]
    return {name: mean_by_cine(values[:, None], cine)[:, 0] for name, values in by_clip.items()}


def _nearest(fit: Floats, features: Floats) -> Floats:
    """Distance from the k-th nearest neighbour, features scaled to length 1 (Sun et al., ICML 2022)."""
    a, b = (x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12) for x in (features, fit))
    squared = np.maximum(2 - 2 * a @ b.T, 0)
    return np.sqrt(np.partition(squared, NEIGHBOURS - 1, axis=1)[:, NEIGHBOURS - 1])


def table(found: Scores, test: Answers, repeats: int) -> list[tuple[str, int, dict[str, tuple[Interval, float]]]]:
    kinds, groups = np.array(test.kinds), np.array(test.groups)
    known = kinds == "known"
    names = [name for name in dict.fromkeys(test.kinds) if name != "known"]
    order = ["other organs", "no scan", "Doppler, M-mode", "other heart views", *NOISES]
    rows = []
    for kind in sorted(names, key=order.index):
        cells = {}
        for score, values in found.items():
            chosen = np.flatnonzero(known | (kinds == kind))

            def figure(rows: Any, v: Floats = values[chosen], k: Any = known[chosen]) -> float:
                return auroc(~k[rows], v[rows])

            limit = np.quantile(values[known], 1 - TURNED_AWAY)
            caught = float((values[kinds == kind] > limit).mean())
            cells[score] = (bootstrap(figure, groups[chosen], repeats), caught)
        rows.append((kind, int((kinds == kind).sum()), cells))
    return rows


def markdown(bundle: Bundle, rows: list[Any], test: Answers, fitted: int, how: str) -> str:
    facts = bundle.facts
    ended = [decide(logits, facts).status is Status.OK for logits in test.logits]
    answered = {kind: np.mean([e for e, k in zip(ended, test.kinds, strict=True) if k == kind]) for kind in test.kinds}
    names = list(rows[0][2])
    seen = [label for label in ("NOISE", "DOPPLER", "M-MODE", "PLAX", "other") if label in facts.vocabulary]
    known = [group for group, kind in zip(test.groups, test.kinds, strict=True) if kind == "known"]
    lines = [
        "# Scores for cines that show nothing the network answers",
        "",
        f"    {how}",
        "",
        f"Bundle {facts.name} ({bundle.hash[:12]}, {facts.network.name}). {len(known)} known cines of "
        f"{len(set(known))} patients; features fitted on {fitted} cines of other patients. "
        + (
            f"Labels of the network's own that are such cines: {', '.join(seen)}." if seen else "It has no such labels."
        ),
        "",
        "AUROC against known cines (95 % interval by patient); below it the share caught by a limit that turns "
        f"{TURNED_AWAY:.0%} of the known cines away.",
        "",
        f"| shown | cines | answered | {' | '.join(names)} |",
        f"|---|---|---|{'---|' * len(names)}",
        f"| known | {len(known)} | {answered['known']:.0%} |{' |' * len(names)}",
    ]
    for kind, count, cells in rows:
        best = max(i.value for i, _ in cells.values())
        parts = []
        for interval, caught in cells.values():
            value = f"{interval.value:.3f}"
            value = f"**{value}**" if interval.value == best else value
            parts.append(f"{value} ({interval.low:.2f} to {interval.high:.2f})<br>{caught:.0%}")
        lines.append(f"| {kind} | {count} | {answered[kind]:.0%} | {' | '.join(parts)} |")
    means = {name: np.mean([cells[name][0].value for _, _, cells in rows]) for name in names}
    caught = {name: np.mean([cells[name][1] for _, _, cells in rows]) for name in names}
    best = max(means.values())
    parts = [
        f"**{m:.3f}**<br>{caught[n]:.0%}" if m == best else f"{m:.3f}<br>{caught[n]:.0%}" for n, m in means.items()
    ]
    return "\n".join([*lines, f"| mean of the rows | | | {' | '.join(parts)} |", ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", help="default: the one that ships")
    parser.add_argument("--fit", nargs="+", required=True, help="stores that the feature distances are fitted on")
    parser.add_argument("--test", nargs="+", required=True, help="stores with other patients")
    parser.add_argument("--limit", type=int, default=10**9, help="cines of each store to use")
    parser.add_argument(
        "--repeats", type=int, default=500, help="resamples of patients for the intervals (%(default)s)"
    )
    parser.add_argument("-o", "--output", type=Path, help="Markdown file; printed as well")
    args = parser.parse_args()
    bundle = Bundle.load(args.bundle)
    network = Network(bundle)
    fit = answer(network, open_stores(args.fit), args.limit, with_noise=False)
    test = answer(network, open_stores(args.test), args.limit, with_noise=True)
    shared = {g for g, k in zip(fit.groups, fit.kinds, strict=True) if k == "known"} & set(test.groups)
    if shared:
        parser.error(f"{len(shared)} patients are in --fit and in --test (for example {sorted(shared)[0]}).")
    rows = table(scores(network, fit, test), test, args.repeats)
    options = "".join(f" --{name} {value}" for name, value in (("bundle", args.bundle),) if value)
    names = [" ".join(Path(path).name for path in paths) for paths in (args.fit, args.test)]
    how = f"python benchmarks/ood_scores.py --fit {names[0]} --test {names[1]}{options}"
    text = markdown(bundle, rows, test, fit.kinds.count("known"), how)
    _markdown.show(text, args.output)


if __name__ == "__main__":
    main()
