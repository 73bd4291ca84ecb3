import gzip
import struct
import tracemalloc

import numpy as np
import pytest

from echoplane.errors import EchoplaneError, RefusedError, UnreadableError, UnsupportedError
from echoplane.records import CineKind
from echoplane.sources.limits import Limits
from echoplane.sources.metaimage import read_metaimage
from echoplane.sources.nifti import read_nifti
from echoplane.sources.open import open_cine
from echoplane.sources.sniff import sniff
from echoplane.sources.volume import open_volume

sitk = pytest.importorskip("SimpleITK", reason="writes the volumes, independently of the code under test")

T, H, W = 7, 20, 30
RNG = np.random.default_rng(5)
CINE = RNG.integers(0, 256, (T, H, W), dtype=np.uint8)


def write(path, array, spacing=None, vector=False, packed=False):
    image = sitk.GetImageFromArray(array, isVector=vector)
    if spacing:
        image.SetSpacing(spacing)
    sitk.WriteImage(image, str(path), useCompression=packed)
    return path


FILES = [("a.nii", "nifti"), ("a.nii.gz", "nifti_gz"), ("a.mha", "metaimage"), ("a.mhd", "metaimage")]


@pytest.mark.parametrize(("name", "kind"), FILES)
def test_frames_are_the_last_axis_and_columns_the_first(tmp_path, name, kind):
    path = write(tmp_path / name, CINE, spacing=(0.2, 0.3, 1.0))
    assert sniff(path, name) == kind
    cine = open_cine(path)
    assert (cine.n_frames, cine.height, cine.width, cine.kind) == (T, H, W, CineKind.B_MODE)
    assert np.array_equal(cine.reader.read([6, 0, 3]), CINE[[6, 0, 3]])
    assert cine.spacing_mm == pytest.approx((0.3, 0.2))
    assert cine.facts["axes"] == f"{W} x {H} x {T}"
    swapped = open_volume(path, kind, transpose=True)
    assert np.array_equal(swapped.reader.read([2])[0], CINE[2].T)
    assert swapped.spacing_mm == pytest.approx((0.2, 0.3))


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16, np.int32, np.uint32, np.float32, np.float64])
@pytest.mark.parametrize("name", ["a.mha", "b.mhd", "c.nii", "d.nii.gz"])
@pytest.mark.parametrize("packed", [False, True])
def test_samples_are_those_that_were_written(tmp_path, name, dtype, packed):
    array = RNG.integers(0, 120, (3, 5, 6)).astype(dtype)
    path = write(tmp_path / name, array, packed=packed)
    read = read_metaimage if name[2:4] == "mh" else read_nifti
    file = read(path, name, Limits())
    assert file.samples.dtype == array.dtype
    assert np.array_equal(file.samples, array)


def test_what_a_packed_file_holds_before_its_samples_is_not_held_in_memory(tmp_path):
    path = write(tmp_path / "a.nii", CINE)
    head, far = bytearray(path.read_bytes()[:352]), 32 << 20
    struct.pack_into("<f", head, 108, far)
    packed = tmp_path / "b.nii.gz"
    packed.write_bytes(gzip.compress(bytes(head) + bytes(far - 352) + CINE.tobytes(), 1))
    tracemalloc.start()
    cine = open_cine(packed)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < far / 8
    assert np.array_equal(cine.reader.read(range(T)), CINE)
    with pytest.raises(RefusedError, match="Needs 32 MiB"):
        open_cine(packed, limits=Limits(max_bytes=far - 1))


def test_big_endian_and_skipped_bytes(tmp_path):
    array = RNG.integers(0, 4000, (3, 5, 6)).astype(">u2")
    head = "ObjectType = Image\nNDims = 3\nDimSize = 6 5 3\nElementType = MET_USHORT\nBinaryDataByteOrderMSB = True\n"
    for skip, before in ((7, 7), (-1, 13)):
        (tmp_path / "a.mhd").write_text(f"{head}HeaderSize = {skip}\nElementDataFile = a.raw\n")
        (tmp_path / "a.raw").write_bytes(bytes(before) + array.tobytes())
        assert np.array_equal(read_metaimage(tmp_path / "a.mhd", "a", Limits()).samples, array)


def test_a_packed_file_is_not_mistaken_for_its_unpacked_neighbour(tmp_path):
    write(tmp_path / "a.nii.gz", CINE)
    write(tmp_path / "a.nii", 255 - CINE)
    assert np.array_equal(open_cine(tmp_path / "a.nii.gz").reader.read(range(T)), CINE)


def test_header_and_samples_apart(tmp_path):
    write(tmp_path / "a.hdr", CINE)
    assert (tmp_path / "a.img").exists()
    assert np.array_equal(open_cine(tmp_path / "a.hdr").reader.read(range(T)), CINE)
    (tmp_path / "a.img").unlink()
    with pytest.raises(UnreadableError, match=r"a\.img, are not beside"):
        open_cine(tmp_path / "a.hdr")


def nifti1(shape, datatype, data, *, order="<", slope=0.0, intercept=0.0, steps=(), units=0):
    """An independent writer: NIfTI-1 by offsets."""
    header = bytearray(352)
    struct.pack_into(f"{order}i", header, 0, 348)
    struct.pack_into(f"{order}8h", header, 40, len(shape), *shape, *[1] * (7 - len(shape)))
    struct.pack_into(f"{order}2h", header, 70, datatype, 8 * data.dtype.itemsize)
    struct.pack_into(f"{order}8f", header, 76, 1, *steps, *[1] * (7 - len(steps)))
    struct.pack_into(f"{order}3f", header, 108, 352, slope, intercept)
    header[123] = units
    header[344:348] = b"n+1\0"
    return bytes(header) + data.tobytes()


def nifti2(shape, datatype, data, order=">"):
    header = bytearray(544)
    struct.pack_into(f"{order}i", header, 0, 540)
    header[4:12] = b"n+2\0\r\n\x1a\n"
    struct.pack_into(f"{order}2h", header, 12, datatype, 8 * data.dtype.itemsize)
    struct.pack_into(f"{order}8q", header, 16, len(shape), *shape, *[1] * (7 - len(shape)))
    struct.pack_into(f"{order}8d", header, 104, *[1] * 8)
    struct.pack_into(f"{order}q", header, 168, 544)
    return bytes(header) + data.tobytes()


def test_nifti_by_hand(tmp_path):
    path = tmp_path / "a.nii"
    path.write_bytes(nifti1((W, H, T), 512, CINE.astype(">u2"), order=">"))
    assert np.array_equal(open_cine(path).reader.read(range(T)), CINE)
    path.write_bytes(nifti2((W, H, T), 512, CINE.astype(">u2")))
    assert np.array_equal(open_cine(path).reader.read(range(T)), CINE)
    rgb = RNG.integers(0, 256, (T, H, W, 3), dtype=np.uint8)
    path.write_bytes(nifti1((W, H, T), 128, rgb))
    assert np.array_equal(open_cine(path).reader.read(range(T), color=True), rgb)
    path.write_bytes(nifti1((W, H, T), 32, CINE))
    with pytest.raises(UnsupportedError, match="NIfTI type 32"):
        open_cine(path)


def test_nifti_slope_units_and_time(tmp_path):
    path = tmp_path / "a.nii"
    # Shares of 1 kept in 8 bits: 255 times the factor, which is a 32-bit float, is a little more than 1.
    path.write_bytes(nifti1((W, H, T), 2, CINE, slope=1 / 255))
    assert np.array_equal(open_cine(path).reader.read(range(T)), CINE)
    raw = CINE.astype(np.int16) * 100 - 5000
    path.write_bytes(nifti1((W, H, T), 4, raw, slope=0.01, intercept=50))  # means 0..255 again
    assert np.array_equal(open_cine(path).reader.read(range(T)), CINE)
    path.write_bytes(nifti1((W, H, T), 2, CINE, slope=-1.0, intercept=255.0))
    assert np.array_equal(open_cine(path).reader.read(range(T)), 255 - CINE)
    # Metres and milliseconds: units 1 + 16.
    path.write_bytes(nifti1((W, H, 1, T), 2, CINE, steps=(0.0002, 0.0003, 1, 20), units=17))
    cine = open_cine(path)
    assert cine.spacing_mm == pytest.approx((0.3, 0.2))
    assert cine.fps == pytest.approx(50)
    assert cine.fps_source == "time step"


def test_the_rate_that_camus_keeps_beside_its_cines(tmp_path):
    path = write(tmp_path / "patient0001_4CH_half_sequence.nii.gz", CINE)
    assert open_cine(path).fps is None
    (tmp_path / "Info_4CH.cfg").write_text("ED: 1\nES: 7\nNbFrame: 7\nSex: F\nAge: 60\nFrameRate: 46.5\n")
    cine = open_cine(path)
    assert (cine.fps, cine.fps_source) == (46.5, "Info_4CH.cfg")
    (tmp_path / "Info_4CH.cfg").write_text("FrameRate: 1.2.3\n")
    assert open_cine(path).fps is None


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.float32, np.float64])
def test_other_samples_are_scaled_and_said(tmp_path, dtype):
    cine = open_cine(write(tmp_path / "a.nii", (CINE.astype(dtype))))
    assert np.array_equal(cine.reader.read(range(T)), CINE)
    assert any("255 is white" in note for note in cine.notes)


def test_a_still_and_a_colour_cine(tmp_path):
    assert open_cine(write(tmp_path / "a.nii", CINE[0])).kind is CineKind.STILL
    rgb = RNG.integers(0, 256, (T, H, W, 3), dtype=np.uint8)
    cine = open_cine(write(tmp_path / "b.mha", rgb, vector=True))
    assert np.array_equal(cine.reader.read([3], color=True)[0], rgb[3])
    with pytest.raises(UnsupportedError, match="2 values a pixel"):
        open_cine(write(tmp_path / "c.mha", rgb[..., :2], vector=True))


@pytest.mark.parametrize("packed", ["nii", "nii.gz"])
def test_colours_as_itk_writes_them_into_nifti(tmp_path, packed):
    """A vector along the fifth axis, which is the slowest one in the file."""
    rgba = RNG.integers(0, 256, (T, H, W, 4), dtype=np.uint8)
    for colors in (3, 4):
        cine = open_cine(write(tmp_path / f"{colors}.{packed}", rgba[..., :colors], vector=True))
        assert (cine.n_frames, cine.facts["color"]) == (T, "yes")
        assert np.array_equal(cine.reader.read([2, 5], color=True), rgba[[2, 5], ..., :3])
    still = open_cine(write(tmp_path / f"still.{packed}", rgba[0, ..., :3], vector=True))
    assert (still.n_frames, still.kind) == (1, CineKind.STILL)
    assert np.array_equal(still.reader.read([0], color=True)[0], rgba[0, ..., :3])
    with pytest.raises(UnsupportedError, match="vectors of 2 numbers"):
        open_cine(write(tmp_path / f"two.{packed}", rgba[..., :2], vector=True))


def test_volumes_are_told_from_cines(tmp_path):
    one_slice = open_cine(write(tmp_path / "a.nii", CINE[:, None]))
    assert (one_slice.n_frames, one_slice.kind) == (T, CineKind.B_MODE)
    in_time = open_cine(write(tmp_path / "b.nii", np.zeros((3, 5, H, W), np.uint8)))
    assert (in_time.n_frames, in_time.kind) == (15, CineKind.VOLUME)
    assert "3 volumes of 5 slices each." in in_time.notes
    deep = np.zeros((64, H, W), np.uint8)
    assert open_cine(write(tmp_path / "c.mha", deep, (0.4, 0.4, 0.4))).kind is CineKind.VOLUME
    assert open_cine(write(tmp_path / "d.mha", deep, (0.4, 0.4, 1.0))).kind is CineKind.B_MODE
    assert open_cine(write(tmp_path / "e.mha", deep, (1.0, 1.0, 1.0))).kind is CineKind.B_MODE
    assert open_cine(write(tmp_path / "f.mha", deep[:40], (0.4, 0.4, 0.4))).kind is CineKind.B_MODE


class TestBadInput:
    def test_cut_short(self, tmp_path):
        for name, _ in FILES[:3]:
            path = write(tmp_path / name, CINE)
            content = path.read_bytes()
            path.write_bytes(content[: len(content) * 2 // 3])
            with pytest.raises(UnreadableError, match=r"damaged|promises"):
                open_cine(path)

    @pytest.mark.parametrize(("name", "kind"), FILES[:3])
    def test_flipped_bytes(self, tmp_path, name, kind):
        content = write(tmp_path / name, CINE).read_bytes()
        rng = np.random.default_rng(1)
        for _ in range(40):
            mutant = bytearray(content)
            for at in rng.integers(0, min(352, len(mutant)), 2):
                mutant[at] = rng.integers(256)
            (tmp_path / name).write_bytes(mutant)
            try:
                cine = open_volume(tmp_path / name, kind, limits=Limits(max_bytes=10**7))
            except EchoplaneError:
                continue
            cine.reader.read([0])

    def test_absurd_sizes_are_refused_before_they_are_read(self, tmp_path):
        (tmp_path / "a.mha").write_text(
            "ObjectType = Image\nNDims = 3\nDimSize = 4000 4000 10000\nElementType = MET_UCHAR\n"
            "ElementDataFile = LOCAL\n"
        )
        with pytest.raises(RefusedError, match="MiB of memory"):
            open_cine(tmp_path / "a.mha")
        with pytest.raises(RefusedError, match="max_frames"):
            open_cine(write(tmp_path / "b.nii", CINE), limits=Limits(max_frames=T - 1))

    @pytest.mark.parametrize("target", ["/etc/passwd", "../secret.raw", "sub\\x.raw", "C:x.raw"])
    def test_headers_that_point_elsewhere_are_refused(self, tmp_path, target):
        (tmp_path / "a.mhd").write_text(
            f"ObjectType = Image\nNDims = 2\nDimSize = 2 2\nElementType = MET_UCHAR\nElementDataFile = {target}\n"
        )
        with pytest.raises(RefusedError, match="outside of its folder"):
            open_cine(tmp_path / "a.mhd")

    @pytest.mark.parametrize("spelled", ["x.raw", "./x.raw", ".\\x.raw"])
    def test_samples_beside_the_header_however_spelled(self, tmp_path, spelled):
        (tmp_path / "x.raw").write_bytes(bytes(range(12)))
        (tmp_path / "a.mhd").write_text(
            f"ObjectType = Image\nNDims = 3\nDimSize = 2 3 2\nElementType = MET_UCHAR\nElementDataFile = {spelled}\n"
        )
        np.testing.assert_array_equal(open_cine(tmp_path / "a.mhd").reader.read([1])[0].ravel(), range(6, 12))

    def test_data_that_are_not_there_or_spread(self, tmp_path):
        head = "ObjectType = Image\nNDims = 2\nDimSize = 2 2\nElementType = MET_UCHAR\n"
        (tmp_path / "a.mhd").write_text(head + "ElementDataFile = a.raw\n")
        with pytest.raises(UnreadableError, match=r"a\.raw, are not beside"):
            open_cine(tmp_path / "a.mhd")
        (tmp_path / "b.mhd").write_text(head + "ElementDataFile = LIST\na.raw\nb.raw\n")
        with pytest.raises(UnsupportedError, match="several files"):
            open_cine(tmp_path / "b.mhd")
        (tmp_path / "c.mhd").write_text(head)
        with pytest.raises(UnreadableError, match="ElementDataFile"):
            open_cine(tmp_path / "c.mhd")
