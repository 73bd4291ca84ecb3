import re
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pydicom.examples
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import nn
from typer.testing import CliRunner

from echoplane.apps.cli.main import build_app
from echoplane.errors import PrepareError, UnreadableError, UsageError
from echoplane.inference import mirror
from echoplane.models.bundle_facts import BundleFacts, NetworkSpec
from echoplane.models.export import export_bundle
from echoplane.models.registry import build
from echoplane.phantom.clip import render_clip
from echoplane.pipelines._movie import ticks, write_movie
from echoplane.pipelines.explain import Explainer, ExplainSettings, Explanation
from echoplane.pipelines.explain_write import gallery, write
from echoplane.pipelines.phantom import write_clip
from echoplane.prepare.recipe import PrepareRecipe
from echoplane.records import CineKind
from echoplane.sampling.rule import SamplingRule
from echoplane.sources.array import cine_from_array
from echoplane.sources.open import open_cine

VIEWS = ("A2C", "A4C", "PSAX-MV")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Random weights: what the pictures show is nonsense, that they are made right is not."""
    torch.manual_seed(0)
    net = build("compact3d-s", 3)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm3d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
    facts = BundleFacts("b", VIEWS, NetworkSpec("compact3d-s"), PrepareRecipe(size=(64, 64)), SamplingRule(frames=8))
    path = tmp_path_factory.mktemp("bundle") / "b.echoplane"
    export_bundle(net, facts).save(path)
    return str(path)


@pytest.fixture(scope="module")
def a4c() -> str:
    return str(pydicom.examples.get_path("ybr_color"))


def test_cam_and_gradcam_agree_where_theory_says_so(bundle: str, a4c: str) -> None:
    """Before a global average and one linear layer, Grad-CAM's weights are the layer's, divided by the places."""
    maps = [Explainer(ExplainSettings(bundle, method)).explain(a4c).found.values for method in ("cam", "gradcam")]
    assert maps[0].max() == 1
    np.testing.assert_allclose(maps[1], maps[0], atol=1e-3)


@pytest.mark.parametrize("method", ["cam", "gradcam"])
def test_a_difference_of_views_is_signed(bundle: str, a4c: str, method: str) -> None:
    one = Explainer(ExplainSettings(bundle, method, view="A2C", minus="PSAX-MV")).explain(a4c).found
    two = Explainer(ExplainSettings(bundle, method, view="PSAX-MV", minus="A2C")).explain(a4c).found
    assert one.values.min() < 0 < one.values.max()
    np.testing.assert_allclose(one.values, -two.values, atol=1e-5)


@pytest.mark.parametrize("method", ["cam", "gradcam"])
def test_a_picture_with_left_and_right_exchanged_is_explained_as_it_is_answered(
    bundle: str, a4c: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = Explainer(ExplainSettings(bundle, method)).explain(a4c)
    monkeypatch.setattr(mirror, "seems_exchanged", lambda logits, ask, facts: ask().shape == (1, logits.shape[1]))
    turned = Explainer(ExplainSettings(bundle, method)).explain(a4c)
    assert mirror.SENTENCE in turned.answer.reasons
    assert turned.answer.probabilities != pytest.approx(usual.answer.probabilities)
    # The map belongs to the picture as it is: nothing outside of its fan.
    assert np.abs(turned.found.on_frame(3, 240, 320)[~turned.found.sector.mask(240, 320)]).max() == 0
    assert np.abs(turned.found.values).max() == pytest.approx(1)


def test_the_map_of_a_picture_upside_down_belongs_to_it_as_it_is(bundle: str, a4c: str) -> None:
    cine = open_cine(a4c)
    frames = cine.reader.read(range(cine.n_frames))
    explainer = Explainer(ExplainSettings(bundle, view="A4C"))
    one, other = (explainer.explain(cine_from_array(f, 30.0)).found for f in (frames, frames[:, ::-1].copy()))
    assert other.sector.upside_down
    assert np.corrcoef(one.values.ravel(), other.values[:, ::-1].ravel())[0, 1] > 0.9


def test_map_covers_every_frame_and_nothing_outside(bundle: str, a4c: str) -> None:
    made = Explainer(ExplainSettings(bundle)).explain(a4c)
    assert made.found.values.shape == (30, 64, 64)
    assert made.found.target == made.answer.best_view
    frame = made.found.on_frame(3, 240, 320)
    assert np.abs(frame[~made.found.sector.mask(240, 320)]).max() == 0


@pytest.mark.parametrize("ending", [".mp4", ".gif", ".webp", ".png", ".npz", ".html"])
def test_every_kind_of_output_can_be_read_back(bundle: str, a4c: str, tmp_path: Path, ending: str) -> None:
    made = Explainer(ExplainSettings(bundle)).explain(a4c)
    path = write(made, tmp_path / "new" / f"why{ending}")
    assert [p.name for p in path.parent.iterdir()] == [f"why{ending}"]
    if ending == ".mp4":
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            assert len(list(container.decode(stream))) == 30
            assert float(stream.average_rate or 0) == pytest.approx(30.0, abs=0.01)
    elif ending == ".npz":
        with np.load(path) as file:
            np.testing.assert_array_equal(file["values"], made.found.values)
            assert file["moments"].max() == pytest.approx(1)
    elif ending == ".html":
        text = path.read_text(encoding="utf-8")
        assert made.answer.best_view in text
        assert not re.search(r'(src|href)="(?!data:|#)', text)
    else:
        with Image.open(path) as picture:
            assert getattr(picture, "n_frames", 1) == (1 if ending == ".png" else 30)


def test_no_burned_in_text_comes_through(bundle: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    cine = open_cine(str(pydicom.examples.get_path("ybr_color")))
    frames = cine.reader.read(range(30))
    frames[:, :14, 5:120] = rng.integers(0, 2, size=(14, 115)) * 255  # where a name would stand
    made = Explainer(ExplainSettings(bundle)).explain(cine_from_array(frames, 30.0))
    path = write(made, tmp_path / "x.webp")
    with Image.open(path) as picture:
        page = np.asarray(picture.convert("RGB"))
    scale = 360 / 240
    assert page[: int(13 * scale), : int(118 * scale)].max() < 24  # lossy compression of black


def test_gallery_shows_the_most_doubtful_first_and_loses_nothing(bundle: str, a4c: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.dcm").write_bytes(Path(a4c).read_bytes())
    (tmp_path / "in" / "b<.txt").write_text("not a cine")
    (tmp_path / "in" / "d.dcm").write_bytes(Path(a4c).read_bytes()[:400])
    still = np.random.default_rng(0).integers(0, 255, (120, 160), dtype=np.uint8)
    Image.fromarray(still).save(tmp_path / "in" / "c.png")
    seen: list[str] = []
    shown, failed = gallery([tmp_path / "in"], tmp_path / "g.html", ExplainSettings(bundle), on_done=seen.append)
    assert (shown, [Path(file).name for file, _ in failed], len(seen)) == (2, ["d.dcm"], 4)
    text = (tmp_path / "g.html").read_text(encoding="utf-8")
    sure = [float(v) for v in re.findall(r"<figcaption>[^<]*? ([01]\.\d\d),", text)]
    assert sure == sorted(sure)
    assert "b&lt;.txt" in text  # nothing vanishes, though a text is no failure
    assert "d.dcm" in text


def test_what_cannot_be_explained_says_why(bundle: str, a4c: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="known: auto, cam, gradcam"):
        Explainer(ExplainSettings(bundle, "magic"))
    with pytest.raises(UsageError, match="does not know 'A4D'"):
        Explainer(ExplainSettings(bundle, view="A4D")).explain(a4c)
    volume = replace(cine_from_array(np.zeros((30, 64, 64), np.uint8), 30.0), kind=CineKind.VOLUME)
    with pytest.raises(PrepareError):
        Explainer(ExplainSettings(bundle)).explain(volume)
    with pytest.raises(UsageError, match="explanations end in"):
        write(Explainer(ExplainSettings(bundle)).explain(a4c), tmp_path / "x.txt")


def test_a_phantom_brings_its_ecg_along(bundle: str, tmp_path: Path) -> None:
    cine = render_clip("A4C", 1, frames=24, size=(240, 320))
    write_clip(cine, tmp_path / "p.npz")
    explainer = Explainer(ExplainSettings(bundle, view="apical 4 chamber"))
    memory, file = explainer.explain(cine), explainer.explain(tmp_path / "p.npz")
    assert memory.found.target == "A4C"
    for made in (memory, file):
        np.testing.assert_array_equal(made.phases, cine.phases)
    np.testing.assert_array_equal(memory.found.values, file.found.values)
    with np.load(write(file, tmp_path / "why.npz")) as numbers:
        np.testing.assert_array_equal(numbers["phases"], cine.phases)
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 no more")
    with (tmp_path / "array.npz").open("wb") as stream:
        np.save(stream, cine.frames)
    for name in ("bad.npz", "array.npz"):
        with pytest.raises(UnreadableError, match="no phantom clip"):
            explainer.explain(tmp_path / name)


@given(st.integers(1, 200), st.floats(1, 200), st.sampled_from([1, 10]))
def test_frames_last_as_long_as_they_did(count: int, fps: float, unit: int) -> None:
    found = ticks(count, min(fps, 500 / unit), unit)
    assert len(found) == count
    assert all(ms % unit == 0 and ms > 0 for ms in found)
    assert sum(found) == pytest.approx(count * 1000 / min(fps, 500 / unit), abs=unit)


def test_fast_films_keep_their_time_as_gif(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    write_movie(tmp_path / "x.gif", iter(rng.integers(0, 255, (60, 16, 16, 3), dtype=np.uint8)), 120.0)
    with Image.open(tmp_path / "x.gif") as film:
        total = 0
        for n in range(film.n_frames):
            film.seek(n)
            total += film.info["duration"]
        assert film.n_frames == 20
    assert total == pytest.approx(500, abs=20)


def test_command(bundle: str, a4c: str, tmp_path: Path) -> None:
    from echoplane.apps.cli.main import build_app

    run = CliRunner().invoke
    done = run(build_app(), ["explain", a4c, "-o", str(tmp_path / "x.png"), "--bundle", bundle])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "x.png").is_file()
    assert "unmarked" not in done.output
    two = run(build_app(), ["explain", a4c, a4c, "-o", str(tmp_path / "y.png"), "--bundle", bundle])
    assert two.exit_code == 2
    assert "--gallery" in two.output
    lost = run(build_app(), ["explain", str(tmp_path / "no.dcm"), "-o", str(tmp_path / "y.png"), "--bundle", bundle])
    assert lost.exit_code == 2


def test_a_picture_without_a_mark_is_no_silence(
    bundle: str, a4c: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = Explainer.explain

    def nothing(self: Explainer, source: str) -> Explanation:
        found = shown(self, source)
        return replace(found, found=replace(found.found, values=np.zeros_like(found.found.values)))

    monkeypatch.setattr(Explainer, "explain", nothing)
    words = ["explain", a4c, "-o", str(tmp_path / "x.png"), "--bundle", bundle, "--view", "A4C"]
    done = CliRunner().invoke(build_app(), words)
    assert done.exit_code == 0, done.output
    assert "Nothing in the picture speaks for A4C" in done.output


def test_a_layer_asked_for_is_looked_at_or_refused(bundle: str, a4c: str) -> None:
    assert Explainer(ExplainSettings(bundle, layer="features.1")).explain(a4c).found.method == "gradcam"
    with pytest.raises(UsageError, match="'cam' has its own layer"):
        Explainer(ExplainSettings(bundle, method="cam", layer="features.1"))
    with pytest.raises(UsageError, match="nonsense"):
        Explainer(ExplainSettings(bundle, layer="nonsense.layer")).explain(a4c)
    with pytest.raises(UsageError, match="gives numbers, no maps"):
        Explainer(ExplainSettings(bundle, layer="head")).explain(a4c)


def test_a_black_cine_is_not_explained(bundle: str) -> None:
    with pytest.raises(PrepareError, match="is black where the ultrasound picture should be"):
        Explainer(ExplainSettings(bundle)).explain(cine_from_array(np.zeros((20, 48, 64), np.uint8), 30.0))


def test_a_sector_that_is_a_guess_is_said_before_pictures_are_shared(bundle: str, a4c: str, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (20, 96, 128), np.uint8)
    Image.fromarray(noise[0]).save(
        tmp_path / "noise.gif",
        save_all=True,
        append_images=[Image.fromarray(frame) for frame in noise[1:]],
        duration=40,
    )

    def said(cine: str) -> str:
        words = ["explain", cine, "-o", str(tmp_path / "a.png"), "--bundle", bundle, "--overwrite"]
        done = CliRunner().invoke(build_app(), words)
        assert done.exit_code == 0, done.output
        return done.output

    assert "burned-in text may be left" in said(str(tmp_path / "noise.gif"))
    assert "burned-in text" not in said(a4c)
