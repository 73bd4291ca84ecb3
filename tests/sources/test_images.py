import contextlib
import io
import struct

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from echoplane.errors import EchoplaneError, ReadError, RefusedError, UnreadableError, UnsupportedError, UsageError
from echoplane.records import CineKind
from echoplane.sources.frames import open_frames
from echoplane.sources.images import open_image
from echoplane.sources.limits import Limits

RNG = np.random.default_rng(3)
GREY = np.kron(RNG.integers(0, 256, (6, 8)), np.ones((8, 8))).astype(np.uint8)
RGB = np.kron(RNG.integers(0, 256, (6, 8, 3)), np.ones((8, 8, 1))).astype(np.uint8)

# JPEG of 8 x 8 blocks of one colour: quantisation of the DC term and two colour conversions.
JPEG_TOLERANCE = 4
LUMA_TOLERANCE = 1


def luma(rgb):
    return rgb.astype(float) @ np.array([0.299, 0.587, 0.114])


def save(path, array, mode=None, **how):
    image = Image.fromarray(array)
    (image.convert(mode) if mode else image).save(path, **how)
    return path


LOSSLESS = [("a.png", "png", {}), ("a.bmp", "bmp", {}), ("a.tif", "tiff", {}), ("a.webp", "webp", {"lossless": True})]


@pytest.mark.parametrize(("name", "kind", "how"), LOSSLESS)
def test_colour_stills(tmp_path, name, kind, how):
    cine = open_image(save(tmp_path / name, RGB, **how), kind)
    assert (cine.n_frames, cine.height, cine.width, cine.kind) == (1, 48, 64, CineKind.STILL)
    assert np.array_equal(cine.reader.read([0], color=True)[0], RGB)
    grey = cine.reader.read([0, 0], reduce=2)
    assert grey.shape == (2, 48, 64)
    assert np.abs(grey[1] - luma(RGB)).max() <= LUMA_TOLERANCE


@pytest.mark.parametrize(("name", "kind", "how"), LOSSLESS)
def test_grey_stills(tmp_path, name, kind, how):
    cine = open_image(save(tmp_path / name, GREY, **how), kind)
    assert np.array_equal(cine.reader.read([0])[0], GREY)
    assert np.array_equal(cine.reader.read([0], color=True)[0], np.stack([GREY] * 3, -1))


class TestJpeg:
    @pytest.mark.parametrize("array", [GREY, RGB], ids=["grey", "colour"])
    @pytest.mark.parametrize("sampling", [0, 1, 2])
    def test_pixels(self, tmp_path, array, sampling):
        how = {"subsampling": sampling} if array.ndim == 3 else {}
        cine = open_image(save(tmp_path / "a.jpg", array, quality=98, **how), "jpeg")
        expected = array if array.ndim == 3 else np.stack([array] * 3, -1)
        if sampling == 0:
            assert np.abs(cine.reader.read([0], color=True)[0].astype(int) - expected).max() <= JPEG_TOLERANCE
        assert np.abs(cine.reader.read([0])[0] - luma(expected)).max() <= JPEG_TOLERANCE

    @pytest.mark.parametrize("reduce", [2, 4, 8])
    def test_reduced(self, tmp_path, reduce):
        odd = np.kron(RNG.integers(0, 256, (7, 9)), np.ones((8, 8))).astype(np.uint8)[:51, :67]
        cine = open_image(save(tmp_path / "a.jpg", odd, quality=98), "jpeg")
        got = cine.reader.read([0], reduce=reduce)[0]
        assert got.shape == (-(-51 // reduce), -(-67 // reduce))
        whole = 48 // reduce, 64 // reduce
        means = odd[:48, :64].reshape(whole[0], reduce, whole[1], reduce).mean(axis=(1, 3))
        assert np.abs(got[: whole[0], : whole[1]] - means).max() <= JPEG_TOLERANCE
        assert cine.reader.read([0], color=True, reduce=reduce)[0].shape == (*got.shape, 3)

    def test_stored_as_rgb(self, tmp_path):
        """An Adobe mark with transform 0: the first plane is red, and must not be taken for luma."""
        path = tmp_path / "a.jpg"
        save(path, RGB, quality=98, subsampling=0, keep_rgb=True)
        assert b"Adobe" in path.read_bytes()
        cine = open_image(path, "jpeg")
        assert np.abs(cine.reader.read([0], color=True)[0].astype(int) - RGB).max() <= JPEG_TOLERANCE
        assert np.abs(cine.reader.read([0])[0] - luma(RGB)).max() <= JPEG_TOLERANCE

    def test_cmyk(self, tmp_path):
        path = save(tmp_path / "a.jpg", RGB, mode="CMYK", quality=98, subsampling=0)
        cine = open_image(path, "jpeg")
        assert np.abs(cine.reader.read([0], color=True)[0].astype(int) - RGB).max() <= 2 * JPEG_TOLERANCE
        assert cine.reader.read([0], reduce=4).shape == (1, 12, 16)

    def test_cut_short(self, tmp_path):
        path = save(tmp_path / "a.jpg", RNG.integers(0, 256, (200, 200), dtype=np.uint8), quality=95)
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
        with pytest.raises(UnreadableError, match=r"a\.jpg.*damaged"):
            open_image(path, "jpeg")

    def test_a_picture_of_scans_that_only_keep_a_decoder_busy_is_refused(self, tmp_path):
        path = save(tmp_path / "a.jpg", GREY, progressive=True)
        data = path.read_bytes()
        assert open_image(path, "jpeg").n_frames == 1
        last = data[data.rindex(b"\xff\xda") : -2]
        path.write_bytes(data[:-2] + 64 * last + data[-2:])
        with pytest.raises(RefusedError, match=r"a\.jpg.*so many scans"):
            open_image(path, "jpeg")

    def test_bytes_after_the_end_do_no_harm(self, tmp_path):
        path = save(tmp_path / "a.jpg", GREY, quality=98)
        path.write_bytes(path.read_bytes() + bytes(500))
        assert open_image(path, "jpeg").reader.read([0]).shape == (1, 48, 64)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("name", "kind"), [("a.jpg", "jpeg"), ("a.png", "png"), ("a.tif", "tiff"), ("a.webp", "webp")])
def test_pictures_stand_upright(tmp_path, name, kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    how = {"lossless": True} if kind == "webp" else {}
    path = save(tmp_path / name, np.stack([GREY] * 3, -1), exif=exif, **how)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("L"))
    cine = open_image(path, kind)
    got = cine.reader.read([0])[0]
    assert (cine.height, cine.width) == got.shape == expected.shape
    assert np.abs(got.astype(int) - expected).max() <= JPEG_TOLERANCE


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("deep", [False, True])
def test_pages_of_one_block_stand_upright(tmp_path, orientation, deep):
    grey = GREY[:, :48].T[:40] if orientation % 2 else GREY
    pages = [Image.fromarray(page.astype(np.uint16) * 257 if deep else page) for page in (grey, 255 - grey)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:], tiffinfo={0x0112: orientation})
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(grey).save(tmp_path / "a.png", exif=exif)
    expected = open_image(tmp_path / "a.png", "png").reader.read([0])[0]
    cine = open_image(tmp_path / "a.tif", "tiff")
    assert (cine.n_frames, cine.height, cine.width) == (2, *expected.shape)
    assert np.array_equal(cine.reader.read([0, 1]), [expected, 255 - expected])


def with_tag(path, tag, value):
    """Overwrite a short number in the (little-endian) directory of a TIFF file."""
    data = bytearray(path.read_bytes())
    at = data.index(struct.pack("<HHI", tag, 3, 1))
    data[at + 8 : at + 10] = struct.pack("<H", value)
    path.write_bytes(data)
    return path


class TestOddPixels:
    def test_alpha_lies_on_black(self, tmp_path):
        rgba = np.dstack([RGB, np.full((48, 64), 255, np.uint8)])
        rgba[:10, :, 3], rgba[10:20, :, 3] = 0, 128
        cine = open_image(save(tmp_path / "a.png", rgba), "png")
        got = cine.reader.read([0], color=True)[0]
        assert not got[:10].any()
        assert np.abs(got[10:20] - RGB[10:20] * (128 / 255)).max() <= 0.51
        assert np.array_equal(got[20:], RGB[20:])
        assert any("what is transparent" in note for note in cine.notes)

    def test_grey_with_alpha(self, tmp_path):
        la = np.dstack([GREY, np.full_like(GREY, 255)])
        la[:8, :, 1] = 0
        save(tmp_path / "a.png", la)
        got = open_image(tmp_path / "a.png", "png").reader.read([0])[0]
        assert not got[:8].any()
        assert np.array_equal(got[8:], GREY[8:])

    def test_a_palette_is_looked_up(self, tmp_path):
        image = Image.fromarray(RGB).quantize(48)
        expected = np.asarray(image.convert("RGB"))
        image.save(tmp_path / "a.png")
        cine = open_image(tmp_path / "a.png", "png")
        assert cine.facts["pixels"] == "P"
        assert np.array_equal(cine.reader.read([0], color=True)[0], expected)

    def test_black_and_white(self, tmp_path):
        path = save(tmp_path / "a.png", GREY > 100)
        assert set(np.unique(open_image(path, "png").reader.read([0]))) == {0, 255}

    @pytest.mark.parametrize(("name", "kind"), [("a.png", "png"), ("a.tif", "tiff")])
    def test_sixteen_bits_are_scaled_and_said(self, tmp_path, name, kind):
        deep = GREY.astype(np.uint16) * 16  # twelve bits
        cv2.imwrite(str(tmp_path / name), deep)
        cine = open_image(tmp_path / name, kind)
        got = cine.reader.read([0])[0]
        assert np.abs(got - deep / 4095 * 255).max() <= 0.51
        assert any("16-bit samples" in note for note in cine.notes)
        assert cine.reader.read([0], color=True).shape == (1, 48, 64, 3)

    def test_sixteen_bits_a_colour(self, tmp_path):
        cv2.imwrite(str(tmp_path / "a.png"), RGB[..., ::-1].astype(np.uint16) * 257)
        cine = open_image(tmp_path / "a.png", "png")
        assert np.array_equal(cine.reader.read([0], color=True)[0], RGB)
        assert any("upper 8" in note for note in cine.notes)

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
    def test_white_may_be_zero(self, tmp_path, dtype):
        samples = (255 - GREY).astype(dtype) if dtype is np.uint8 else ((255 - GREY) / 255).astype(dtype)
        if dtype is np.uint16:
            samples = (255 - GREY).astype(dtype) * 257
        Image.fromarray(samples).save(tmp_path / "a.tif")
        path = with_tag(tmp_path / "a.tif", 262, 0)
        assert np.abs(open_image(path, "tiff").reader.read([0])[0].astype(int) - GREY).max() <= 1
        for number in range(3):
            (tmp_path / f"f_{number}.tif").write_bytes(path.read_bytes())
        frames = open_frames(tmp_path, [f"f_{number}.tif" for number in range(3)])
        assert np.abs(frames.reader.read([2])[0].astype(int) - GREY).max() <= 1

    def test_unsigned_samples_of_32_bits(self, tmp_path):
        Image.fromarray((GREY.astype(np.uint32) * 0x01010101).view(np.int32)).save(tmp_path / "a.tif")
        cine = open_image(with_tag(tmp_path / "a.tif", 339, 1), "tiff")
        assert np.abs(cine.reader.read([0])[0].astype(int) - GREY).max() <= 1

    @pytest.mark.parametrize(("tag", "value"), [(259, 34712), (258, 64)], ids=["JPEG 2000", "64-bit samples"])
    def test_a_tiff_of_an_odd_kind_is_not_called_damaged(self, tmp_path, tag, value):
        path = with_tag(save(tmp_path / "a.tif", GREY), tag, value)
        with pytest.raises(UnsupportedError, match="not read here"):
            open_image(path, "tiff")

    def test_decimal_numbers(self, tmp_path):
        Image.fromarray((GREY / 255).astype(np.float32)).save(tmp_path / "a.tif")
        got = open_image(tmp_path / "a.tif", "tiff").reader.read([0])[0]
        assert np.abs(got.astype(int) - GREY).max() <= 1


class TestPages:
    def pages(self, n=12):
        return [Image.fromarray(np.full((20, 30), 10 * i, np.uint8)) for i in range(n)]

    def test_a_tiff_of_many_pages_is_a_cine(self, tmp_path):
        first, *others = self.pages()
        first.save(tmp_path / "a.tif", save_all=True, append_images=others, compression="tiff_lzw")
        cine = open_image(tmp_path / "a.tif", "tiff")
        assert (cine.n_frames, cine.kind, cine.fps) == (12, CineKind.B_MODE, None)
        got = cine.reader.read([11, 0, 5, 5])
        assert got[:, 0, 0].tolist() == [110, 0, 50, 50]

    def test_the_rate_that_imagej_writes(self, tmp_path):
        first, *others = self.pages()
        text = "ImageJ=1.53t\nimages=40\nfps=47.5\nloop=false\n"
        first.save(tmp_path / "a.tif", save_all=True, append_images=others, description=text)
        cine = open_image(tmp_path / "a.tif", "tiff")
        assert (cine.fps, cine.fps_source) == (47.5, "ImageJ")
        assert any("ImageJ says 40 pictures, 12 are found" in note for note in cine.notes)

    def test_sixteen_bit_pages_share_one_scale(self, tmp_path):
        pages = [np.full((20, 30), 300 * i, np.uint16) for i in range(5)]
        cv2.imwritemulti(str(tmp_path / "a.tif"), pages)
        got = open_image(tmp_path / "a.tif", "tiff").reader.read(range(5))[:, 0, 0]
        assert np.abs(got - np.arange(5) * 300 / 2047 * 255).max() <= 0.51

    @pytest.mark.parametrize("deep", [False, True])
    def test_a_cut_tiff_gives_its_whole_pages(self, tmp_path, deep):
        pages = [np.full((20, 30), 10 * i, np.uint16 if deep else np.uint8) for i in range(12)]
        first, *others = [Image.fromarray(page) for page in pages]
        path = tmp_path / "a.tif"
        first.save(path, save_all=True, append_images=others)
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
        cine = open_image(path, "tiff")
        assert cine.n_frames in (5, 6)
        got = cine.reader.read(range(cine.n_frames))[:, 0, 0].astype(int)
        assert (np.diff(got) > 0).all()
        assert any(f"cut off behind page {cine.n_frames}; {cine.n_frames} whole pages" in note for note in cine.notes)

    def test_pages_of_different_sizes_are_no_cine(self, tmp_path):
        Image.new("L", (30, 20)).save(tmp_path / "a.tif", save_all=True, append_images=[Image.new("L", (31, 20))])
        with pytest.raises(UnreadableError, match="Page 2 is 31 x 20"):
            open_image(tmp_path / "a.tif", "tiff")

    @pytest.mark.parametrize(("name", "kind"), [("a.webp", "webp"), ("a.png", "png")])
    def test_animations(self, tmp_path, name, kind):
        first, *others = self.pages()
        how = {"lossless": True} if kind == "webp" else {}
        first.convert("RGB").save(
            tmp_path / name, save_all=True, append_images=[o.convert("RGB") for o in others], duration=40, **how
        )
        cine = open_image(tmp_path / name, kind)
        assert cine.n_frames == 12
        assert cine.reader.read([7, 2, 11])[:, 3, 3].tolist() == [70, 20, 110]
        assert cine.fps in (25.0, None)


class TestBadInput:
    @pytest.mark.parametrize(("name", "kind", "how"), [*LOSSLESS, ("a.jpg", "jpeg", {})])
    @pytest.mark.parametrize("share", [0.05, 0.5, 0.97])
    def test_cut_short(self, tmp_path, name, kind, how, share):
        noise = RNG.integers(0, 256, (60, 60, 3), dtype=np.uint8)
        path = save(tmp_path / name, noise, **how)
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(ReadError, match="damaged"):
            open_image(path, kind)

    @pytest.mark.parametrize(("name", "kind", "how"), [*LOSSLESS, ("a.jpg", "jpeg", {})])
    def test_flipped_bytes(self, tmp_path, name, kind, how):
        content = save(tmp_path / name, RGB, **how).read_bytes()
        rng = np.random.default_rng(11)
        for _ in range(40):
            mutant = bytearray(content)
            for at in rng.integers(0, len(mutant), 3):
                mutant[at] = rng.integers(256)
            (tmp_path / name).write_bytes(mutant)
            with contextlib.suppress(EchoplaneError):
                open_image(tmp_path / name, kind, limits=Limits(max_pixels=10**6)).reader.read([0])

    def test_a_bomb_is_refused_before_it_is_decoded_and_the_limit_can_be_raised(self, tmp_path):
        buffer = io.BytesIO()
        Image.new("1", (20_000, 10_000)).save(buffer, "PNG")
        path = tmp_path / "a.png"
        path.write_bytes(buffer.getvalue())
        assert path.stat().st_size < 50_000
        with pytest.raises(RefusedError, match=r"20000 x 10000.*raise max_pixels to 200,000,000"):
            open_image(path, "png")
        assert open_image(path, "png", limits=Limits(max_pixels=200_000_000)).width == 20_000

    def test_too_many_pages(self, tmp_path):
        first, *others = [Image.new("L", (4, 4))] * 10
        first.save(tmp_path / "a.tif", save_all=True, append_images=others)
        with pytest.raises(RefusedError, match="max_frames"):
            open_image(tmp_path / "a.tif", "tiff", limits=Limits(max_frames=9))

    def test_frames_that_are_not_there(self, tmp_path):
        with pytest.raises(UsageError, match="frames 0 to 0"):
            open_image(save(tmp_path / "a.png", GREY), "png").reader.read([1])


@pytest.mark.parametrize("milliseconds", [20, 40, 100])
def test_an_animated_webp_knows_its_frame_rate(tmp_path, milliseconds):
    pages = [Image.fromarray(np.full((40, 50, 3), 20 * i, np.uint8)) for i in range(6)]
    path = tmp_path / "a.webp"
    pages[0].save(path, save_all=True, append_images=pages[1:], duration=milliseconds, lossless=True)
    cine = open_image(path, "webp")
    assert cine.n_frames == 6
    assert cine.fps == pytest.approx(1000 / milliseconds)


@pytest.mark.parametrize("milliseconds", [1, 10])
def test_pages_shown_as_fast_as_possible_say_no_frame_rate(tmp_path, milliseconds):
    pages = [Image.fromarray(np.full((40, 50, 3), 20 * i, np.uint8)) for i in range(6)]
    pages[0].save(tmp_path / "a.png", save_all=True, append_images=pages[1:], duration=milliseconds)
    assert open_image(tmp_path / "a.png", "png").fps is None
