import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom.examples
import pytest
import torch
from PIL import Image
from torch import nn
from typer.testing import CliRunner

from echoplane.apps.cli.main import build_app
from echoplane.errors import BundleError, UsageError
from echoplane.inference import mirror
from echoplane.inference.cam import CamEngine
from echoplane.inference.classifier import ViewClassifier
from echoplane.inference.look import Look
from echoplane.models.bundle_facts import BundleFacts, NetworkSpec
from echoplane.models.export import export_bundle
from echoplane.models.registry import build
from echoplane.pipelines._overlays import overlay_name
from echoplane.pipelines.explain import Explainer, ExplainSettings
from echoplane.pipelines.predict import PredictSettings, predict
from echoplane.prepare.recipe import PrepareRecipe
from echoplane.records import ViewResult
from echoplane.sampling.rule import SamplingRule


def make(folder: Path, network: str) -> str:
    torch.manual_seed(0)
    net = build(network, 3)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm3d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
    facts = BundleFacts("b", ("A2C", "A4C", "PSAX-MV"), NetworkSpec(network), PrepareRecipe(size=(64, 64)),
                        SamplingRule(frames=8))  # fmt: skip
    return str(export_bundle(net, facts).save(folder / f"{network}.echoplane"))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    return make(tmp_path_factory.mktemp("cam"), "compact3d-s")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    a4c = Path(pydicom.examples.get_path("ybr_color")).read_bytes()
    for name in ("a.dcm", "b.dcm"):
        (folder / name).write_bytes(a4c)
    (folder / "c.txt").write_text("not a cine")
    return folder


def test_one_overlay_for_each_cine_that_is_answered_and_the_same_answers(
    bundle: str, study: Path, tmp_path: Path
) -> None:
    plain, looked = [], []
    predict([study], PredictSettings(bundle, jobs=2), on_result=plain.append)
    settings = PredictSettings(bundle, jobs=2, cam=str(tmp_path / "new" / "look"))
    run = predict([study], settings, output=tmp_path / "x.csv", on_result=looked.append)
    assert run.overlays == 2
    names = {overlay_name(str(study / f"{n}.dcm")) for n in "ab"}
    assert {p.name for p in (tmp_path / "new" / "look").iterdir()} == names
    for one, two in zip(plain, looked, strict=True):
        assert (one.status, one.best_view) == (two.status, two.best_view)
        for view, p in one.probabilities.items():
            assert two.probabilities[view] == pytest.approx(p, abs=1e-5)
    with Image.open(tmp_path / "new" / "look" / names.pop()) as picture:
        assert picture.width == 3 * 128
        assert np.asarray(picture).max() > 100
    # Where overlays go changes no answer: a run may be gone on with without them.
    predict([study], replace(settings, cam=None), output=tmp_path / "x.csv", resume=True)


def test_overlays_among_the_cines_are_not_read_by_the_next_run(bundle: str, study: Path, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / "a.dcm").write_bytes((study / "a.dcm").read_bytes())
    for place in (folder, folder / "look"):
        for _ in range(2):
            read: list[ViewResult] = []
            run = predict([folder], PredictSettings(bundle, jobs=1, cam=str(place)), on_result=read.append)
            assert [Path(result.file).name for result in read] == ["a.dcm"]
            assert run.overlays == 1
        next(place.glob("*.jpg")).unlink()


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_look_is_the_map_that_explain_gives(
    bundle: str, study: Path, mirrored: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "seems_exchanged", lambda logits, ask, facts: mirrored)
    looks: list[Look] = []
    classifier = ViewClassifier.load(bundle, on_look=looks.append)
    result = classifier.predict(study / "a.dcm")
    found = looks[0].on_frames()
    explained = Explainer(ExplainSettings(bundle, "cam")).explain(study / "a.dcm").found
    assert (found.target, result.mirrored) == (result.best_view, mirrored)
    assert explained.target == result.best_view
    seen = np.flatnonzero(explained.seen)
    np.testing.assert_array_equal(seen, looks[0].prepared.indices)
    np.testing.assert_allclose(found.values, explained.values[seen], atol=1e-5)
    coarse = looks[0].coarse()
    assert coarse.shape == (len(seen), *looks[0].maps.shape[2:])
    grown = np.stack([looks[0].enlarged(m) for m in coarse])
    lit = found.values > 0
    np.testing.assert_allclose(found.values[lit], grown[lit] / grown[lit].max(), atol=1e-4)


def test_networks_and_engines_without_maps_are_refused_before_the_first_file(
    bundle: str, study: Path, tmp_path: Path
) -> None:
    other = make(tmp_path, "cnn3d")
    with pytest.raises(UsageError, match=r"does not end in a global average.*explain --method gradcam"):
        predict([study], PredictSettings(other, cam=str(tmp_path / "l")), output=tmp_path / "x.csv")
    with pytest.raises(UsageError, match="engine 'torch' gives no activation maps"):
        predict([study], PredictSettings(bundle, engine="torch", cam=str(tmp_path / "l")))
    with pytest.raises(UsageError, match="int8: activation maps are made in f32 or bf16"):
        predict([study], PredictSettings(bundle, precision="int8", cam=str(tmp_path / "l")))
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is a file; name a folder"):
        predict([study], PredictSettings(bundle, cam=str(tmp_path / "file")))
    assert not (tmp_path / "l").exists()
    assert not (tmp_path / "x.csv").exists()


def test_auto_explains_a_network_without_a_map_of_its_own_by_gradcam(bundle: str, study: Path, tmp_path: Path) -> None:
    assert Explainer(ExplainSettings(bundle)).explain(study / "a.dcm").found.method == "cam"
    other = Explainer(ExplainSettings(make(tmp_path, "cnn3d")))
    assert other.explain(study / "a.dcm").found.method == "gradcam"


def test_a_full_disk_ends_the_run_rather_than_becoming_a_row(
    bundle: str, study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("echoplane.pipelines._overlays.atomic_write", full)
    with pytest.raises(OSError, match="no space left"):
        predict([study], PredictSettings(bundle, cam=str(tmp_path)))


def test_names_are_safe_and_differ_with_the_path() -> None:
    assert re.fullmatch(r"x_y_0.dcm-[0-9a-f]{8}\.jpg", overlay_name("a/x y/0.dcm"))
    assert overlay_name("a/x/0.dcm") != overlay_name("b/x/0.dcm")
    assert len(overlay_name("d" * 400)) < 110


def test_a_network_that_breaks_down_gives_a_row_and_no_picture(
    bundle: str, study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_engine: CamEngine, clips: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.full((len(clips), 3), np.nan, np.float32), np.zeros((len(clips), 3, 4, 4, 4), np.float32)

    monkeypatch.setattr(CamEngine, "look", broken)
    run = predict([study / "a.dcm"], PredictSettings(bundle, cam=str(tmp_path)))
    assert run.counts == {"unsure": 1}
    assert run.overlays == 0
    with pytest.raises(BundleError, match="no finite numbers"):
        Explainer(ExplainSettings(bundle, "cam")).explain(study / "a.dcm")


def test_command(bundle: str, study: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(
        build_app(), ["predict", str(study / "a.dcm"), "--bundle", bundle, "--cam", str(tmp_path / "l")]
    )
    assert done.exit_code == 0, done.output
    assert "1 overlay in" in done.output
