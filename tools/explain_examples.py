"""One small example of every kind of output, as `explain_proofs.py` puts them into docs/pictures/explain/."""

from __future__ import annotations

import sys
from contextlib import chdir
from pathlib import Path

import numpy as np
import pydicom.examples
from PIL import Image

from echoplane.explain.panel import write_text
from echoplane.explain.render import display_gain
from echoplane.explain.tint import PAPER, blend
from echoplane.inference.classifier import ViewClassifier
from echoplane.models.bundle import Bundle
from echoplane.phantom.clip import PhantomCine, render_clip
from echoplane.pipelines import filters
from echoplane.pipelines._overlays import Overlays
from echoplane.pipelines.explain import Explainer, ExplainSettings, Explanation
from echoplane.pipelines.explain_write import gallery, write
from echoplane.pipelines.phantom import write_clip

#: Frames and rate of the phantom films, and their size: small enough to be kept beside the text.
FRAMES, FPS, SIZE = 8, 8.0, (300, 400)
#: Height of a tile of the page of methods, and how many stand in a row.
TILE, ACROSS = 260, 4
NO_SCREEN = ("acoustics", "pose", "disease")


def write_examples(bundle: Bundle, folder: Path, seed: int) -> None:
    """Make them all; the real cine is the apical four-chamber view that pydicom ships."""
    folder.mkdir(parents=True)
    a4c = Path(str(pydicom.examples.get_path("ybr_color")))
    steps = {
        "film, picture, page": lambda: _real(bundle, a4c, folder),
        "phantom": lambda: _phantom(bundle, folder, seed),
        "methods": lambda: _methods(bundle, a4c, folder / "methods.jpg"),
        "gallery": lambda: _gallery(bundle, a4c, folder / "gallery.html", seed),
        "predict --cam": lambda: _predict(bundle, a4c, folder / "predict-cam.jpg"),
        "filters": lambda: _filters(bundle, a4c, folder),
    }
    for name, step in steps.items():
        step()
        print(f"made: {name}", file=sys.stderr, flush=True)


def _real(bundle: Bundle, a4c: Path, folder: Path) -> None:
    explanation = Explainer(ExplainSettings(bundle.where)).explain(a4c)
    write(explanation, folder / "a4c.mp4")
    write(explanation, folder / "a4c.png")
    write(explanation, folder / "a4c.html")
    write(explanation, folder / "a4c.webp", side_by_side=False)


def phantom(view: str, seed: int, frames: int = FRAMES) -> PhantomCine:
    return render_clip(view, seed, frames=frames, fps=FPS, size=SIZE, nuisances=NO_SCREEN, disease="none")


def _phantom(bundle: Bundle, folder: Path, seed: int) -> None:
    cine = phantom("PSAX-PM", seed)
    why = Explainer(ExplainSettings(bundle.where, view="PSAX-PM", minus="PSAX-MV")).explain(cine)
    write(why, folder / "phantom-papillary-not-mitral.gif", side_by_side=False, title="phantom PSAX-PM")
    heart = Explainer(ExplainSettings(bundle.where, view="A4C")).explain(phantom("A4C", seed))
    write(heart, folder / "phantom-a4c.webp", title="phantom A4C")
    short = Explainer(ExplainSettings(bundle.where, view="A4C")).explain(phantom("A4C", seed, 8))
    write(short, folder / "phantom-a4c.npz")


def _methods(bundle: Bundle, a4c: Path, path: Path) -> None:
    """Every method on the same frame, towards the view that the cine really shows."""
    found = [Explainer(ExplainSettings(bundle.where, m, "A4C")).explain(a4c) for m in _methods_of(bundle)]
    seen = np.flatnonzero(found[0].found.seen)
    t = int(seen[len(seen) // 2])
    tiles = [_tile(None, found[0], t), *(_tile(e, e, t) for e in found)]
    tiles += [np.full_like(tiles[0], PAPER)] * (-len(tiles) % ACROSS)
    rows = [np.hstack(tiles[i : i + ACROSS]) for i in range(0, len(tiles), ACROSS)]
    Image.fromarray(np.vstack(rows)).save(path, quality=88)


def _methods_of(bundle: Bundle) -> list[str]:
    """All, ``cam`` first where the network has it."""
    from echoplane.explain.methods import METHODS

    return [*(["cam"] if Explainer(ExplainSettings(bundle.where)).method == "cam" else []), *METHODS]


def _tile(marked: Explanation | None, explanation: Explanation, t: int) -> np.ndarray:
    found, cine = explanation.found, explanation.cine
    inside = found.sector.mask(cine.height, cine.width)
    grey = np.where(inside, cine.reader.read([t])[0], 0).astype(np.uint8)
    heat = found.on_frame(t, cine.height, cine.width) * (display_gain(found.values) if marked else 0)
    x0, y0, x1, y1 = found.sector.box
    picture = Image.fromarray(blend(grey, np.clip(heat, -1, 1))[y0:y1, x0:x1])
    picture = picture.resize((round(TILE * (x1 - x0) / (y1 - y0)), TILE), Image.Resampling.BILINEAR)
    tile = np.array(picture)
    write_text(tile, (6, 4), found.method if marked else "the cine", 14)
    return tile


def _gallery(bundle: Bundle, a4c: Path, path: Path, seed: int) -> None:
    folder = path.with_name("gallery")
    folder.mkdir()
    (folder / "real-A4C.dcm").write_bytes(a4c.read_bytes())
    for view in ("A2C", "A4C", "PSAX-MV", "PSAX-PM"):
        write_clip(phantom(view, seed), folder / f"phantom-{view}.dcm")
    (folder / "notes.txt").write_text("no cine", encoding="utf-8")
    where = str(Path(bundle.where).resolve())
    with chdir(folder.parent):  # so that the page names files by a short path
        gallery([folder.name], path, ExplainSettings(where))
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()


def _predict(bundle: Bundle, a4c: Path, path: Path) -> None:
    folder = path.with_name("overlays")
    ViewClassifier.load(bundle, on_look=Overlays(folder)).predict(a4c)
    next(folder.iterdir()).rename(path)
    folder.rmdir()


def _filters(bundle: Bundle, a4c: Path, folder: Path) -> None:
    layers = filters.layer_names(bundle)
    stem, count = layers[0]
    filters.write_page(filters.favourites(bundle, stem, range(min(count, 9)), steps=48), folder / "filters-first.webp")
    deep = layers[len(layers) // 2][0]
    filters.write_page(filters.favourites(bundle, deep, range(4), steps=64), folder / "filters-middle.webp")
    filters.write_page(filters.maps_of(bundle, stem, a4c)[:9], folder / "feature-maps.gif")
