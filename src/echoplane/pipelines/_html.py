"""Self-contained HTML pages: no script, no file beside them, nothing fetched from anywhere."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterable, Sequence
from html import escape

from echoplane.pipelines._movie import ticks
from echoplane.records import UInt8Array

_STYLE = """
:root{--ink:#22303c;--pale:#eef3f6;--line:#d5dfe6;--accent:#0b6e99}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);margin:0 auto;max-width:70rem;padding:1.5rem}
h1{font-size:1.6rem;margin:0 0 .3rem}h2{font-size:1.15rem;margin:2rem 0 .6rem;border-bottom:2px solid var(--line)}
table{border-collapse:collapse;margin:.5rem 0}td,th{padding:.25rem .7rem;border-bottom:1px solid var(--line);
text-align:left;vertical-align:top}th{background:var(--pale)}td.n{text-align:right;font-variant-numeric:tabular-nums}
.row{display:flex;flex-wrap:wrap;gap:1rem}.row svg{max-width:100%;height:auto}
figure{margin:0}figure img{width:100%;background:#000;display:block}
figcaption{font-size:.8rem;overflow-wrap:anywhere}.quiet{color:#5b6b78}
"""


def page(title: str, lead: str, body: Iterable[str]) -> str:
    """Return a whole page; `title` and `lead` are plain text, `body` is made of HTML pieces."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(title)}</title><style>{_STYLE}</style>'
        f'</head><body><h1>{escape(title)}</h1><p class="quiet">{escape(lead)}</p>{"".join(body)}</body></html>\n'
    )


def section(title: str, *body: str) -> str:
    """Return a heading and what stands under it."""
    return f"<h2>{escape(title)}</h2>{''.join(body)}"


def paragraph(text: str) -> str:
    """Return a paragraph of plain text."""
    return f"<p>{escape(text)}</p>"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table; numbers stand to the right, None and NaN are empty cells, floats have three decimals."""
    lines = "".join(f"<tr>{''.join(_cell(v) for v in row)}</tr>" for row in rows)
    return f"<table><tr>{''.join(f'<th>{escape(h)}</th>' for h in head)}</tr>{lines}</table>"


def _cell(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "<td></td>"
    if isinstance(value, float):
        return f'<td class="n">{value:.3f}</td>'
    return f'<td class="n">{value}</td>' if isinstance(value, int) else f"<td>{escape(str(value))}</td>"


def side_by_side(*pieces: str) -> str:
    """Return pieces in a row that wraps on narrow screens."""
    return f'<div class="row">{"".join(pieces)}</div>'


def moving_picture(frames: UInt8Array, caption: str, fps: float = 20.0, side: int = 112) -> str:
    """Return a small looping picture.

    Parameters
    ----------
    frames : uint8 array, (T, H, W) or (T, H, W, 3)
    caption : str
        Plain text under it.
    fps : float
        Frames a second.
    side : int
        Largest width or height, pixels.
    """
    from PIL import Image

    pictures = [Image.fromarray(frame) for frame in frames]
    for picture in pictures:
        picture.thumbnail((side, side))
    stream = io.BytesIO()
    pictures[0].save(stream, "WEBP", save_all=True, append_images=pictures[1:], loop=0, quality=60,
                     duration=ticks(len(pictures), fps))  # fmt: skip
    data = base64.b64encode(stream.getvalue()).decode()
    return (
        f'<figure style="width:{max(160, pictures[0].width)}px">'
        f'<img alt="{escape(caption)}" src="data:image/webp;base64,{data}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )
