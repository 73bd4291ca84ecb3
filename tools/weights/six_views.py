"""How well weights that know phantoms alone read the six main views: tools/weights/six_views.py [WEIGHTS].

    echoplane phantom dataset held --clips 2000 --seed 4242 --recipe default
    python tools/weights/real_store.py ../shared/clips real
    python tools/weights/six_views.py --phantoms held --real real

Every cine of the six views (a short axis of unknown level too) is answered twice over: by the likeliest of the six, as
the question "which of the six is it?" has it, and with ``other`` as a seventh answer, as the product asks. WEIGHTS must
have seen neither store. Prints Markdown.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from measure.fresh import SAME_AS
from measure.results import Row, percent, ranged, share, table
from scipy.special import softmax

from echoplane.inference.engine import Engine, load_engine
from echoplane.models.bundle import Bundle
from echoplane.models.export import export_bundle
from echoplane.models.registry import build
from echoplane.models.weights import load, read_state
from echoplane.sampling.clips import plan
from echoplane.store.reader import StoreReader
from echoplane.views import MAIN_VIEWS, OTHER, Family, family_of

HERE = Path(__file__).parent
#: What "PSAX of any level" is called in tables.
SHORT_AXIS = "short axis"
#: The labels that the development clips cover best.
FOUR = ("A2C", "A3C", "A4C", SHORT_AXIS)


def bundle_of(weights: Path, like: Bundle) -> Bundle:
    """Return a bundle of weights of the same network as another bundle's."""
    facts = like.facts
    network = build(facts.network.name, len(facts.vocabulary), **facts.network.options)
    load(network, read_state(weights))
    return export_bundle(network.eval(), facts)


def is_short_axis(label: str) -> bool:
    return label == "PSAX" or (label in MAIN_VIEWS and family_of(label) is Family.SHORT_AXIS)


def answers(bundle: Bundle, engine: Engine, store: StoreReader) -> Iterator[Row]:
    """Yield truth, group and both answers of each cine of the six views."""
    facts = bundle.facts
    columns = [facts.vocabulary.index(view) for view in MAIN_VIEWS]
    for i, row in enumerate(store.rows):
        truth = SAME_AS.get(row.label, row.label)
        if truth not in MAIN_VIEWS and truth != "PSAX":
            continue
        frames = store.frames(i)[plan(row.n_frames, row.fps, facts.sampling).indices]
        six = softmax(engine.run(facts.recipe.normalise(frames)[:, None]), axis=1).mean(axis=0)[columns]
        open_ = np.append(six, 1 - six.sum())
        yield {
            "truth": truth,
            "group": row.group or row.cine,
            "six": MAIN_VIEWS[int(six.argmax())],
            "open": (*MAIN_VIEWS, OTHER)[int(open_.argmax())],
        }


def right(row: Row, how: str) -> bool:
    return is_short_axis(row[how]) if row["truth"] == "PSAX" else row[how] == row["truth"]


def figures(rows: list[Row], how: str, coarse: bool) -> list[tuple[str, str, int]]:
    """Return what is told of one store; `coarse`: the levels of a short axis count as one label."""

    def of(test: Callable[[Row], bool], among: list[Row]) -> Row:
        return share([test(row) for row in among], [row["group"] for row in among])

    def as_family(row: Row) -> bool:
        return row[how] in MAIN_VIEWS and is_short_axis(row[how]) == is_short_axis(row["truth"])

    told = [("apical against short axis", of(as_family, rows))]
    if not coarse:
        return [(words, ranged(f), f["cines"]) for words, f in [("right", of(lambda r: right(r, how), rows)), *told]]
    recalls, by_group = [], []
    for label in FOUR:
        own = [row for row in rows if (is_short_axis(row["truth"]) if label == SHORT_AXIS else row["truth"] == label)]
        hit = [as_family(row) if label == SHORT_AXIS else right(row, how) for row in own]
        told.append((label, share(hit, [row["group"] for row in own])))
        recalls.append(float(np.mean(hit)))
        groups = sorted({row["group"] for row in own})
        of_groups = ([h for h, r in zip(hit, own, strict=True) if r["group"] == group] for group in groups)
        by_group.append(float(np.mean([np.mean(hits) for hits in of_groups])))
    made = [(words, ranged(f), f["cines"]) for words, f in told]
    for words, shares in (("balanced over the four labels", recalls), ("and each group counted as one", by_group)):
        made.append((words, percent(float(np.mean(shares))), len(rows)))
    return made


def confusion(rows: list[Row], how: str, coarse: bool) -> str:
    def name(label: str) -> str:
        return SHORT_AXIS if coarse and is_short_axis(label) else label

    columns = list(dict.fromkeys(name(view) for view in (*MAIN_VIEWS, OTHER)))
    lines = [
        (truth, *(sum(name(r["truth"]) == truth and name(r[how]) == column for r in rows) for column in columns))
        for truth in columns[:-1]
    ]
    return table(("truth", *columns), lines)


def main() -> None:
    """Answer, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "weights", type=Path, nargs="?", default=HERE / "phantom-only.safetensors", help="safetensors (%(default)s)"
    )
    parser.add_argument("--like", type=Path, help="bundle of the same network (default: what ships)")
    parser.add_argument("--phantoms", type=Path, required=True, help="store of phantoms that the weights have not seen")
    parser.add_argument("--real", type=Path, help="store of real clips that they have not seen")
    given = parser.parse_args()
    bundle = bundle_of(given.weights, Bundle.load(given.like))
    engine = load_engine(bundle)
    for words, path in (("Phantom patients", given.phantoms), ("Real clips", given.real)):
        if path is None:
            continue
        coarse = path == given.real
        rows = list(answers(bundle, engine, StoreReader(path)))
        print(f"## {words}: {len(rows)} cines of {len({row['group'] for row in rows})} groups\n")
        both = [figures(rows, how, coarse) for how in ("six", "open")]
        print(
            table(
                ("figure", "among the six", "with `other`", "cines"),
                [(a[0], a[1], b[1], a[2]) for a, b in zip(*both, strict=True)],
            )
        )
        for how, title in (("six", "Among the six:"), ("open", "With `other`:")):
            print(f"{title}\n\n{confusion(rows, how, coarse)}")


if __name__ == "__main__":
    main()
