"""An explanation as a file: film, picture, numbers, or a page that stands alone; and a page for many cines."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from echoplane._files import atomic_write, each_path, nothing_to_read
from echoplane.errors import NotImageError, PrepareError, ReadError, UsageError
from echoplane.explain.panel import Caption
from echoplane.explain.render import Marked, film_strip, frames
from echoplane.pipelines import _html
from echoplane.pipelines._movie import MOVIES, write_movie
from echoplane.pipelines.explain import Explainer, ExplainSettings, Explanation
from echoplane.records import Status, UInt8Array
from echoplane.sources.discover import discover

#: What an explanation can be written as.
FORMATS = (*MOVIES, ".png", ".npz", ".html")

#: Frame rate of pictures of a cine that does not say its own.
_ASSUMED_FPS = 25.0

#: Frames and longest side of the moving pictures in pages.
_CARD_FRAMES, _CARD_SIDE = 24, 224


def write(explanation: Explanation, path: str | Path, *, side_by_side: bool = True, title: str = "") -> Path:
    """Write an explanation in the format that the ending says.

    Parameters
    ----------
    explanation : Explanation
    path : str or Path
        ``.mp4``, ``.gif``, ``.webp`` moving, at the cine's own frame rate; ``.png`` the moments that matter; ``.npz``
        the numbers (``values`` float32 (T, H, W), ``crop``, ``moments``, ``seen``, ``method``, ``target``,
        ``probabilities``, ``views``, and ``phases`` of a phantom);
        ``.html`` a page that stands alone.
    side_by_side : bool
        Of films: False leaves the plain cine out.
    title : str
        Beside the picture; the file's own name when empty.

    Raises
    ------
    UsageError
        For another ending.
    ReadError
        When the frames cannot be decoded.
    """
    path = Path(path)
    kind = check_ending(path)
    if kind == ".npz":
        _write_numbers(explanation, path)
        return path
    found, cine = explanation.found, explanation.cine
    grey = cine.reader.read(range(cine.n_frames))
    note = caption(explanation, title)
    if kind == ".html":
        with atomic_write(path) as stream:
            stream.write(_page(explanation, note, grey))
    elif kind == ".png":
        with atomic_write(path, "wb") as stream:
            Image.fromarray(film_strip(grey, found, note)).save(stream, "PNG", optimize=True)
    else:
        write_movie(path, frames(grey, found, note, side_by_side=side_by_side), cine.fps or _ASSUMED_FPS)
    return path


def check_ending(path: Path) -> str:
    """Return the ending in small letters.

    Raises
    ------
    UsageError
        When no explanation ends so.
    """
    if path.suffix.lower() not in FORMATS:
        raise UsageError(f"{path}: explanations end in {', '.join(FORMATS)}.")
    return path.suffix.lower()


def caption(explanation: Explanation, title: str = "") -> Caption:
    """Return what stands beside the picture."""
    answer, cine = explanation.answer, explanation.cine
    return Caption(
        title=title or Path(cine.source).name,
        probabilities=answer.probabilities,
        view=explanation.found.target.partition(",")[0],
        answer=_words(explanation),
        fps=cine.fps,
        phases=explanation.phases,
    )


def _words(explanation: Explanation) -> str:
    answer = explanation.answer
    if answer.status is Status.OK:
        return answer.view
    return f"{answer.status} ({answer.best_view}?)"


def _write_numbers(explanation: Explanation, path: Path) -> None:
    found, probabilities = explanation.found, explanation.answer.probabilities
    numbers: dict[str, Any] = {
        "values": found.values, "crop": np.array(found.crop), "moments": found.moments(), "seen": found.seen,
        "method": np.array(found.method), "target": np.array(found.target), "views": np.array(list(probabilities)),
        "probabilities": np.array(list(probabilities.values()), np.float32),
    }  # fmt: skip
    if explanation.phases is not None:
        numbers["phases"] = explanation.phases
    with atomic_write(path, "wb") as stream:
        np.savez_compressed(stream, **numbers)


def _page(explanation: Explanation, note: Caption, grey: UInt8Array) -> str:
    found = explanation.found
    stream = io.BytesIO()
    Image.fromarray(film_strip(grey, found, note)).save(stream, "WEBP", quality=82)
    strip = base64.b64encode(stream.getvalue()).decode()
    ranked = sorted(note.probabilities.items(), key=lambda item: -item[1])
    body = [
        f'<p><img style="max-width:100%" alt="moments that matter" src="data:image/webp;base64,{strip}"></p>',
        _html.side_by_side(_card(explanation, note, grey), _html.table(["view", "probability"], ranked)),
    ]
    if explanation.answer.reasons:
        body.append(_html.paragraph(" ".join(explanation.answer.reasons)))
    lead = f"{note.title}: {note.answer}. Shown by method {found.method}; orange speaks for {found.target}" + (
        ", blue against it." if (found.values < 0).any() else "."
    )
    return _html.page(f"What the network looked at: {found.target}", lead, body)


def _card(explanation: Explanation, note: Caption, grey: UInt8Array) -> str:
    """Return a small moving picture of the marked cine with its answer."""
    found = explanation.found
    height, width = grey.shape[1:]
    x0, y0, x1, y1 = found.sector.box
    scale = min(1.0, _CARD_SIDE / max(x1 - x0, y1 - y0))
    marked = Marked(grey, found, (round(width * scale), round(height * scale)))
    left, top, right, bottom = (round(v * scale) for v in (x0, y0, x1, y1))
    chosen = np.unique(np.linspace(0, len(grey) - 1, min(len(grey), _CARD_FRAMES)).astype(int))
    shown = np.stack([marked(int(t))[1][top:bottom, left:right] for t in chosen])
    best = sorted(note.probabilities.items(), key=lambda item: -item[1])[:2]
    words = f"{note.title}: " + ", ".join(f"{view} {p:.2f}" for view, p in best)
    if explanation.answer.status is not Status.OK:
        words += f" ({explanation.answer.status})"
    fps = (explanation.cine.fps or _ASSUMED_FPS) * len(chosen) / len(grey)
    return _html.moving_picture(shown, words, fps=fps, side=_CARD_SIDE)


def gallery(
    paths: str | Path | Iterable[str | Path],
    output: str | Path,
    settings: ExplainSettings | None = None,
    *,
    on_start: Callable[[int], None] = lambda total: None,
    on_done: Callable[[str], None] = lambda name: None,
) -> tuple[int, list[tuple[str, str]]]:
    """Write one self-contained page for many cines, the most doubtful first.

    Parameters
    ----------
    paths : str, Path or iterable of them
        Files and folders.
    output : str or Path
        Ends in ``.html``.
    settings : ExplainSettings
    on_start, on_done : callable
        Called with the number of cines, and with each one's name when it is done.

    Returns
    -------
    shown : int
    failed : list of (str, str)
        File and reason of those that could not be explained. They stand at the end of the page, beside what holds no
        picture (a text file), which is no failure.

    Raises
    ------
    UsageError
        Nothing found, or another ending.
    """
    given = list(each_path(paths))
    if Path(output).suffix.lower() != ".html":
        raise UsageError(f"{output}: a gallery is a page and ends in .html.")
    explainer = Explainer(settings)
    items = list(discover(given))
    if not items:
        raise nothing_to_read(given)
    on_start(len(items))
    cards: list[tuple[float, str]] = []
    left_out: list[tuple[str, str]] = []
    failed: list[tuple[str, str]] = []
    for item in items:
        try:
            explanation = explainer.explain(item)
            grey = explanation.cine.reader.read(range(explanation.cine.n_frames))
            probability = max(explanation.answer.probabilities.values(), default=0.0)
            cards.append((probability, _card(explanation, caption(explanation), grey)))
        except (ReadError, PrepareError) as error:
            left_out.append((item.source, error.sentence))
            if not isinstance(error, NotImageError):
                failed.append(left_out[-1])
        on_done(item.source)
    cards.sort(key=lambda pair: pair[0])
    body = [_html.side_by_side(*(card for _, card in cards))]
    if left_out:
        body.append(_html.section(f"Not explained: {len(left_out)}", _html.table(["file", "reason"], left_out)))
    what = f"why {explainer.settings.view}" if explainer.settings.view else "why the view it names"
    lead = (
        f"{len(cards)} cines by {explainer.bundle.name}, method {explainer.method}, {what}; the most doubtful first. "
        "Orange speaks for the view, blue against it."
    )
    with atomic_write(output) as stream:
        stream.write(_html.page("What the network looked at", lead, body))
    return len(cards), failed
