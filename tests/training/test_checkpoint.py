import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from echoplane.errors import ConfigError, DataError
from echoplane.training.checkpoint import Progress, load_last, save_last


def test_comes_back_as_it_was(tmp_path: Path) -> None:
    network = nn.Linear(2, 2)
    progress = Progress(3, [{"epoch": 0.0, "train/loss": 1 / 3}], 0.25, 2)
    recipe = {"fit": {"epochs": 3}, "views": ("A4C", "A2C"), "labels": {}}
    save_last(tmp_path, progress, recipe, {"network": network.state_dict(), "steps": 7})
    found = load_last(tmp_path, recipe)
    assert found is not None
    assert found[0] == progress
    assert found[1]["steps"] == 7
    assert torch.equal(found[1]["network"]["weight"], network.weight)
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]


def test_nothing_there_is_no_error(tmp_path: Path) -> None:
    assert load_last(tmp_path, {}) is None


def test_another_recipe_is_named_key_by_key(tmp_path: Path) -> None:
    save_last(tmp_path, Progress(), {"a": {"b": 1, "c": 2}, "d": 3}, {})
    with pytest.raises(ConfigError, match=r"\(a\.b, d, e differ\)"):
        load_last(tmp_path, {"a": {"b": 2, "c": 2}, "e": 1})


def test_where_stores_lie_is_left_to_the_hash_where_there_is_one(tmp_path: Path) -> None:
    def recipe(*paths: str, share: float = 1.0) -> dict[str, Any]:
        return {"data": {"stores": tuple({"path": path, "share": share} for path in paths)}}

    save_last(tmp_path, Progress(), recipe("a", "b"), {}, "abc")
    assert load_last(tmp_path, recipe("a", "elsewhere/b"), ["abc", "old"]) is not None
    with pytest.raises(ConfigError, match="the stores or the split have changed"):
        load_last(tmp_path, recipe("a", "elsewhere/b"), ["abd", "old"])
    with pytest.raises(ConfigError, match=r"\(data\.stores\[0\]\.share, data\.stores\[1\]\.share differ\)"):
        load_last(tmp_path, recipe("a", "c", share=0.5), ["abc"])
    with pytest.raises(ConfigError, match=r"\(data\.stores differ\)"):
        load_last(tmp_path, recipe("a"), ["abc"])
    save_last(tmp_path, Progress(), recipe("a", "b"), {})  # as runs once were
    with pytest.raises(ConfigError, match=r"\(data\.stores\[1\]\.path differ\)"):
        load_last(tmp_path, recipe("a", "elsewhere/b"), ["abc"])


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x04."])
def test_damage_ends_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "last.ckpt").write_bytes(content)
    with pytest.raises(DataError, match=r"last\.ckpt: is damaged, or no checkpoint of a run"):
        load_last(tmp_path, {})


@pytest.mark.skipif(sys.platform == "win32", reason="sets a limit of the system")
def test_a_disk_without_room_is_named_and_the_state_before_kept(tmp_path: Path) -> None:
    import resource

    network = nn.Linear(100, 100)
    save_last(tmp_path, Progress(1), {}, {"network": network.state_dict()})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))  # stands for a full disk
    try:
        with pytest.raises(OSError, match=r"last\.ckpt"):
            save_last(tmp_path, Progress(2), {}, {"network": network.state_dict()})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    found = load_last(tmp_path, {})
    assert found is not None
    assert found[0].epoch == 1
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]
