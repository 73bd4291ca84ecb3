"""The tool behind docs/explain.md: its measures against small things whose answer is known."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def measures() -> ModuleType:
    pytest.importorskip("captum")
    spec = importlib.util.spec_from_file_location("explain_measures", ROOT / "tools" / "explain_measures.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_structures_lie_where_the_label_map_has_them(measures: ModuleType) -> None:
    from echoplane.prepare.recipe import PrepareRecipe
    from echoplane.sampling.rule import SamplingRule

    facts = SimpleNamespace(recipe=PrepareRecipe(), sampling=SamplingRule(frames=4), vocabulary=("A4C", "PSAX-PM"))
    found = list(measures.cases(SimpleNamespace(facts=facts), 1, 70_000))
    assert [c.view for c in found] == ["A4C", "PSAX-PM"]
    heart = found[0]
    assert heart.region.shape == heart.inside.shape == (4, 112, 112)
    assert not (heart.region & ~heart.inside).any()
    assert 0.1 < heart.chance < 0.6
    # In an apical four-chamber view the right heart is on the left of the picture, unless it is flipped.
    columns = np.flatnonzero(heart.region.any(axis=(0, 1))).mean()
    middle = np.flatnonzero(heart.inside.any(axis=(0, 1))).mean()
    assert columns < middle
    # The sector of the labels and what the network gets agree but for a rim.
    lit = heart.prepared.frames.any(axis=0)
    assert (lit & ~heart.inside[0]).mean() < 0.03
    # A map of nothing but the structure has all its energy there; an even one has the structure's share.
    heart.maps["made"] = heart.region.astype(np.float32)
    heart.maps["even"] = np.ones(heart.region.shape, np.float32)
    assert measures.share_on_structure(heart, "made") == pytest.approx(1)
    assert measures.share_on_structure(heart, "even") == pytest.approx(heart.chance)
    assert measures.outside_share(heart, "made") == pytest.approx(0)
    assert measures.shown_outside(heart, "even") == 0


def test_every_picture_of_the_page_is_there_and_small() -> None:
    page = (ROOT / "docs" / "explain.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\((pictures/explain/[^)]+)\)", page))
    kept = {f"pictures/explain/{p.name}" for p in (ROOT / "docs" / "pictures" / "explain").iterdir()}
    assert named == kept
    assert {Path(n).suffix for n in kept} >= {".mp4", ".gif", ".webp", ".png", ".npz", ".html", ".jpg"}
    assert sum((ROOT / "docs" / n).stat().st_size for n in kept) < 3_500_000
    for n in kept:
        if n.endswith(".html"):
            text = (ROOT / "docs" / n).read_text(encoding="utf-8")
            assert not re.search(r'(src|href)="(?!data:|#)', text)
