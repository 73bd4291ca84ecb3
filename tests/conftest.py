"""Fixtures for every room."""

import importlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# Small arrays everywhere: more threads only get in each other's way, and pytest-xdist runs a process a core.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

# How long an example takes says how busy the machine is, not whether the code is right.
_USUAL = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The same examples every time, so that a red run is about what was changed; `make long` looks for new ones.
settings.register_profile("echoplane", _USUAL, derandomize=True)
settings.register_profile("explore", _USUAL, max_examples=1000)
settings.load_profile("echoplane")


@pytest.fixture
def importable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], ModuleType]]:
    """Make modules of a name and a text: processes that are started afresh import what they run."""
    made = []

    def make(name: str, text: str) -> ModuleType:
        (tmp_path / f"{name}.py").write_text(text)
        monkeypatch.syspath_prepend(str(tmp_path))
        made.append(name)
        return importlib.import_module(name)

    yield make
    for name in made:
        del sys.modules[name]


@pytest.fixture
def nearly_full() -> Callable[[int], AbstractContextManager[None]]:
    """Let the system refuse whatever would make a file longer than so many bytes, as a full disk does."""
    resource = pytest.importorskip("resource")

    @contextmanager
    def limit(size: int) -> Iterator[None]:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limit


@pytest.fixture(scope="session")
def real_clips() -> Path:
    """The folder of real development clips, where it lies beside the checkout."""
    root = Path(__file__).resolve().parents[1]
    folder = Path(os.environ.get("ECHOPLANE_CLIPS", root.parent / "shared" / "clips"))
    if not (folder / "INDEX.csv").is_file():
        pytest.skip("the development clips are not beside this checkout (set ECHOPLANE_CLIPS)")
    return folder


@pytest.fixture(scope="session")
def toy_bundle() -> Callable[..., Any]:
    """Make bundles with a tiny network, without torch: logits are a linear function of a clip's mean brightness."""
    # Imported here: the settings above must come before NumPy's import.
    import numpy as np

    from echoplane.models.bundle import Bundle
    from echoplane.models.bundle_facts import BundleFacts, NetworkSpec, Variant
    from echoplane.prepare.recipe import PrepareRecipe
    from echoplane.sampling.rule import SamplingRule

    def make(
        vocabulary: Sequence[str] = ("A2C", "A4C", "PLAX"),
        slope: Sequence[float] = (0.0, 1.0, 0.0),
        shift: Sequence[float] = (0.0, 0.5, -0.5),
        **facts: Any,
    ) -> Bundle:
        recipe = PrepareRecipe(mask=False, crop="none", size=(16, 16), mean=0.0, std=1.0)
        wanted = {
            "name": "toy",
            "vocabulary": tuple(vocabulary),
            "network": NetworkSpec("compact3d-s"),
            "recipe": recipe,
            "sampling": SamplingRule(kind="every_kth", frames=4, step=2, max_clips=6),
            "variants": (Variant("f32", ("model.onnx",)),),
            **facts,
        }
        made = BundleFacts(**wanted)
        onnx = toy_onnx(made.clip_shape, np.asarray(slope, np.float32), np.asarray(shift, np.float32))
        return Bundle.create(made, {"model.onnx": onnx})

    return make


def toy_onnx(clip_shape: tuple[int, int, int], slope: Any, shift: Any) -> bytes:
    """ONNX of ``logits = mean(clip) * slope + shift``."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("ReduceMean", ["clips", "axes"], ["brightness"], keepdims=0),
        helper.make_node("Unsqueeze", ["brightness", "one"], ["column"]),
        helper.make_node("Mul", ["column", "slope"], ["scaled"]),
        helper.make_node("Add", ["scaled", "shift"], ["logits"]),
    ]
    values = {"axes": np.array([1, 2, 3, 4]), "one": np.array([1]), "slope": slope[None], "shift": shift[None]}
    graph = helper.make_graph(
        nodes,
        "toy",
        [helper.make_tensor_value_info("clips", TensorProto.FLOAT, ["B", 1, *clip_shape])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["B", len(slope)])],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    return model.SerializeToString()
