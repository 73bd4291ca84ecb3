"""Golden pixels: photometric interpretation x transfer syntax x planar configuration, against known colours.

The pictures are encoded by Pillow, DCMTK, pyjpegls, FFmpeg or by hand, never by the code under test. Eight colours in
tiles of 16 x 16 pixels; two frames with the colours moved round, so that frames cannot be mixed up.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from echoplane.sources.dicom import open_dicom

IMPLICIT, EXPLICIT, DEFLATED, BIG = (
    *("1.2.840.10008.1.2", "1.2.840.10008.1.2.1"),
    *("1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"),
)
JPEG, RLE, JLS, JLS_NEAR, J2K_LOSSLESS, J2K = (
    *("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.80"),
    *("1.2.840.10008.1.2.4.81", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"),
)
#: Grey levels by which a colour may be off.
EXACT = 0
ROUNDED = 2  # Y Cb Cr are stored as whole numbers
LOSSY = 6  # JPEG at quality 95, JPEG 2000 at 1:3, video at its best
#: Grey is luma of the colours; both are rounded.
GREY = 1
SHIFTS = (0, 3)
DATA = Path(__file__).parent / "data"


@pytest.fixture
def check(picture):
    """Read a file with the two tile pictures and compare colour, grey, and their agreement inside of the tiles."""

    def inside(frames):
        keep = np.zeros(frames.shape[1:3], bool)
        for y in range(0, keep.shape[0], picture.tile):
            for x in range(0, keep.shape[1], picture.tile):
                keep[y + 3 : y + picture.tile - 3, x + 3 : x + picture.tile - 3] = True
        return frames[:, keep].astype(float)

    def run(path, tolerance, expected=None):
        cine = open_dicom(path)
        assert cine.n_frames == 2
        if expected is None:
            expected = np.stack([picture.tiles(s) for s in SHIFTS])
        wanted = expected[[1, 0, 1]]
        rgb = cine.reader.read([1, 0, 1], color=True)
        grey = cine.reader.read([1, 0, 1])
        assert rgb.shape == wanted.shape
        assert grey.shape == wanted.shape[:3]
        assert np.abs(inside(rgb) - inside(wanted)).max() <= tolerance
        assert np.abs(inside(grey) - inside(picture.luma(wanted))).max() <= tolerance + GREY
        # What is out of gamut is cut off in colour and kept in luma, so lossy colours may differ a little more.
        agreement = GREY if tolerance <= ROUNDED else LOSSY
        assert np.abs(inside(grey) - inside(picture.luma(rgb))).max() <= agreement
        return cine

    return run


def raw(frames, photometric, planar, picture):
    if photometric.startswith("YBR"):
        frames = [picture.ybr_full(f) for f in frames]
    if photometric == "YBR_FULL_422":
        packed = [np.stack([f[:, ::2, 0], f[:, 1::2, 0], f[:, ::2, 1], f[:, ::2, 2]], axis=-1) for f in frames]
        return b"".join(p.tobytes() for p in packed)
    if planar:
        frames = [np.moveaxis(f, -1, 0) for f in frames]
    return b"".join(np.ascontiguousarray(f).tobytes() for f in frames)


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, DEFLATED, BIG])
@pytest.mark.parametrize(
    ("photometric", "planar"), [("RGB", 0), ("RGB", 1), ("YBR_FULL", 0), ("YBR_FULL", 1), ("YBR_FULL_422", 0)]
)
def test_uncompressed(dicom, picture, check, syntax, photometric, planar):
    data = raw([picture.tiles(s) for s in SHIFTS], photometric, planar, picture)
    path = dicom(data, photometric=photometric, syntax=syntax, planar=planar, frames=2)
    check(path, EXACT if photometric == "RGB" else ROUNDED)


def test_uncompressed_limited_range(dicom, picture, check):
    """YBR_PARTIAL_422, by the formula of PS3.3-2013 C.7.6.3.1.2 in floating point."""
    data = b""
    for shift in SHIFTS:
        rgb = picture.tiles(shift).astype(float)
        y = rgb @ [0.2568, 0.5041, 0.0979] + 16
        cb, cr = rgb @ [-0.1482, -0.2910, 0.4392] + 128, rgb @ [0.4392, -0.3678, -0.0714] + 128
        packed = np.stack([y[:, ::2], y[:, 1::2], cb[:, ::2], cr[:, ::2]], axis=-1)
        data += np.rint(packed).astype(np.uint8).tobytes()
    check(dicom(data, photometric="YBR_PARTIAL_422", frames=2), ROUNDED + 1)


def test_big_endian_words_of_two_samples(dicom, picture, check):
    data = raw([picture.tiles(s) for s in SHIFTS], "RGB", 0, picture)
    swapped = np.frombuffer(data, "<u2").byteswap().tobytes()
    check(dicom(swapped, syntax=BIG, frames=2, vr="OW"), EXACT)


@pytest.mark.parametrize("syntax", [EXPLICIT, BIG])
@pytest.mark.parametrize("planar", [0, 1])
def test_sixteen_bit_rgb(dicom, picture, check, syntax, planar):
    frames = np.stack([picture.tiles(s) for s in SHIFTS]).astype(np.uint16) * 257
    frames = np.moveaxis(frames, -1, 1) if planar else frames
    data = frames.astype(">u2" if syntax == BIG else "<u2").tobytes()
    check(dicom(data, bits=(16, 16), planar=planar, syntax=syntax, frames=2), EXACT)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, DEFLATED, BIG, RLE, JPEG, JLS, J2K_LOSSLESS])
def test_grey(dicom, picture, check, photometric, syntax):
    jpeg_ls = pytest.importorskip("jpeg_ls")
    stored = [np.rint(picture.luma(picture.tiles(s))).astype(np.uint8) for s in SHIFTS]
    encode = {
        RLE: lambda f: picture.rle([f]),
        JPEG: picture.jpeg,
        JLS: lambda f: bytes(jpeg_ls.encode_array(f)),
        J2K_LOSSLESS: picture.j2k,
    }.get(syntax)
    pixels = [encode(f) for f in stored] if encode else b"".join(f.tobytes() for f in stored)
    path = dicom(pixels, photometric=photometric, syntax=syntax, frames=2)
    shown = np.stack(stored) if photometric == "MONOCHROME2" else 255 - np.stack(stored)
    check(path, LOSSY if syntax == JPEG else EXACT, np.repeat(shown[..., None], 3, axis=-1))


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("syntax", [EXPLICIT, BIG, RLE])
def test_palette(dicom, picture, check, depth, syntax):
    frames = [picture.tiles(s) for s in SHIFTS]
    colors = np.unique(np.concatenate([f.reshape(-1, 3) for f in frames]), axis=0)
    stored = [np.argmax((f[..., None, :] == colors).all(-1), axis=-1).astype(np.uint8) for f in frames]
    tables = {}
    for i, name in enumerate(("Red", "Green", "Blue")):
        entries = np.zeros(256, "u1" if depth == 8 else (">u2" if syntax == BIG else "<u2"))
        entries[: len(colors)] = colors[:, i].astype(int) * (1 if depth == 8 else 257)
        data = entries.tobytes()
        if depth == 8 and syntax == BIG:  # two entries a word
            data = np.frombuffer(data, "<u2").byteswap().tobytes()
        tables[f"{name}PaletteColorLookupTableData"] = data
        tables[f"{name}PaletteColorLookupTableDescriptor"] = [256, 0, depth]
    pixels = [picture.rle([f]) for f in stored] if syntax == RLE else b"".join(f.tobytes() for f in stored)
    check(dicom(pixels, photometric="PALETTE COLOR", syntax=syntax, frames=2, **tables), EXACT)


@pytest.mark.parametrize("syntax", [EXPLICIT, RLE])
def test_a_supplemental_palette_colours_the_higher_values(dicom, picture, check, syntax):
    """PS3.3 C.7.6.19: values below the first entry are grey, the others are looked up."""
    frames = [picture.tiles(s) for s in SHIFTS]
    colors = np.unique(np.concatenate([f[~(f == f[..., :1]).all(-1)] for f in frames]), axis=0)
    first = 256 - len(colors)
    tables, stored, shown = {}, [], []
    for i, name in enumerate(("Red", "Green", "Blue")):
        tables[f"{name}PaletteColorLookupTableData"] = (colors[:, i].astype("<u2") * 257).tobytes()
        tables[f"{name}PaletteColorLookupTableDescriptor"] = [len(colors), first, 16]
    for f in frames:
        is_color = (f[..., None, :] == colors).all(-1)
        grey = np.minimum(f[..., 0], first - 1)
        stored.append(np.where(is_color.any(-1), first + is_color.argmax(-1), grey).astype(np.uint8))
        shown.append(np.where(is_color.any(-1)[..., None], f, grey[..., None]))
    pixels = [picture.rle([f]) for f in stored] if syntax == RLE else b"".join(f.tobytes() for f in stored)
    options = {"photometric": "MONOCHROME2", "syntax": syntax, "frames": 2, "UltrasoundColorDataPresent": 0}
    cine = check(dicom(pixels, **options, **tables, PixelPresentation="COLOR"), EXACT, np.stack(shown))
    assert any("supplemental palette" in note for note in cine.notes)
    assert cine.facts["kind_from"] == "pixels"  # they move, as colour Doppler does
    # Without the word for it, or without tables that can be read, it is grey.
    levels = np.repeat(np.stack(stored)[..., None], 3, axis=-1)
    check(dicom(pixels, **options, **tables), EXACT, levels)
    cine = check(dicom(pixels, **options, PixelPresentation="COLOR"), EXACT, levels)
    assert any("shown in grey" in note for note in cine.notes)


@pytest.mark.parametrize(("photometric", "planar"), [("RGB", 0), ("RGB", 1), ("YBR_FULL", 0), ("YBR_FULL", 1)])
def test_rle(dicom, picture, check, photometric, planar):
    """RLE keeps planes apart whatever the planar configuration says."""
    frames = [picture.tiles(s) for s in SHIFTS]
    stored = [picture.ybr_full(f) if photometric == "YBR_FULL" else f for f in frames]
    pixels = [picture.rle(list(np.moveaxis(f, -1, 0))) for f in stored]
    path = dicom(pixels, photometric=photometric, syntax=RLE, planar=planar, frames=2)
    check(path, EXACT if photometric == "RGB" else ROUNDED)


def test_sixteen_bit_rle(dicom, picture, check):
    frames = [picture.tiles(s).astype(np.uint16) * 257 for s in SHIFTS]
    pixels = [picture.rle(list(np.moveaxis(f, -1, 0))) for f in frames]
    check(dicom(pixels, syntax=RLE, bits=(16, 16), frames=2), EXACT)


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("photometric", ["YBR_FULL_422", "YBR_FULL"])
@pytest.mark.parametrize("marker", ["JFIF", "none"])
def test_jpeg_of_ycbcr(dicom, picture, check, subsampling, photometric, marker):
    pixels = [picture.jpeg(picture.tiles(s), subsampling=subsampling) for s in SHIFTS]
    if marker == "none":
        pixels = [picture.without_markers(p, 0xE0) for p in pixels]
    cine = check(dicom(pixels, photometric=photometric, syntax=JPEG, frames=2), LOSSY)
    assert not any("JPEG" in note for note in cine.notes)


@pytest.mark.parametrize("marker", ["Adobe", "none"])
def test_jpeg_of_rgb(dicom, picture, check, marker):
    pixels = [picture.jpeg(picture.tiles(s), keep_rgb=True) for s in SHIFTS]
    if marker == "none":
        pixels = [picture.without_markers(p, 0xEE) for p in pixels]
    cine = check(dicom(pixels, photometric="RGB", syntax=JPEG, frames=2), LOSSY)
    assert any("does not say its colours" in note for note in cine.notes) == (marker == "none")


def test_jpeg_of_rgb_with_plain_component_names(dicom, picture, check):
    """Components named 1, 2, 3 and no marker: libjpeg would take them for Y Cb Cr, the header says R G B."""
    pixels = []
    for shift in SHIFTS:
        data = bytearray(picture.without_markers(picture.jpeg(picture.tiles(shift), keep_rgb=True), 0xEE))
        frame, scan = data.find(b"\xff\xc0"), data.find(b"\xff\xda")
        for i in range(3):
            data[frame + 10 + 3 * i] = data[scan + 5 + 2 * i] = i + 1
        pixels.append(bytes(data))
    cine = check(dicom(pixels, photometric="RGB", syntax=JPEG, frames=2), LOSSY)
    assert any("because the header says so" in note for note in cine.notes)


def test_jpeg_of_components_called_r_g_b_is_that_whatever_the_label_says(dicom, picture, check):
    """As libjpeg takes it, and so do pydicom, GDCM and DCMTK."""
    pixels = [picture.without_markers(picture.jpeg(picture.tiles(s), keep_rgb=True), 0xEE) for s in SHIFTS]
    cine = check(dicom(pixels, photometric="YBR_FULL_422", syntax=JPEG, frames=2), LOSSY)
    assert any("calls its components R, G, B" in note for note in cine.notes)
    # Half as large, grey is luma all the same, and not the first plane.
    small = cine.reader.read([0], reduce=2)[0]
    step = picture.tile // 2
    expected = picture.luma(picture.tiles())[picture.tile // 2 :: picture.tile, picture.tile // 2 :: picture.tile]
    assert np.abs(small[step // 2 :: step, step // 2 :: step] - expected).max() <= LOSSY


def test_jpeg_of_components_called_r_g_b_with_subsampled_chroma_is_as_the_label_says(dicom, picture, check):
    pixels = []
    for shift in SHIFTS:
        data = bytearray(picture.without_markers(picture.jpeg(picture.tiles(shift), subsampling=1), 0xE0))
        frame, scan = data.find(b"\xff\xc0"), data.find(b"\xff\xda")
        for i, name in enumerate(b"RGB"):
            data[frame + 10 + 3 * i] = data[scan + 5 + 2 * i] = name
        pixels.append(bytes(data))
    check(dicom(pixels, photometric="YBR_FULL_422", syntax=JPEG, frames=2), LOSSY)


def test_jpeg_whose_own_marker_contradicts_the_label(dicom, picture, check):
    pixels = [picture.jpeg(picture.tiles(s)) for s in SHIFTS]
    cine = check(dicom(pixels, photometric="RGB", syntax=JPEG, frames=2), LOSSY)
    assert any("the JPEG stream says Y Cb Cr" in note for note in cine.notes)
    pixels = [picture.jpeg(picture.tiles(s), keep_rgb=True) for s in SHIFTS]
    cine = check(dicom(pixels, photometric="YBR_FULL_422", syntax=JPEG, frames=2), LOSSY)
    assert any("the JPEG stream says R G B" in note for note in cine.notes)


@pytest.mark.parametrize("keep_rgb", [False, True])
def test_jpeg_without_marker_under_a_label_of_one_sample(dicom, picture, check, keep_rgb):
    """Three components called R, G, B are these; others are Y Cb Cr."""
    pixels = []
    for shift in SHIFTS:
        data = picture.without_markers(picture.jpeg(picture.tiles(shift), keep_rgb=keep_rgb), 0xE0, 0xEE)
        pixels.append(data)
    cine = check(dicom(pixels, photometric="MONOCHROME2", syntax=JPEG, frames=2), LOSSY)
    assert any("the frames have 3 components; read as RGB" in note for note in cine.notes)


def test_subsampled_chroma_is_no_rgb(dicom, picture, check):
    pixels = [picture.without_markers(picture.jpeg(picture.tiles(s), subsampling=1), 0xE0) for s in SHIFTS]
    cine = check(dicom(pixels, photometric="RGB", syntax=JPEG, frames=2), LOSSY)
    assert any("subsampled chroma" in note for note in cine.notes)


@pytest.mark.parametrize("interleave", [0, 1, 2])
@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL"])
@pytest.mark.parametrize("error", [0, 2])
def test_jpeg_ls(dicom, picture, check, interleave, photometric, error):
    jpeg_ls = pytest.importorskip("jpeg_ls")
    pixels = []
    for shift in SHIFTS:
        frame = picture.tiles(shift)
        frame = picture.ybr_full(frame) if photometric == "YBR_FULL" else frame
        source = np.ascontiguousarray(np.moveaxis(frame, -1, 0)) if interleave == 0 else frame
        pixels.append(
            bytes(
                jpeg_ls.encode_buffer(
                    source.tobytes(),
                    rows=frame.shape[0],
                    columns=frame.shape[1],
                    samples_per_pixel=3,
                    bits_stored=8,
                    lossy_error=error,
                    interleave_mode=interleave,
                )
            )
        )
    path = dicom(pixels, photometric=photometric, syntax=JLS_NEAR if error else JLS, frames=2)
    check(path, (ROUNDED if photometric == "YBR_FULL" else EXACT) + 2 * error)


@pytest.mark.parametrize(
    ("photometric", "options", "tolerance"),
    [
        ("RGB", {}, EXACT),
        ("YBR_RCT", {"mct": 1}, EXACT),
        ("YBR_ICT", {"mct": 1, "irreversible": True, "quality_mode": "rates", "quality_layers": [3]}, LOSSY),
        ("YBR_FULL", {}, ROUNDED),
        ("YBR_RCT", {"mct": 1, "no_jp2": False}, EXACT),
    ],
    ids=["rgb", "rct", "ict", "ybr-full", "behind-jp2-boxes"],
)
def test_jpeg_2000(dicom, picture, check, photometric, options, tolerance):
    frames = [picture.tiles(s) for s in SHIFTS]
    stored = [picture.ybr_full(f) if photometric == "YBR_FULL" else f for f in frames]
    pixels = [picture.j2k(f, **options) for f in stored]
    syntax = J2K if options.get("irreversible") else J2K_LOSSLESS
    check(dicom(pixels, photometric=photometric, syntax=syntax, frames=2), tolerance)


@pytest.mark.parametrize(
    ("name", "photometric", "syntax", "tolerance"),
    [("rgb", "YBR_RCT", "201", EXACT), ("rgb", "YBR_RCT", "202", EXACT), ("lossy", "YBR_ICT", "203", ROUNDED)],
)
def test_high_throughput_jpeg_2000(dicom, check, name, photometric, syntax, tolerance):
    """Streams coded by OpenJPH 0.9 (ojph_compress) from the tile pictures, with the colour transform."""
    pixels = [(DATA / f"htj2k_{name}_{s}.j2c").read_bytes() for s in SHIFTS]
    check(dicom(pixels, photometric=photometric, syntax=f"1.2.840.10008.1.2.4.{syntax}", frames=2), tolerance)


@pytest.mark.parametrize(
    ("codec", "container", "syntax"),
    [
        ("mpeg2video", "mpeg", "1.2.840.10008.1.2.4.100"),
        ("mpeg2video", "mpeg2video", "1.2.840.10008.1.2.4.101"),
        ("h264", "mp4", "1.2.840.10008.1.2.4.102"),
        ("h264", "mpegts", "1.2.840.10008.1.2.4.103.1"),
        ("h264", "h264", "1.2.840.10008.1.2.4.104"),
        ("hevc", "mpegts", "1.2.840.10008.1.2.4.107"),
    ],
)
def test_video(dicom, picture, check, codec, container, syntax):
    options = {
        "mpeg2video": {"qmin": "1", "qmax": "1"},
        "h264": {"crf": "1"},
        "hevc": {"x265-params": "crf=1:log-level=0"},
    }
    # Encoders want pictures of a certain size; 4 x 4 copies of the tiles have it.
    frames = np.stack([np.tile(picture.tiles(s), (4, 4, 1)) for s in SHIFTS])
    data = picture.video(frames, codec, container, **options[codec])
    path = dicom([data], photometric="YBR_PARTIAL_420", syntax=syntax, frames=2, size=frames.shape[1:3], pieces=3)
    check(path, LOSSY, frames)


def dcmtk(*command):
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} (DCMTK) is not installed")
    subprocess.run([str(word) for word in command], check=True, capture_output=True)


BY_DCMTK = [
    (["dcmcrle"], "RGB", EXACT),
    (["dcmcrle"], "YBR_FULL", ROUNDED),
    (["dcmcjpls"], "RGB", EXACT),
    (["dcmcjpls", "--interleave-none"], "RGB", EXACT),
    (["dcmcjpls", "--interleave-sample"], "RGB", EXACT),
    (["dcmcjpeg", "+eb"], "RGB", LOSSY),
    (["dcmcjpeg", "+eb", "+s4"], "RGB", LOSSY),
    (["dcmcjpeg", "+eb", "+cr"], "RGB", LOSSY),
    (["dcmcjpeg", "+eb", "-ot"], "RGB", LOSSY),
    (["dcmcjpeg", "+ee"], "RGB", LOSSY),
    (["dcmcjpeg", "+ep"], "RGB", LOSSY),
    (["dcmcjpeg", "+e1"], "RGB", EXACT),
    (["dcmcjpeg", "+e1"], "YBR_FULL", ROUNDED),
    *((["dcmcjpeg", "+el", "+sv", str(n)], "RGB", EXACT) for n in range(1, 8)),
    (["dcmconv", "+ti"], "RGB", EXACT),
    (["dcmconv", "+tb"], "RGB", EXACT),
    (["dcmconv", "+td"], "RGB", EXACT),
    (["dcmconv", "-F"], "RGB", EXACT),
]


@pytest.mark.parametrize(
    ("command", "photometric", "tolerance", "planar"),
    [
        pytest.param(*case, planar, id=f"{'-'.join(case[0]).replace('+', '')}-{case[1]}-planar{planar}")
        for case in BY_DCMTK
        for planar in (0, 1)
        # DCMTK 3.6.7 codes the planes as if they were pixels here; its own decoder gives the same mixed colours.
        if not (planar and case[0][1:2] in (["+e1"], ["+el"]))
    ],
)
def test_written_by_dcmtk(dicom, picture, check, tmp_path, command, photometric, tolerance, planar):
    data = raw([picture.tiles(s) for s in SHIFTS], photometric, planar, picture)
    path = dicom(data, photometric=photometric, planar=planar, frames=2)
    out = tmp_path / "out.dcm"
    dcmtk(*command, path, out)
    check(out, tolerance)


@pytest.mark.parametrize(
    ("command", "stored", "sign"),
    [
        *(
            (command, *depth)
            for command in (["+e1"], ["+el", "+sv", "4"])
            for depth in ((10, 0), (12, 0), (16, 0), (12, 1))
        ),
        *((command, 12, 0) for command in (["+ee"], ["+ee", "+bt"])),
    ],
)
def test_deep_grey_written_by_dcmtk(dicom, picture, check, tmp_path, command, stored, sign):
    """Lossless keeps every bit; 12-bit lossy is within the tolerance once a window brings it to 8 bits."""
    top = (1 << stored) - 1
    luma = np.stack([picture.luma(picture.tiles(s)) for s in SHIFTS])
    values = np.rint(luma / 255 * top).astype(np.int32) - (sign << (stored - 1))
    data = (values & 0xFFFF).astype("<u2").tobytes()
    low = -(sign << (stored - 1))
    window = {"WindowCenter": low + (top + 1) / 2, "WindowWidth": top + 1, "PixelRepresentation": sign}
    path = dicom(data, photometric="MONOCHROME2", bits=(16, stored), frames=2, **window)
    out = tmp_path / "out.dcm"
    dcmtk("dcmcjpeg", *command, path, out)
    check(out, LOSSY if "+ee" in command else GREY, np.repeat(np.rint(luma)[..., None], 3, axis=-1))


@pytest.mark.parametrize("syntax", [JLS, J2K_LOSSLESS])
@pytest.mark.parametrize(
    ("coded", "header", "shift", "note"),
    [
        (16, (16, 12, 15), 4, ""),  # the unused bits are below
        (16, (16, 12, 11), 0, ""),  # or above
        (16, (16, 12, 13), 2, ""),
        (12, (16, 12, 15), 0, ""),  # the codec has left them out
        (12, (8, 8, 7), 0, "The header says samples take 8 bits; the frames have 12."),
    ],
)
def test_streams_deeper_than_what_is_used_of_them(dicom, picture, check, syntax, coded, header, shift, note):
    jpeg_ls, openjpeg = pytest.importorskip("jpeg_ls"), pytest.importorskip("openjpeg")
    luma = np.stack([picture.luma(picture.tiles(s)) for s in SHIFTS])
    pixels = []
    for frame in np.rint(luma / 255 * 4095).astype("<u2") << shift:
        size = {"rows": frame.shape[0], "columns": frame.shape[1], "samples_per_pixel": 1, "bits_stored": coded}
        if syntax == JLS:
            pixels.append(bytes(jpeg_ls.encode_buffer(frame.tobytes(), **size, lossy_error=0, interleave_mode=0)))
        else:
            more = {"bits_allocated": 16, "pixel_representation": 0, "photometric_interpretation": "MONOCHROME2"}
            pixels.append(bytes(openjpeg.encode_pixel_data(frame.tobytes(), **size, **more)))
    elements = {"HighBit": header[2], "WindowCenter": 2048, "WindowWidth": 4096}
    path = dicom(pixels, photometric="MONOCHROME2", syntax=syntax, bits=header[:2], frames=2, **elements)
    cine = check(path, GREY, np.repeat(np.rint(luma)[..., None], 3, axis=-1))
    assert (note in cine.notes) == bool(note)
