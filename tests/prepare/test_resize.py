import numpy as np
import pytest
from PIL import Image

from echoplane.prepare.resize import resize


@pytest.mark.parametrize("shape", [(3, 40, 50), (1, 7, 9), (2, 100, 30)])
@pytest.mark.parametrize("how", ["area", "linear", "cubic", "lanczos", "nearest"])
def test_shape_type_and_flat_pictures(shape: tuple[int, int, int], how: str) -> None:
    flat = np.full(shape, 137, np.uint8)
    got = resize(flat, (20, 33), how)  # type: ignore[arg-type]
    assert got.shape == (shape[0], 20, 33)
    assert got.dtype == np.uint8
    assert (got == 137).all()


def test_area_is_the_mean_of_blocks() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (4, 30, 40), dtype=np.uint8)
    means = frames.reshape(4, 10, 3, 10, 4).mean(axis=(2, 4))
    assert np.abs(resize(frames, (10, 10), "area") - means).max() <= 0.51


def test_lanczos_is_pillows() -> None:
    frames = np.random.default_rng(1).integers(0, 256, (2, 30, 40), dtype=np.uint8)
    expected = np.stack([np.asarray(Image.fromarray(f).resize((12, 10), Image.Resampling.LANCZOS)) for f in frames])
    np.testing.assert_array_equal(resize(frames, (10, 12), "lanczos"), expected)


def test_area_that_grows_is_smooth() -> None:
    ramp = np.tile(np.arange(0, 250, 50, dtype=np.uint8), (1, 5, 1))
    grown = resize(ramp, (5, 50), "area").astype(int)
    assert (np.diff(grown, axis=2) >= 0).all()
    assert np.diff(grown, axis=2).max() <= 6
