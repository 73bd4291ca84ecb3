"""Measure what the maps are worth, make one example of every kind of output, and write both into docs/explain.md.

    python tools/explain_proofs.py                       with the weights that ship; some minutes on one core
    python tools/explain_proofs.py --bundle mine.echoplane --no-write      only print

Needs the extra `explain`. What stands between the two marks of docs/explain.md is replaced; the pictures are written
to docs/pictures/explain/.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

# A few threads at most: the figures are ratios, and other work may share the machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import explain_measures as measures
from explain_examples import write_examples

from echoplane.inference.engine import available_cpus
from echoplane.models.bundle import Bundle
from echoplane.phantom.clip import render_clip
from echoplane.pipelines.phantom import write_clip

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "explain.md"
PICTURES = ROOT / "docs" / "pictures" / "explain"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
SEED = 70_000
#: Logits of torch and of the CPU engine closer than this are of one network.
ALIKE = 1e-2


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", help="folder or file; the default weights when left out")
    parser.add_argument("--cines", type=int, default=4, help="phantom cines of each view")
    parser.add_argument("--no-write", action="store_true", help="print the tables, change no file")
    options = parser.parse_args()
    begun = time.perf_counter()
    bundle = Bundle.load(options.bundle)
    with tempfile.TemporaryDirectory() as scratch:
        text = measure(bundle, options.cines, Path(scratch))
        print(text, flush=True)
        if not options.no_write:
            made = Path(scratch) / "pictures"
            write_examples(bundle, made, SEED)
            curves_picture(made / "curves.png")
            PICTURES.mkdir(parents=True, exist_ok=True)
            for old in PICTURES.iterdir():
                old.unlink()
            for new in sorted(made.iterdir()):
                shutil.copyfile(new, PICTURES / new.name)
            splice(text)
            size = sum(picture.stat().st_size for picture in PICTURES.iterdir())
            print(f"{PICTURES.relative_to(ROOT)}: {size / 1e6:.1f} MB", file=sys.stderr)
    print(f"{time.perf_counter() - begun:.0f} s, {time.process_time():.0f} s of processor", file=sys.stderr)


def measure(bundle: Bundle, per_view: int, scratch: Path) -> str:
    subject = measures.Subject(bundle)
    found = list(measures.cases(subject, per_view, SEED))
    for case in found:
        measures.fill_maps(subject, case)
        print(f"maps of {case.view} {case.phantom.recording.seed}", file=sys.stderr, flush=True)
    answers = [subject.facts.vocabulary[int(subject.engine.run(case.clip)[0].argmax())] for case in found]
    right = sum(a == case.view for a, case in zip(answers, found, strict=True))
    apart = max(subject.disagreement(case.clip) for case in found)
    if apart > ALIKE:
        print(f"WARNING: the bundle's weights and its ONNX network are not one: logits differ by {apart:.2g}; maps by "
              "gradients and the answers belong to two networks.", file=sys.stderr)  # fmt: skip
    parts = [
        f"`python tools/explain_proofs.py`, bundle `{bundle.name}` {bundle.hash[:12]} "
        f"({bundle.facts.network.name}), {len(found)} phantom cines, one clip each; the network names "
        f"{right} of them rightly. Torch and the CPU engine differ by {apart:.1e} in a logit.\n",
        where_text(subject, found),
        outside_text(subject, found),
        faithful_text(subject, found),
        cascade_text(subject, found),
        speed_text(bundle, scratch),
    ]
    return "\n".join(parts)


def where_text(subject: measures.Subject, found: list[measures.Case]) -> str:
    views = [v for v in measures.DEFINING if any(c.view == v for c in found)]

    def cell(method: str, view: str) -> str:
        own = [c for c in found if c.view == view and (method in c.maps or method == "brightness")]
        shares = np.array([measures.share_on_structure(c, method) for c in own])
        chance = np.array([c.chance for c in own])
        if np.isnan(shares).all():
            return "empty"
        ratio = np.nanmean(shares) / chance[~np.isnan(shares)].mean()
        above = int(np.nansum(shares > chance))
        return f"{np.nanmean(shares):.0%} (x{ratio:.1f}; {above} of {len(own)})"

    chance = [f"{np.mean([c.chance for c in found if c.view == v]):.0%}" for v in views]
    rows = [
        ["share of the area: chance", *chance],
        ["the picture's brightness", *(cell("brightness", v) for v in views)],
    ]
    rows += [[f"`{m}`", *(cell(m, v) for v in views)] for m in subject.methods]
    head = ["", *(f"{v}: {measures.DEFINING[v][0]}" for v in views)]
    return (
        "### Where the maps lie\n\nShare of the energy that speaks for the true view and lies on the structure that "
        f"defines it, with {measures.MARGIN_MM:g} mm around it (in brackets: times chance; in how many cines above "
        f"chance). `{measures.SLOW}` was asked of one cine a view.\n\n{table(head, rows)}"
    )


def outside_text(subject: measures.Subject, found: list[measures.Case]) -> str:
    rows = []
    for method in subject.methods:
        own = [c for c in found if method in c.maps]
        raw = np.nanmean([measures.outside_share(c, method) for c in own])
        shown = max(measures.shown_outside(c, method) for c in own)
        rows.append([f"`{method}`", f"{raw:.1%}", f"{shown:g}"])
    return (
        "### Outside the sector\n\nNothing is shown there. Before it is cut away, this much of the network's own "
        "map lay on the black around the sector (smooth maps cannot follow its edge):\n\n"
        + table(["", "energy outside, uncut", "largest value shown outside"], rows)
    )


#: Mean curves by method, kept for the picture.
CURVES: dict[str, tuple[np.ndarray, np.ndarray]] = {}


def faithful_text(subject: measures.Subject, found: list[measures.Case]) -> str:
    all_curves = [measures.faithfulness(subject, case) for case in found]
    rows = []
    for method in (*subject.methods, "random"):
        own = [(c[method], c["random"]) for c in all_curves if method in c]
        if not own:
            continue
        down, up = (np.mean([pair[0][i] for pair in own], axis=0) for i in (0, 1))
        CURVES[method] = (down, up)
        area = [float(np.trapezoid(c, dx=1 / measures.CURVE_STEPS)) for c in (down, up)]
        better = [
            sum(sign * a[i].sum() > sign * b[i].sum() for a, b in own) for i, sign in ((0, -1), (1, 1))
        ]  # fmt: skip
        beside = ["", ""] if method == "random" else [f" ({n} of {len(own)})" for n in better]
        rows.append([f"`{method}`", f"{area[0]:.3f}{beside[0]}", f"{area[1]:.3f}{beside[1]}"])
    return (
        "### Deletion and insertion\n\nThe clip is blacked out, or brought back from black, block by block in the "
        "order of the map; area under the probability of the network's own answer, mean over the cines (in brackets: "
        "in how many the map did better than maps of noise). Small is good for deletion, large for insertion.\n\n"
        + table(["", "deletion", "insertion"], rows)
        + "\n![Deletion and insertion curves](pictures/explain/curves.png)\n"
    )


def cascade_text(subject: measures.Subject, found: list[measures.Case]) -> str:
    firsts = [c for c in found if c.first]
    rows = []
    for method in subject.methods:
        if method in ("cam", measures.SLOW):
            continue
        means = np.mean([measures.cascade(subject, case, method) for case in firsts], axis=0)
        rows.append([f"`{method}`", *(f"{m:.2f}" for m in means)])
    return (
        "### Random weights\n\nRank correlation, inside the sector, between the map and that of the network with "
        f"weights drawn anew, mean over {len(firsts)} cines. A map that stayed the same would not depend on what was "
        "learned.\n\n" + table(["", "the answer's layer", "half of the layers", "all layers"], rows)
    )


def speed_text(bundle: Bundle, scratch: Path) -> str:
    file = scratch / "sixty.dcm"
    write_clip(render_clip("A4C", SEED, frames=60, fps=30.0, size=(600, 800)), file)
    found = measures.speed(bundle, file, scratch / "overlays")
    beyond = found["answer and Grad-CAM"][1] - found["predict"][1]
    rows = [[name, f"{ratio:.2f}", f"{seconds:.3f}"] for name, (ratio, seconds) in found.items()]
    cores = available_cpus()
    processors = "1 processor" if cores == 1 else f"{cores} processors"
    return (
        f"### Speed\n\nOne DICOM cine of 60 frames, 800x600, in turns on {processors}; medians. Grad-CAM takes "
        f"{beyond:.2f} s beyond the prediction.\n\n" + table(["", "times predict", "seconds"], rows)
    )


def curves_picture(path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    colours = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#555555")
    figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.2), sharey=True, layout="constrained")
    for axis, title, which in zip(
        axes, ("deletion: lower is better", "insertion: higher is better"), (0, 1), strict=True
    ):
        for colour, (method, curves) in zip(colours, [c for c in CURVES.items() if c[0] != "random"], strict=False):
            share = np.linspace(0, 1, len(curves[which]))
            axis.plot(share, curves[which], color=colour, label=method, linewidth=1.5)
        axis.plot(share, CURVES["random"][which], color="black", linestyle="--", label="random", linewidth=1.5)
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("share of the blocks changed", fontsize=9)
    axes[0].set_ylabel("probability of the answer", fontsize=9)
    axes[1].legend(fontsize=7, loc="best")
    figure.savefig(path, dpi=100)
    plt.close(figure)


def splice(text: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n{text}{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
