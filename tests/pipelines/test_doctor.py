"""The doctor's findings: complete, honest about what is missing, and free of folders."""

import importlib.metadata
from pathlib import Path

import pytest

from echoplane.pipelines import doctor


@pytest.fixture(scope="module")
def findings():
    return doctor.examine()


def test_versions_codecs_engines_and_bundle_are_looked_at(findings):
    topics = [f.topic for f in findings]
    assert list(dict.fromkeys(topics)) == ["system", "processor", "libraries", "codecs", "engines", "bundle"]
    by_subject = {f.subject: f for f in findings}
    assert by_subject["numpy"].value.startswith(importlib.metadata.version("numpy"))
    assert by_subject["JPEG"].level == "ok"
    assert "h264" in by_subject["video"].value
    assert "f32" in by_subject["openvino"].value


def test_nothing_that_names_folders_or_people(findings):
    text = " ".join(f.value for f in findings)
    assert str(Path.home()) not in text
    assert str(Path.cwd()) not in text


def test_what_is_not_installed_says_how_to_get_it(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(doctor.importlib.metadata, "version", missing)
    found = {f.subject: f for f in doctor._libraries()}
    assert (found["numpy"].level, found["pyarrow"].level) == ("missing", "optional")
    assert 'pip install "echoplane[parquet]"' in found["pyarrow"].value


def test_a_decoder_that_decodes_wrongly_is_found(monkeypatch):
    import cv2

    monkeypatch.setattr(cv2, "imdecode", lambda data, how: None)
    assert doctor._jpeg().level == "missing"


def test_without_torch_the_engine_is_optional(monkeypatch):
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: None)
    assert [f.level for f in doctor._engines()] == ["ok", "optional"]
