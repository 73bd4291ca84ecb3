"""Bundles: what is saved comes back, and nothing else is let in."""

import dataclasses
import json
import pickle
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoplane import config
from echoplane.errors import BundleError, ConfigError, UsageError
from echoplane.metrics.calibration import Scaling
from echoplane.metrics.conformal import ConformalSets
from echoplane.models import bundle as module
from echoplane.models.bundle import Bundle
from echoplane.models.bundle_facts import BundleFacts, DataUse, Member, Metric, NetworkSpec, Thresholds, Variant

FULL = {
    "calibration": Scaling((0.5, 1.5, 2.0), (0.1, 0.0, -0.1)),
    "calibrated_on": "phantom patients 900 to 999",
    "thresholds": Thresholds(0.4, {"A4C": 0.6}, "energy", -1.5, "the same"),
    "conformal": (ConformalSets(0.9, (0.4,), 50),),
    "data": (DataUse("phantom", "Apache-2.0", "training, validation", 900, 90, "drawn with seeds 1 to 90"),),
    "metrics": (Metric("balanced accuracy", 0.9, 0.85, 0.94, "phantom test patients", cines=100, groups=10),),
    "licence": "Apache-2.0",
    "notes": ("Only a test.",),
    "created": "2026-01-01T00:00:00+00:00",
    "made_by": "echoplane test",
}


@pytest.fixture
def bundle(toy_bundle):
    return toy_bundle(**FULL)


@pytest.mark.parametrize("name", ["b.echoplane", "b.zip", "B.ECHOPLANE", "folder"])
def test_what_is_saved_comes_back(bundle, tmp_path, name):
    bundle.save(tmp_path / name)
    back = Bundle.load(tmp_path / name)
    assert back.facts == bundle.facts
    assert back.hash == bundle.hash
    assert back.verify() == ()
    assert back.read("model.onnx") == bundle.read("model.onnx")
    assert (tmp_path / name).is_dir() == (name == "folder")


def test_the_same_content_gives_the_same_file(bundle, tmp_path):
    bundle.save(tmp_path / "a.echoplane")
    Bundle.load(tmp_path / "a.echoplane").save(tmp_path / "folder")
    Bundle.load(tmp_path / "folder").save(tmp_path / "b.echoplane")
    assert (tmp_path / "a.echoplane").read_bytes() == (tmp_path / "b.echoplane").read_bytes()


def test_the_archive_is_a_plain_zip_that_any_tool_reads(bundle, tmp_path):
    with zipfile.ZipFile(bundle.save(tmp_path / "b.echoplane")) as archive:
        assert archive.namelist() == ["bundle.json", "model.onnx"]
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        facts = json.loads(archive.read("bundle.json"))
    assert facts["format"] == "echoplane-bundle"
    assert facts["vocabulary"] == ["A2C", "A4C", "PLAX"]


def test_a_changed_byte_is_found_when_it_is_read(bundle, tmp_path):
    folder = bundle.save(tmp_path / "folder")
    data = bytearray((folder / "model.onnx").read_bytes())
    data[-1] ^= 1
    (folder / "model.onnx").write_bytes(data)
    back = Bundle.load(folder)  # cheap: sizes only
    with pytest.raises(BundleError, match=r"model\.onnx is damaged"):
        back.verify()


def test_a_missing_or_shortened_member_is_found_at_once(bundle, tmp_path):
    folder = bundle.save(tmp_path / "folder")
    data = (folder / "model.onnx").read_bytes()
    (folder / "model.onnx").write_bytes(data[:-1])
    with pytest.raises(BundleError, match=rf"has {len(data) - 1} bytes, expected {len(data)}"):
        Bundle.load(folder)
    (folder / "model.onnx").unlink()
    with pytest.raises(BundleError, match=r"model\.onnx is missing"):
        Bundle.load(folder)


def test_files_beside_the_members_are_named_and_never_read(bundle, tmp_path):
    folder = bundle.save(tmp_path / "folder")
    (folder / "extra.pkl").write_bytes(pickle.dumps(object))
    back = Bundle.load(folder)
    assert back.verify() == ("extra.pkl",)
    with pytest.raises(BundleError, match=r"holds no extra\.pkl"):
        back.read("extra.pkl")
    with pytest.raises(BundleError, match="holds other files"):
        bundle.save(folder)


def test_a_link_out_of_the_folder_is_no_member(bundle, tmp_path):
    folder = bundle.save(tmp_path / "folder")
    (folder / "model.onnx").rename(tmp_path / "elsewhere.onnx")
    (folder / "model.onnx").symlink_to(tmp_path / "elsewhere.onnx")
    with pytest.raises(BundleError, match="missing"):
        Bundle.load(folder)


def _facts_edited(bundle, **changes):
    return json.dumps({**config.to_mapping(bundle.facts), **changes}).encode()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": 2}, "version 2, and this echoplane reads version 1"),
        ({"format_version": "1"}, "version '1'"),
        ({"format": "something"}, "of another kind"),
        ({"vocabulary": ["A4C"]}, "needs two labels"),
        ({"vocabulary": ["A2C", "A4C", ""]}, "begins with a letter or a digit"),
        ({"vocabulary": ["A2C", "A4C", "PL\x1b[2JAX"]}, "no control characters"),
        ({"vocabulary": ["A2C", "A4C", "=HYPERLINK()"]}, "begins with a letter or a digit"),
        ({"vocabulary": ["A2C", "A4C", "A2C=A4C"]}, "holds no '='"),
        ({"calibration": {"scale": [1e308]}}, "none beyond 1e"),
        ({"variants": [{"precision": "f32", "files": []}]}, "names 0 files"),
        ({"variants": [{"precision": "f32", "files": ["model.onnx"] * 3}]}, "names 3 files"),
        ({"vocabularly": []}, "did you mean 'vocabulary'"),
        ({"offered": ["A9C"]}, r"offered names \['A9C'\]"),
        ({"calibration": {"scale": [1.0, 2.0], "shift": [0.0]}}, "calibration.scale has 2 values"),
        ({"members": {"../../etc/passwd": {"size": 1, "sha256": "0"}}}, "must be a plain file name"),
        ({"variants": [{"precision": "f32", "files": ["no.onnx"]}]}, r"needs no\.onnx"),
        ({"recipe": {"size": "big"}}, "recipe"),
        ({"name": "../up"}, "bundle name"),
    ],
)
def test_a_description_that_does_not_hold_is_refused_with_a_sentence(bundle, tmp_path, changes, message):
    folder = bundle.save(tmp_path / "folder")
    (folder / "bundle.json").write_bytes(_facts_edited(bundle, **changes))
    with pytest.raises(BundleError, match=message):
        Bundle.load(folder)


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"\xff\xfe", b'{"a":' * 5000, b"[" * 100_000])
def test_a_description_that_is_no_json_object_is_refused(bundle, tmp_path, raw):
    folder = bundle.save(tmp_path / "folder")
    (folder / "bundle.json").write_bytes(raw)
    with pytest.raises(BundleError, match=r"bundle\.json"):
        Bundle.load(folder)


def test_a_huge_description_is_not_read(bundle, tmp_path):
    folder = bundle.save(tmp_path / "folder")
    with (folder / "bundle.json").open("wb") as stream:
        stream.truncate(5 * 1024**2)
    with pytest.raises(BundleError, match="no description"):
        Bundle.load(folder)


def _zip(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_archives_that_are_unsafe_are_refused(bundle, tmp_path):
    facts = bundle.files.read("bundle.json")
    onnx = bundle.read("model.onnx")
    up = _zip(tmp_path / "up.zip", [("bundle.json", facts), ("../model.onnx", onnx)])
    with pytest.raises(BundleError, match="not a plain file name"):
        Bundle.load(up)
    absolute = _zip(tmp_path / "absolute.zip", [("bundle.json", facts), ("/model.onnx", onnx)])
    with pytest.raises(BundleError, match="not a plain file name"):
        Bundle.load(absolute)
    bomb = _zip(tmp_path / "bomb.zip", [("bundle.json", facts), ("model.onnx", bytes(10**6))], zipfile.ZIP_DEFLATED)
    with pytest.raises(BundleError, match="compressed or encrypted"):
        Bundle.load(bomb)
    twice = _zip(tmp_path / "twice.zip", [("bundle.json", facts), ("model.onnx", onnx), ("model.onnx", onnx)])
    with pytest.raises(BundleError, match="occurs twice"):
        Bundle.load(twice)
    foreign = _zip(tmp_path / "foreign.zip", [("data.pkl", b"x")])
    with pytest.raises(BundleError, match=r"holds no bundle\.json"):
        Bundle.load(foreign)
    link = zipfile.ZipInfo("model.onnx")
    link.external_attr = 0o120777 << 16
    linked = _zip(tmp_path / "linked.zip", [("bundle.json", facts), (link, b"/etc/passwd")])
    with pytest.raises(BundleError, match="not a plain file name"):
        Bundle.load(linked)


def test_members_that_claim_more_than_the_file_has_are_refused(bundle, tmp_path):
    path = bundle.save(tmp_path / "b.zip")
    data = bytearray(path.read_bytes())
    size = len(bundle.read("model.onnx")).to_bytes(4, "little")
    while (at := data.find(size + size)) >= 0:
        data[at : at + 8] = (10**9).to_bytes(4, "little") * 2
    path.write_bytes(data)
    with pytest.raises(BundleError, match="claim more bytes"):
        Bundle.load(path)


@given(data=st.binary(max_size=200))
def test_any_bytes_are_refused_as_a_bundle(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("any") / "x.echoplane"
    path.write_bytes(data)
    with pytest.raises(BundleError, match="is not a bundle"):
        Bundle.load(path)


def test_a_torn_archive_is_refused(bundle, tmp_path):
    path = bundle.save(tmp_path / "b.echoplane")
    whole = path.read_bytes()
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        with pytest.raises(BundleError):
            Bundle.load(path)


def test_a_flipped_flag_of_an_archive_is_refused_or_harmless(bundle, tmp_path):
    path = bundle.save(tmp_path / "b.echoplane")
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        flags = [info.header_offset + 6 for info in archive.infolist()]
        at = archive.start_dir
    while (at := whole.find(b"PK\x01\x02", at)) >= 0:
        flags.append(at + 8)
        at += 4
    assert len(flags) == 4  # of two members, in their own headers and in the directory
    refused = []
    for place in (byte for flag in flags for byte in (flag, flag + 1)):
        for bit in range(8):
            changed = bytearray(whole)
            changed[place] ^= 1 << bit
            path.write_bytes(changed)
            try:
                back = Bundle.load(path)
                back.verify()
                assert back.read("model.onnx") == bundle.read("model.onnx")
            except BundleError as error:
                refused.append(str(error))
    assert any("bundle.json is damaged (compressed patched data" in message for message in refused)
    assert any("model.onnx is damaged (strong encryption" in message for message in refused)


def test_nothing_there_and_no_default(tmp_path, monkeypatch):
    with pytest.raises(BundleError, match="there is no such bundle"):
        Bundle.load(tmp_path / "none.echoplane")
    with pytest.raises(BundleError, match=r"holds no bundle\.json"):
        Bundle.load(tmp_path)
    monkeypatch.setattr(module.resources, "files", lambda name: tmp_path)
    with pytest.raises(BundleError, match=r"carries no default weights.*--bundle FILE"):
        Bundle.load()


def test_the_default_is_found_inside_the_package(bundle, tmp_path, monkeypatch):
    bundle.save(tmp_path / "weights" / "default")
    monkeypatch.setattr(module.resources, "files", lambda name: tmp_path)
    assert Bundle.load().hash == bundle.hash
    # The command line has a word for it wherever it takes a bundle, so that own weights can be held against it.
    assert Bundle.load("default").hash == bundle.hash


@pytest.mark.skipif(not shutil.which("git"), reason="needs git")
def test_the_default_survives_a_checkout_on_windows(tmp_path):
    root = Path(__file__).parents[2]

    def git(*words):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=b@c", *words], check=True, capture_output=True)

    shutil.copytree(module.default_path(), tmp_path / "one" / "default")
    shutil.copy(root / ".gitattributes", tmp_path / "one")
    git("init", str(tmp_path / "one"))
    for words in (["add", "."], ["commit", "-m", "a"]):
        git("-C", str(tmp_path / "one"), *words)
    git("clone", "-c", "core.autocrlf=true", str(tmp_path / "one"), str(tmp_path / "two"))
    Bundle.load(tmp_path / "two" / "default").verify()


def test_answers_are_the_main_views_unless_said_otherwise():
    def facts(vocabulary, offered=()):
        return BundleFacts("x", vocabulary, NetworkSpec("compact3d"), offered=offered)

    assert facts(("A4C", "A2C", "PLAX", "other")).answers == ("A4C", "A2C")
    assert facts(("A4C", "PLAX", "other"), ("PLAX", "A4C")).answers == ("A4C", "PLAX")
    assert facts(("left", "right", "other")).answers == ("left", "right")


def test_facts_keep_their_own_rules():
    with pytest.raises(UsageError, match="must lie in"):
        Thresholds(min_probability=1.5)
    with pytest.raises(UsageError, match="belong together"):
        Thresholds(novelty="energy")
    with pytest.raises(UsageError, match="thresholds has 2 values"):
        BundleFacts("x", ("a", "b", "c"), NetworkSpec("n"), conformal=(ConformalSets(0.9, (0.1, 0.2), 5),))
    with pytest.raises(ConfigError, match="precision"):
        config.from_mapping(Variant, {"precision": "f64", "files": []}, "here")


@given(
    scale=st.floats(0.01, 100),
    options=st.dictionaries(st.text(max_size=8), st.one_of(st.integers(), st.text(), st.booleans()), max_size=3),
    notes=st.lists(st.text(), max_size=3),
)
def test_facts_survive_json(scale, options, notes):
    facts = BundleFacts(
        "x",
        ("A2C", "other"),
        NetworkSpec("compact3d", options),
        calibration=Scaling((scale,)),
        notes=tuple(notes),
        members={"a.bin": Member(1, "0" * 64)},
    )
    text = json.dumps(config.to_mapping(facts))
    assert config.from_mapping(BundleFacts, json.loads(text), "here") == facts


def test_records_are_frozen(bundle):
    with pytest.raises(dataclasses.FrozenInstanceError):
        bundle.facts.name = "other"
