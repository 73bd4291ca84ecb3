"""Whole files: what a cine says, lying headers, damaged frames, limits, privacy, threads, pickles."""

from __future__ import annotations

import pickle
import threading

import numpy as np
import pydicom
import pytest
from pydicom import examples
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset

from echoplane.errors import (
    EchoplaneError,
    NoFramesError,
    RefusedError,
    UnreadableError,
    UnsupportedError,
    UsageError,
)
from echoplane.phantom.clip import render_clip
from echoplane.records import CineKind
from echoplane.sources.dicom import open_dicom
from echoplane.sources.dicom.failures import as_unreadable
from echoplane.sources.ground import NOTE
from echoplane.sources.limits import Limits

JPEG, RLE, MPEG2 = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.100"
FRAME = 32 * 64 * 3


@pytest.fixture
def cine(dicom):
    return lambda *args, **options: open_dicom(dicom(*args, **options))


def test_a_real_cine():
    cine = open_dicom(examples.get_path("ybr_color"), source="a4c")
    assert (cine.source, cine.n_frames, cine.height, cine.width) == ("a4c", 30, 240, 320)
    assert cine.fps == pytest.approx(30, abs=0.01)
    assert cine.fps_source == "FrameTime"
    assert cine.kind is CineKind.B_MODE
    assert cine.regions == ()  # given for the picture before it was made smaller
    assert cine.notes == ("An ultrasound region lies outside of the 320 x 240 picture; passed over.",)
    assert cine.facts["transfer syntax"] == "JPEG Baseline"
    assert cine.facts["model"] == "Turbo"


def test_grey_of_a_real_cine_is_luma_of_its_colours(picture):
    cine = open_dicom(examples.get_path("ybr_color"))
    grey = cine.reader.read([3, 17])
    colors = cine.reader.read([3, 17], color=True)
    difference = np.abs(grey - picture.luma(colors))
    assert difference.mean() < 0.5
    assert np.percentile(difference, 99.9) <= 4


@pytest.mark.parametrize("reduce", [2, 4, 8])
def test_reduced_frames_are_block_means(picture, reduce):
    cine = open_dicom(examples.get_path("ybr_color"))
    full = cine.reader.read([5])[0].astype(float)
    small = cine.reader.read([5], reduce=reduce)[0]
    blocks = full.reshape(240 // reduce, reduce, 320 // reduce, reduce).mean(axis=(1, 3))
    assert small.shape == blocks.shape
    assert np.abs(small - blocks).mean() < 1.5
    color = cine.reader.read([5], reduce=reduce, color=True)[0]
    assert np.abs(small - picture.luma(color)).mean() < 1


def test_reduced_rgb_jpeg_is_luma_not_red(cine, picture):
    """The first plane of such a stream is red."""
    stored = [picture.jpeg(picture.tiles(), keep_rgb=True)]
    small = cine(stored, syntax=JPEG).reader.read([0], reduce=2)[0]
    expected = picture.luma(picture.tiles())[::2, ::2]
    assert np.abs(small - expected).max() <= 6


@pytest.mark.parametrize("size", [(33, 65), (31, 63), (240, 321)])
@pytest.mark.parametrize("reduce", [2, 4, 8])
def test_sizes_are_rounded_up(cine, picture, size, reduce):
    grey = np.zeros(size, np.uint8)
    expected = (1, -(-size[0] // reduce), -(-size[1] // reduce))
    for encode, syntax in ((picture.jpeg, JPEG), (picture.j2k, "1.2.840.10008.1.2.4.90")):
        stored = cine([encode(grey)], syntax=syntax, size=size, photometric="MONOCHROME2")
        assert stored.reader.read([0], reduce=reduce).shape in (expected, (1, *size))


def test_files_that_pydicom_ships_agree_with_pydicom():
    checked = 0
    for name in ("SC_rgb_jpeg_gdcm.dcm", "SC_rgb_rle_2frame.dcm", "SC_ybr_full_422_uncompressed.dcm", "JPEG2000.dcm",
                 "SC_rgb_small_odd_big_endian.dcm", "SC_jpeg_no_color_transform_2.dcm", "examples_jpeg2k.dcm",
                 "GDCMJ2K_TextGBR.dcm", "SC_rgb_jls_lossy_sample.dcm", "SC_rgb_jpeg_dcmtk.dcm"):  # fmt: skip
        path = get_testdata_file(name, download=False)
        expected = pydicom.pixels.pixel_array(path, index=0)
        got = open_dicom(path).reader.read([0], color=expected.ndim == 3)[0]
        if expected.ndim == 3:
            assert np.abs(got.astype(int) - expected).max() <= 1, name
            checked += 1
        else:
            assert np.corrcoef(got.ravel(), expected.ravel())[0, 1] > 0.99
    assert checked == 9


@pytest.mark.parametrize(
    ("declared", "note"),
    [
        (None, "does not give the number of frames"),
        (7, "says 7 frames"),
        (1, "says 1 frames"),
        (0, "says 0 frames"),
        (-3, "says -3 frames"),
    ],
)
@pytest.mark.parametrize("kind", ["raw", "jpeg", "video"])
def test_a_wrong_number_of_frames(cine, picture, declared, note, kind):
    tiles = [picture.tiles(s) for s in range(3)]
    stored = {
        "raw": lambda: bytes(3 * FRAME),
        "jpeg": lambda: [picture.jpeg(t) for t in tiles],
        "video": lambda: [picture.video(np.tile(np.stack(tiles), (1, 4, 4, 1)), "mpeg2video", "mpeg")],
    }[kind]()
    options = {"raw": {}, "jpeg": {"syntax": JPEG}, "video": {"syntax": MPEG2, "size": (128, 256)}}[kind]
    found = cine(stored, frames=declared, **options)
    assert found.n_frames == 3
    assert any(note in n and "3 are there" in n for n in found.notes)
    assert found.reader.read([2]).shape[0] == 1


def test_the_right_number_is_not_noted(cine):
    assert cine(bytes(3 * FRAME), frames=3, FrameTime=20).notes == ()


@pytest.mark.parametrize(
    ("elements", "note"),
    [
        ({"InConcatenationNumber": 2, "InConcatenationTotalNumber": 3}, "Is part 2 of 3 of a cine"),
        ({"InConcatenationNumber": 2}, "Is part 2 of a cine"),
        ({"ConcatenationUID": "1.2.3"}, "Is one part of a cine"),
        ({"InConcatenationNumber": 1, "InConcatenationTotalNumber": 1, "ConcatenationUID": "1.2.3"}, None),
    ],
)
def test_a_part_of_a_divided_cine_says_so(cine, elements, note):
    notes = cine(bytes(3 * FRAME), frames=3, FrameTime=20, **elements).notes
    assert [n.startswith(note or "") for n in notes] == ([True] if note else [])


def test_fewer_declared_frames_with_something_behind_them(cine):
    found = cine(bytes(2 * FRAME + 500), frames=1)
    assert found.n_frames == 1


@pytest.mark.parametrize("cut", [1, 500, FRAME, 2 * FRAME - 1])
def test_a_cut_uncompressed_file_keeps_its_whole_frames(dicom, cut):
    path = dicom(bytes(3 * FRAME), frames=3)
    path.write_bytes(path.read_bytes()[:-cut])
    found = open_dicom(path)
    assert found.n_frames == (3 * FRAME - cut) // FRAME
    assert any("cut off" in note for note in found.notes)


@pytest.mark.parametrize("table", ["basic", "extended", "missing"])
@pytest.mark.parametrize("pieces", [1, 3])
def test_a_cut_compressed_file_keeps_its_whole_frames(dicom, picture, table, pieces):
    stored = [picture.jpeg(picture.tiles(s)) for s in range(4)]
    path = dicom(stored, syntax=JPEG, frames=4, table=table, pieces=pieces)
    path.write_bytes(path.read_bytes()[: -len(stored[-1]) // 4])
    found = open_dicom(path)
    assert found.n_frames == 3
    assert any("cut off" in note for note in found.notes)
    found.reader.read([0, 1, 2])


def test_missing_fragments(cine, dicom, picture):
    with pytest.raises(NoFramesError):
        cine([], syntax=JPEG)
    with pytest.raises(UnreadableError, match="first frame is no picture"):
        cine([b"", picture.jpeg(picture.tiles())], syntax=JPEG, frames=2)
    path = dicom([picture.jpeg(picture.tiles())] * 2, syntax=JPEG, frames=2)
    path.write_bytes(path.read_bytes().replace(b"\xff\xd9", b"\0\0", 1))
    with pytest.raises(UnreadableError, match="Frame 0 cannot be decoded: the JPEG stream has no end"):
        open_dicom(path).reader.read([0])


def test_a_missing_offset_table_is_noted(tmp_path, dicom, picture):
    """Not even its item is there; the first frame would be taken for it."""
    frames = [picture.jpeg(picture.tiles(i)) for i in range(3)]
    whole = dicom(frames, syntax=JPEG, frames=3, table="missing")
    data = whole.read_bytes()
    at = data.rfind(picture.item(b""), 0, data.find(b"\xff\xd8\xff"))
    (tmp_path / "bare.dcm").write_bytes(data[:at] + data[at + 8 :])
    cine = open_dicom(tmp_path / "bare.dcm")
    assert cine.n_frames == 3
    assert "The item of the offset table is missing; the first item is a frame." in cine.notes
    np.testing.assert_array_equal(cine.reader.read(range(3)), open_dicom(whole).reader.read(range(3)))


def test_pixels_missing_altogether(dicom):
    path = dicom(bytes(FRAME))
    data = path.read_bytes()
    path.write_bytes(data[: data.find(b"\xe0\x7f\x10\x00")])
    with pytest.raises(UnreadableError, match="pixels are missing"):
        open_dicom(path)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"size": (0, 64)}, UnreadableError, "0 rows and 64 columns"),
        ({"size": (60000, 60000)}, RefusedError, "60000 x 60000 pixels"),
        ({"size": (5000, 5000)}, UnreadableError, "frames of 75,000,000 bytes, but only"),
        ({"bits": (32, 32)}, UnsupportedError, "32 bits"),
        ({"bits": (1, 1)}, UnsupportedError, "1 bits"),
        ({"photometric": "YBR_PARTIAL_420"}, UnsupportedError, "inside MPEG only"),
        ({"Rows": None}, UnreadableError, "no rows and columns"),
        ({"BitsAllocated": None}, UnreadableError, "how many bits"),
        ({"photometric": "HSV"}, UnsupportedError, "none that is read here"),
        ({"PhotometricInterpretation": None}, UnreadableError, "in which colours"),
        ({"photometric": "PALETTE COLOR"}, UnreadableError, "palette"),
        ({"syntax": "1.2.840.113619.5.2"}, UnsupportedError, r"1\.2\.840\.113619\.5\.2"),
    ],
)
def test_lying_headers(cine, options, error, match):
    with pytest.raises(error, match=match):
        cine(bytes(FRAME), **options)


@pytest.mark.parametrize(
    ("options", "note"),
    [
        ({"BitsStored": 60}, "60 bits stored of 8; taken as 8"),
        ({"HighBit": 2}, "high bit 2 for 8 bits stored; taken as 7"),
        ({"SamplesPerPixel": 1}, "1 samples a pixel for RGB, which has 3"),
        ({"photometric": "YBR_RCT"}, "read as RGB"),
        ({"photometric": "YBR_FULL_422"}, "chroma is stored for every pixel"),
        ({"photometric": "YBR_FULL_422", "planar": 1}, "has no meaning with YBR_FULL_422"),
    ],
)
def test_headers_that_are_put_right_with_a_note(cine, options, note):
    found = cine(bytes(FRAME), **options)
    assert any(note in n for n in found.notes)
    assert found.reader.read([0]).shape == (1, 32, 64)


def test_uncompressed_pixels_under_a_compressed_transfer_syntax(dicom):
    path = dicom(bytes(FRAME))
    data = path.read_bytes()
    path.write_bytes(data.replace(b"\x14\x001.2.840.10008.1.2.1\0", b"\x16\x001.2.840.10008.1.2.4.50"))
    cine = open_dicom(path)
    assert "The header says JPEG Baseline, but the pixels are not compressed; read as they are." in cine.notes
    assert cine.reader.read([0]).shape == (1, 32, 64)


def test_frames_of_another_size_than_the_header_says(cine, picture):
    found = cine([picture.jpeg(picture.tiles())], syntax=JPEG, size=(480, 640))
    assert (found.height, found.width) == (32, 64)
    assert "The header says 640 x 480 pixels; the frames have 64 x 32." in found.notes
    assert found.reader.read([0]).shape == (1, 32, 64)


def test_frames_of_another_number_of_components(cine, picture):
    grey = np.rint(picture.luma(picture.tiles())).astype(np.uint8)
    found = cine([picture.jpeg(grey)], syntax=JPEG, photometric="RGB")
    assert "The header says RGB, but the frames have 1 component; read as MONOCHROME2." in found.notes
    assert np.abs(found.reader.read([0])[0].astype(int) - grey).max() <= 4
    found = cine([picture.jpeg(picture.tiles())], syntax=JPEG, photometric="MONOCHROME2")
    assert np.abs(found.reader.read([0], color=True)[0].astype(int) - picture.tiles()).max() <= 12


def test_frames_of_another_compression_than_the_header_says(cine, picture):
    found = cine([picture.j2k(picture.tiles())], syntax=JPEG, photometric="RGB")
    assert "The header says JPEG Baseline, but the frames are JPEG 2000." in found.notes
    assert np.array_equal(found.reader.read([0], color=True)[0], picture.tiles())
    found = cine([picture.jpeg(picture.tiles())], syntax="1.2.840.113619.5.2", photometric="YBR_FULL_422")
    assert found.reader.read([0]).shape == (1, 32, 64)
    with pytest.raises(UnsupportedError, match=r"transfer syntax \(1\.2\.840\.113619\.5\.2\) is not read"):
        cine([b"something else"], syntax="1.2.840.113619.5.2")


def test_compressions_that_are_not_read_are_named(cine, tmp_path):
    with pytest.raises(UnsupportedError, match=r"\(JPIP Referenced, [0-9.]+\.94\) is not read\. Convert it to JPEG"):
        cine([b"something else"], syntax="1.2.840.10008.1.2.4.94")
    empty = Dataset()
    empty.file_meta = FileMetaDataset()
    empty.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.94"
    empty.file_meta.MediaStorageSOPClassUID = empty.SOPClassUID = "1.2.840.10008.5.1.4.1.1.3.1"
    empty.file_meta.MediaStorageSOPInstanceUID = empty.SOPInstanceUID = "1.2.3"
    empty.Rows, empty.Columns, empty.PixelDataProviderURL = 480, 640, "https://archive.example/1"
    empty.save_as(tmp_path / "jpip.dcm", enforce_file_format=True)
    with pytest.raises(UnsupportedError, match=r"not in the file, but on a server .* Export it from the archive"):
        open_dicom(tmp_path / "jpip.dcm")


def test_a_frame_that_differs_from_the_first(cine, picture):
    found = cine([picture.jpeg(picture.tiles()), picture.jpeg(picture.tiles()[:16])], syntax=JPEG, frames=2)
    found.reader.read([0])
    with pytest.raises(UnreadableError, match="Frame 1 cannot be decoded: it is 64 x 16 pixels"):
        found.reader.read([0, 1])


@pytest.mark.parametrize("marker", [b"\xff\xc0", b"\xff\x51"])
def test_a_bomb_is_refused_by_its_own_header(cine, picture, marker):
    stored = bytearray(picture.jpeg(picture.tiles()) if marker == b"\xff\xc0" else picture.j2k(picture.tiles()))
    at = stored.find(marker)
    if marker == b"\xff\xc0":
        stored[at + 5 : at + 9] = b"\xff\xdc\xff\xdc"
    else:
        stored[at + 6 : at + 14] = b"\x00\x01\x00\x00\x00\x01\x00\x00"
    with pytest.raises(RefusedError, match="more than the limit"):
        cine([bytes(stored)], syntax=JPEG)


def test_a_bomb_below_the_limit_cannot_come_from_a_few_bytes(cine, picture):
    stored = bytearray(picture.jpeg(picture.tiles()))
    at = stored.find(b"\xff\xc0")
    stored[at + 5 : at + 9] = b"\x17\x00\x1f\x00"
    with pytest.raises(UnreadableError, match="cannot hold 7936 x 5888 pixels"):
        cine([bytes(stored)], syntax=JPEG).reader.read([0])


def test_limits_can_be_lowered_and_raised(dicom):
    path = dicom(bytes(4 * FRAME), frames=4)
    with pytest.raises(RefusedError, match="raise max_pixels"):
        open_dicom(path, limits=Limits(max_pixels=1000))
    with pytest.raises(RefusedError, match="raise max_frames"):
        open_dicom(path, limits=Limits(max_frames=3))
    assert open_dicom(path, limits=Limits(max_pixels=2048, max_frames=4)).n_frames == 4


def test_colour_doppler_is_told_from_pixels_where_the_header_leaves_it_open(cine, picture):
    frames = np.repeat(np.random.default_rng(0).integers(20, 180, (12, 128, 160, 1), np.uint8), 3, axis=-1)
    grey = frames.copy()
    for i in range(12):
        frames[i, 40:80, 50 : 80 + 2 * i] = (200, 40, 20) if i % 4 < 2 else (20, 60, 210)
    options = {"frames": 12, "size": (128, 160), "FrameTime": 40}
    found = cine(frames.tobytes(), **options)
    assert (found.kind, found.facts["kind_from"]) == (CineKind.COLOR_DOPPLER, "pixels")
    found = cine(grey.tobytes(), **options)
    assert (found.kind, found.facts["kind_from"]) == (CineKind.B_MODE, "header and pixels")
    sure = {**options, "ImageType": ["ORIGINAL", "PRIMARY", "TTE", "0001"], "UltrasoundColorDataPresent": 0}
    found = cine(frames.tobytes(), **sure)
    assert (found.kind, found.facts["kind_from"]) == (CineKind.B_MODE, "header")
    found = cine(frames.tobytes(), **{**sure, "UltrasoundColorDataPresent": 1})
    assert (found.kind, found.facts["kind_from"]) == (CineKind.COLOR_DOPPLER, "pixels")


@pytest.mark.parametrize("indices", [[4], [-1], [0, 99], [1.5], ["0"]])
def test_frames_that_are_not_there(cine, indices):
    with pytest.raises(UsageError):
        cine(bytes(4 * FRAME), frames=4).reader.read(indices)


def test_an_empty_request_and_a_wrong_reduction(cine):
    reader = cine(bytes(FRAME)).reader
    assert reader.read([]).shape == (0, 32, 64)
    assert reader.read([], color=True).shape == (0, 32, 64, 3)
    with pytest.raises(UsageError, match="reduce"):
        reader.read([0], reduce=3)


def test_a_reader_travels_by_pickle_and_is_shared_by_threads(picture, cine):
    found = cine([picture.jpeg(picture.tiles(s)) for s in range(8)], syntax=JPEG, frames=8)
    expected = found.reader.read(range(8), color=True)
    twin = pickle.loads(pickle.dumps(found))
    results = {}

    def work(n):
        results[n] = (twin.reader if n % 2 else found.reader).read(list(range(8))[:: 1 if n % 3 else -1], color=True)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for n, got in results.items():
        np.testing.assert_array_equal(got[:: 1 if n % 3 else -1], expected)
    assert len(results) == 6


def test_headers_are_read_by_many_threads_at_once_without_a_warning(dicom):
    path = dicom(bytes(FRAME), FrameTime=33.3)
    path.write_bytes(path.read_bytes().replace(b"DS\x04\x0033.3", b"DS\x04\x0033,3"))
    failures = []

    def work():
        try:
            open_dicom(path)
        except BaseException as error:  # noqa: BLE001 - to be seen by the main thread
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_file_that_shrinks_after_it_was_opened(dicom):
    path = dicom(bytes(3 * FRAME), frames=3)
    reader = open_dicom(path).reader
    path.write_bytes(path.read_bytes()[: -2 * FRAME])
    reader.read([0])
    with pytest.raises(UnreadableError, match="Frame 2 cannot be decoded"):
        reader.read([2])
    path.unlink()
    with pytest.raises(UnreadableError, match="No such file"):
        reader.read([0])


def test_nothing_about_the_patient_gets_out(dicom, tmp_path, caplog):
    """Names put into the very elements that are read, in many damaged ways."""
    name = b"Doe^Jane"
    data = dicom(
        bytes(2 * FRAME), frames=2, FrameTime=33.3, ImageType=["ORIGINAL", "PRIMARY", "TTE", "0001"]
    ).read_bytes()
    draw = np.random.default_rng(0)
    target = tmp_path / "x"
    for _ in range(300):
        at = int(draw.integers(132, data.find(b"\xe0\x7f\x10\x00")))
        target.write_bytes(data[:at] + name + data[at + len(name) :])
        try:
            cine = open_dicom(target, source="x")
            said = " ".join(cine.notes)
            cine.reader.read([0])
        except EchoplaneError as error:
            said = f"{error} {error.__cause__} {error.args}"
        assert not [word for word in ("Doe", "Jane", "SECRET") if word in said + caplog.text]


def test_damaged_streams_of_every_kind_end_in_a_sentence(cine, picture):
    jpeg_ls = pytest.importorskip("jpeg_ls")
    tiles = picture.tiles()
    rle = bytearray(picture.rle(list(np.moveaxis(tiles, -1, 0))))
    rle[64:70] = b"\x7f\x7f\x7f\x7f\x7f\x7f"
    for stored, syntax in (
        (bytes(rle), RLE),
        (bytes(rle)[:80], RLE),
        (bytes(jpeg_ls.encode_array(tiles))[:-20], "1.2.840.10008.1.2.4.80"),
        (picture.j2k(tiles)[:200], "1.2.840.10008.1.2.4.90"),
        (picture.jpeg(tiles)[:-30], JPEG),
    ):
        with pytest.raises(UnreadableError, match="Frame 0 cannot be decoded") as caught:
            cine([stored], syntax=syntax).reader.read([0])
        assert caught.value.__cause__ is None


def test_running_out_of_memory_is_a_refusal():
    with pytest.raises(RefusedError, match="more memory"), as_unreadable("x", "Frame 0 cannot be decoded"):
        raise MemoryError


@pytest.mark.parametrize(
    ("photometric", "samples", "read_as"), [("RGB", 1, "MONOCHROME2"), ("YBR_FULL", 1, "MONOCHROME2"),
                                            ("MONOCHROME2", 3, "RGB")],
)  # fmt: skip
def test_the_length_of_the_pixels_decides_between_colours_and_samples(cine, photometric, samples, read_as):
    frames = np.random.default_rng(0).integers(0, 256, (6, 32, 64), np.uint8)
    pixels = frames if samples == 1 else np.repeat(frames[..., None], 3, -1)
    got = cine(pixels.tobytes(), photometric=photometric, frames=6, SamplesPerPixel=samples)
    assert got.n_frames == 6
    np.testing.assert_array_equal(got.reader.read(range(6)), frames)
    assert any(note.endswith(f"read as {read_as}.") for note in got.notes)


@pytest.mark.parametrize("first", [0, 7])
def test_deep_grey_without_a_window_is_spread_over_more_than_a_first_frame(cine, first):
    frames = np.random.default_rng(0).integers(100, 4000, (20, 32, 64)).astype("<u2")
    frames[0] = first  # blank, as before a loop starts
    got = cine(frames.tobytes(), photometric="MONOCHROME2", frames=20, bits=(16, 12)).reader.read(range(20))
    assert len(np.unique(got[5])) > 200
    assert got[0].max() == 0


def test_deep_grey_that_is_blank_throughout_is_read(cine):
    got = cine(bytes(2 * 32 * 64 * 3), photometric="MONOCHROME2", frames=3, bits=(16, 12)).reader.read([0, 2])
    assert not got.any()


def test_monochrome_1_that_is_none_is_changed_back(cine):
    heart = render_clip("A4C", 3, frames=12, fps=12.0, size=(200, 160)).frames[..., 1].copy()
    # Written as MONOCHROME2 samples under the name of the other.
    found = cine(heart.tobytes(), size=heart.shape[1:], frames=12, photometric="MONOCHROME1", FrameTime=80)
    assert NOTE in found.notes
    assert np.array_equal(found.reader.read([4]), heart[[4]])
    right = cine((255 - heart).tobytes(), size=heart.shape[1:], frames=12, photometric="MONOCHROME1", FrameTime=80)
    assert NOTE not in right.notes
    assert np.array_equal(right.reader.read([4]), heart[[4]])
