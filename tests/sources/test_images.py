import contextlib
import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from echoplane.errors import EchoplaneError, ReadError, RefusedError, UnreadableError, UnsupportedError, UsageError
from echoplane.records import CineKind
from echoplane.sources.animation import page_durations
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


def png_chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def deep_tiff(samples, order, planes, orientation, alpha):
    """Bytes of a TIFF of 16 bits a colour, plain or a plane after the other."""
    height, width, channels = samples.shape
    data = np.moveaxis(samples, -1, 0) if planes else samples
    parts = [part.astype(f"{order}u2").tobytes() for part in (data if planes else [data])]
    starts = [8 + len(parts[0]) * i for i in range(len(parts))]
    tags = {256: [width], 257: [height], 258: [16] * channels, 259: [1], 262: [2], 273: starts, 274: [orientation]}
    tags |= {277: [channels], 278: [height], 279: [len(part) for part in parts], 284: [2 if planes else 1]}
    tags |= {338: [alpha]} if alpha is not None else {}
    file = b"".join(parts)
    entries = b""
    for tag, values in sorted(tags.items()):
        packed = struct.pack(f"{order}{len(values)}I", *values)
        if len(values) > 1:
            file, packed = file + packed, struct.pack(f"{order}I", 8 + len(file))
        entries += struct.pack(f"{order}HHI", tag, 4, len(values)) + packed
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8 + len(file))
    return head + file + struct.pack(f"{order}H", len(tags)) + entries + bytes(4)


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
        assert any("65535 is white" in note for note in cine.notes)

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

    @pytest.mark.parametrize(("name", "kind"), [("a.png", "png"), ("a.tif", "tiff")])
    def test_colours_of_twelve_bits_are_as_bright_as_grey_ones(self, tmp_path, name, kind):
        deep = RGB.astype(np.uint16) * 16
        cv2.imwrite(str(tmp_path / name), deep[..., ::-1])
        cine = open_image(tmp_path / name, kind)
        expected = deep / 4095 * 255
        assert np.abs(cine.reader.read([0], color=True)[0] - expected).max() <= 0.51
        assert np.abs(cine.reader.read([0])[0] - luma(expected)).max() <= LUMA_TOLERANCE + 0.51
        assert any("4095 is white" in note for note in cine.notes)
        assert cine.facts["color"] == "yes"

    def test_pages_of_deep_colours_are_read_one_by_one_and_share_one_scale(self, tmp_path):
        pages = [np.full((20, 30, 3), (i, 100 * i, 300 * i), np.uint16) for i in range(5)]
        cv2.imwritemulti(str(tmp_path / "a.tif"), [np.ascontiguousarray(page[..., ::-1]) for page in pages])
        got = open_image(tmp_path / "a.tif", "tiff").reader.read([4, 0, 3], color=True)[:, 7, 9]
        assert np.abs(got - np.array([pages[i][0, 0] for i in (4, 0, 3)]) / 2047 * 255).max() <= 0.51

    def test_a_page_of_8_bits_among_deep_colours_is_no_page_of_the_cine(self, tmp_path):
        pages = [RGB.astype(np.uint16) * 16, RGB]
        cv2.imwritemulti(str(tmp_path / "a.tif"), pages)
        with pytest.raises(UnreadableError, match=r"Page 2 .*8-bit samples.* page 1 .*16-bit samples"):
            open_image(tmp_path / "a.tif", "tiff")

    @pytest.mark.parametrize("big_endian", [False, True])
    @pytest.mark.parametrize("planes", [False, True])
    @pytest.mark.parametrize("orientation", [1, 3, 6, 7])
    @pytest.mark.parametrize("alpha", [None, 0, 1, 2])
    def test_deep_colours_laid_out_in_every_way(self, tmp_path, big_endian, planes, orientation, alpha):
        deep = RGB.astype(np.uint16) * 16
        samples, expected = deep, deep.astype(float)
        if alpha is not None:
            fourth = np.full((48, 64, 1), 65535, np.uint16)
            fourth[:10] = 20000
            samples = np.concatenate([deep, fourth], axis=2)
            expected = deep * (fourth / 65535) if alpha == 2 else expected
        path = tmp_path / "a.tif"
        path.write_bytes(deep_tiff(samples, ">" if big_endian else "<", planes, orientation, alpha))
        exif = Image.Exif()
        exif[0x0112] = orientation
        with Image.open(save(tmp_path / "a.png", RGB, exif=exif)) as image:
            shape = np.asarray(ImageOps.exif_transpose(image)).shape
        cine = open_image(path, "tiff")
        got = cine.reader.read([0], color=True)[0]
        assert got.shape == shape
        turned = {1: expected, 3: expected[::-1, ::-1], 6: np.rot90(expected, 3), 7: np.rot90(expected, 1)[:, ::-1]}
        assert np.abs(got - turned[orientation] / 4095 * 255).max() <= 0.6

    def test_deep_colours_with_alpha_stand_upright_on_black(self, tmp_path):
        bgra = np.dstack([RGB[..., ::-1].astype(np.uint16) * 257, np.full((48, 64), 65535, np.uint16)])
        bgra[:10, :, 3] = 0
        cv2.imwrite(str(tmp_path / "a.png"), bgra)
        data = (tmp_path / "a.png").read_bytes()
        exif = Image.Exif()
        exif[0x0112] = 3
        (tmp_path / "a.png").write_bytes(data[:33] + png_chunk(b"eXIf", exif.tobytes()[6:]) + data[33:])
        got = open_image(tmp_path / "a.png", "png").reader.read([0], color=True)[0]
        assert np.array_equal(got[:38], RGB[10:][::-1, ::-1])
        assert not got[38:].any()

    def test_a_page_of_deep_colours_that_is_said_to_be_longer_than_the_file(self, tmp_path):
        content = deep_tiff(RGB.astype(np.uint16), "<", False, 1, None)
        entry = struct.pack("<HHI", 279, 4, 1)
        at = content.index(entry) + len(entry)
        (tmp_path / "a.tif").write_bytes(content[:at] + struct.pack("<I", 2**31) + content[at + 4 :])
        with pytest.raises(UnreadableError, match="longer than the file"):
            open_image(tmp_path / "a.tif", "tiff")

    def test_deep_colours_that_opencv_does_not_unpack_are_cut_and_said(self, tmp_path, monkeypatch):
        monkeypatch.setattr("echoplane.sources.deep_colour._UNPACKED", ())
        cv2.imwrite(str(tmp_path / "a.tif"), RGB[..., ::-1].astype(np.uint16) * 257)
        cine = open_image(tmp_path / "a.tif", "tiff")
        assert np.array_equal(cine.reader.read([0], color=True)[0], RGB)
        assert any("upper 8" in note for note in cine.notes)

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


def animation(path, durations, **how):
    """Write grey pages of rising brightness, each shown for so many milliseconds."""
    pages = [Image.fromarray(np.full((20, 30, 3), 10 * (i + 1), np.uint8)) for i in range(len(durations))]
    first, *others = [how.pop("default"), *pages] if "default" in how else pages
    how |= {"lossless": True} if path.suffix == ".webp" else {}
    first.save(path, save_all=True, append_images=others, duration=durations, **how)
    return path


ANIMATIONS = [("a.webp", "webp"), ("a.png", "png")]


class TestAnimationRates:
    @pytest.mark.parametrize(("name", "kind"), ANIMATIONS)
    def test_a_first_page_that_is_shown_longer_is_not_the_frame_rate(self, tmp_path, name, kind):
        cine = open_image(animation(tmp_path / name, [120, *[30] * 9]), kind)
        assert cine.n_frames == 10
        assert cine.fps == pytest.approx(9000 / (120 + 8 * 30))
        assert cine.fps_source == "page duration"
        assert "Frames are not evenly spaced (30 to 120 ms); the mean rate is used." in cine.notes

    @pytest.mark.parametrize(("name", "kind"), ANIMATIONS)
    def test_equal_frames_that_were_merged_into_one_page(self, tmp_path, name, kind):
        """Pillow writes the first five frames as one page of 165 ms: six frames a second instead of thirty."""
        still, *moving = [Image.fromarray(np.full((20, 30, 3), 20 * i, np.uint8)) for i in range(8)]
        how = {"lossless": True} if kind == "webp" else {}
        still.save(tmp_path / name, save_all=True, append_images=[still] * 4 + moving, duration=33, **how)
        cine = open_image(tmp_path / name, kind)
        if kind == "png":
            assert cine.n_frames == 8
        assert cine.fps == pytest.approx((cine.n_frames - 1) * 1000 / (33 * 11))
        assert cine.fps > 19

    @pytest.mark.parametrize(("name", "kind"), ANIMATIONS)
    @pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
    def test_a_cut_animation_ends_in_a_rate_or_an_error_of_ours(self, tmp_path, name, kind, share):
        path = animation(tmp_path / name, [40] * 10)
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * share)])
        assert page_durations(path, kind, 10) == []
        with contextlib.suppress(EchoplaneError):
            assert open_image(path, kind).fps in (25.0, None)

    def test_durations_of_what_is_no_animation(self, tmp_path):
        assert page_durations(animation(tmp_path / "a.png", [40] * 3), "tiff", 3) == []
        assert page_durations(tmp_path / "gone.png", "png", 3) == []
        (tmp_path / "a.webp").write_bytes(b"RIFF\0\0\0\0WEBPANMF\x04\0\0\0abcd")
        assert page_durations(tmp_path / "a.webp", "webp", 1) == []
        (tmp_path / "b.png").write_bytes(bytes(8) + png_chunk(b"fcTL", b"short") + png_chunk(b"fcTL", bytes(26)))
        assert page_durations(tmp_path / "b.png", "png", 1) == [0.0]

    def test_chunks_that_only_keep_a_reader_busy_are_not_all_read(self, tmp_path, monkeypatch):
        monkeypatch.setattr("echoplane.sources.animation._MAX_CHUNKS", 5)
        path = animation(tmp_path / "a.png", [40] * 10)
        assert page_durations(path, "png", 10) == []
        assert open_image(path, "png").fps == 25.0

    def test_pages_shown_for_seconds_are_no_frame_rate(self, tmp_path):
        assert open_image(animation(tmp_path / "a.png", [3000] * 4), "png").fps is None
        assert open_image(animation(tmp_path / "b.png", [10, 10, 30, 10]), "png").fps is None


class TestHiddenPicture:
    """An APNG may show old programs another picture than the animation holds."""

    def test_it_is_no_frame(self, tmp_path):
        hidden = Image.new("RGB", (30, 20), (200, 0, 0))
        cine = open_image(animation(tmp_path / "a.png", [40] * 6, default=hidden, default_image=True), "png")
        assert (cine.n_frames, cine.fps, cine.kind) == (6, 25.0, CineKind.B_MODE)
        assert cine.reader.read([5, 0, 3, 0], color=True)[:, 4, 4].tolist() == [[n] * 3 for n in (60, 10, 40, 10)]
        with pytest.raises(UsageError, match="frames 0 to 5"):
            cine.reader.read([6])
        assert open_image(tmp_path / "a.png", "png", limits=Limits(max_frames=6)).n_frames == 6
        with pytest.raises(RefusedError, match="hold 6 frames"):
            open_image(tmp_path / "a.png", "png", limits=Limits(max_frames=5))

    def test_an_animation_of_one_frame_is_that_frame(self, tmp_path):
        hidden = Image.new("RGB", (30, 20), (200, 0, 0))
        cine = open_image(animation(tmp_path / "a.png", [40], default=hidden, default_image=True), "png")
        assert (cine.n_frames, cine.fps, cine.kind) == (1, None, CineKind.STILL)
        assert (cine.reader.read([0]) == 10).all()

    def test_the_animation_is_not_painted_over_it(self, tmp_path):
        rgba = np.zeros((20, 30, 4), np.uint8)
        rgba[:, 15:] = (50, 60, 70, 255)
        pages = [Image.fromarray(rgba), Image.fromarray(np.roll(rgba, 5, 1))]
        Image.new("RGBA", (30, 20), (250, 250, 250, 255)).save(
            tmp_path / "a.png", save_all=True, append_images=pages, duration=40, default_image=True, blend=1
        )
        cine = open_image(tmp_path / "a.png", "png")
        first = cine.reader.read([0], color=True)[0]
        assert np.array_equal(first, rgba[..., :3])
        assert np.array_equal(cine.reader.read([1, 0], color=True)[1], first)
