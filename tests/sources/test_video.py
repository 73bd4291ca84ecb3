"""Videos of many containers and codecs, each frame carrying its own number as a row of black and white blocks."""

from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from echoplane.errors import (
    EchoplaneError,
    NoFramesError,
    ReadError,
    RefusedError,
    UnreadableError,
    UsageError,
)
from echoplane.records import CineKind
from echoplane.sources import video
from echoplane.sources.limits import Limits
from echoplane.sources.video import open_video

HEIGHT, WIDTH = 96, 128
BITS = 8

# Grey from the first plane against luma of the library's own R, G, B: two roundings, no saturated colour involved.
LUMA_TOLERANCE = 1
# The same where chroma subsampling smears colour edges and R, G, B are clipped: only the mean must agree.
COLOR_LUMA_TOLERANCE = 2.0


def numbered(number, color=False):
    """A grey ramp with the frame number in 8 blocks along the top."""
    frame = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    frame[:] = np.linspace(0, 255, WIDTH, dtype=np.uint8)[None, :, None]
    for bit in range(BITS):
        frame[:24, bit * 16 : bit * 16 + 16] = 255 if number >> bit & 1 else 0
    if color:
        frame[40:72, 32:96] = (200, 60, 40)
    return frame


def number_of(grey):
    blocks = grey[4:20].reshape(16, BITS, 16)[:, :, 4:12].mean(axis=(0, 2))
    return int(sum(1 << bit for bit in range(BITS) if blocks[bit] > 127))


def write(path, codec, *, n=30, rate=25, pix_fmt="yuv420p", options=None, times=None, color=False, setup=None):
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options or {})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pix_fmt
        if setup:
            setup(stream)
        if times:
            stream.codec_context.time_base = Fraction(1, 1000)
        for i in range(n):
            frame = av.VideoFrame.from_ndarray(numbered(i, color), format="rgb24").reformat(
                format=pix_fmt, dst_colorspace=stream.codec_context.colorspace
            )
            if times:
                frame.pts, frame.time_base = times[i], Fraction(1, 1000)
            else:
                frame.pts = i
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


X264 = {"crf": "10", "g": "12", "bf": "3", "b_strategy": "0"}

CASES = {
    "mp4, H.264, B-frames": ("a.mp4", "mp4", "libx264", {"options": X264}),
    "mp4, H.264, open groups": ("a.mp4", "mp4", "libx264", {"options": {**X264, "x264-params": "open-gop=1"}}),
    "mov, MPEG-4": ("a.mov", "mp4", "mpeg4", {"options": {"q": "2", "g": "10"}}),
    "mp4, HEVC": ("a.mp4", "mp4", "libx265", {"options": {"x265-params": "log-level=none:keyint=10", "crf": "10"}}),
    "avi, motion JPEG": ("a.avi", "avi", "mjpeg", {"pix_fmt": "yuvj420p"}),
    "avi, MPEG-4, B-frames": ("a.avi", "avi", "mpeg4", {"options": {"bf": "2", "g": "10"}}),
    "avi, raw BGR": ("a.avi", "avi", "rawvideo", {"pix_fmt": "bgr24"}),
    "avi, raw grey, a palette to FFmpeg": ("a.avi", "avi", "rawvideo", {"pix_fmt": "gray"}),
    "mov, raw grey, a palette to FFmpeg": ("a.mov", "mp4", "rawvideo", {"pix_fmt": "gray"}),
    "avi, H.264, B-frames": ("a.avi", "avi", "libx264", {"options": X264}),
    "mpeg-ps, MPEG-1": ("a.mpg", "mpeg", "mpeg1video", {"options": {"g": "10", "bf": "2", "q": "2"}}),
    "mkv, FFV1, grey": ("a.mkv", "mkv", "ffv1", {"pix_fmt": "gray"}),
    "mkv, H.264, 10 bit": ("a.mkv", "mkv", "libx264", {"pix_fmt": "yuv420p10le", "options": X264}),
    "webm, VP9": ("a.webm", "mkv", "libvpx-vp9", {"options": {"g": "10", "crf": "10", "b": "0"}}),
    "wmv": ("a.wmv", "wmv", "wmv2", {"options": {"g": "10"}}),
    "mpeg-ts, H.264": ("a.ts", "mpegts", "libx264", {"options": X264}),
    "mpeg-ps, MPEG-2": ("a.mpg", "mpeg", "mpeg2video", {"options": {"g": "10", "bf": "2"}}),
    "bare H.264": ("a.h264", "h264", "libx264", {"options": X264}),
    "bare MPEG-2": ("a.m2v", "mpegvideo", "mpeg2video", {"options": {"g": "10"}}),
    "mp4, AV1": ("a.mp4", "mp4", "libsvtav1", {"options": {"g": "12", "crf": "10"}}),
    "gif": ("a.gif", "gif", "gif", {"pix_fmt": "rgb8"}),
    "mp4, planar RGB": ("a.mp4", "mp4", "libx264rgb", {"pix_fmt": "rgb24", "options": X264}),
}


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    made = {}

    def get(case):
        if case not in made:
            name, container, codec, how = CASES[case]
            made[case] = (write(tmp_path_factory.mktemp("v") / name, codec, **how), container)
        return made[case]

    return get


def test_frames_cut_away_by_an_edit_list_are_not_missed(tmp_path):
    whole = write(tmp_path / "whole.mp4", "libx264", options={**X264, "bf": "0", "g": "30"})
    with av.open(str(whole)) as source, av.open(str(tmp_path / "a.mp4"), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                shift = 10 * packet.duration
                packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, stream
                target.mux(packet)
    cine = open_video(tmp_path / "a.mp4", "mp4")
    assert [number_of(frame) for frame in cine.reader.read(range(cine.n_frames))] == list(range(10, 30))
    assert cine.notes == ()


@pytest.mark.parametrize("codec", ["mpeg1video", "mpeg2video"])
def test_decoders_that_always_expect_b_frames_are_believed_where_there_are_none(tmp_path, codec):
    path = write(tmp_path / "a.mkv", codec, options={"bf": "0", "g": "10", "q": "2"})
    cine = open_video(path, "mkv")
    assert cine.facts["access"] == "by key frame"
    assert [number_of(frame) for frame in cine.reader.read([4, 8, 16, 23])] == [4, 8, 16, 23]


@pytest.mark.parametrize("container", ["mp4", "mkv"])
@pytest.mark.parametrize("codec", ["libx264", "mpeg4", "mpeg2video"])
def test_time_stamps_in_the_order_of_storage_are_not_believed(tmp_path, container, codec):
    """As of an AVI with B-frames that was packed into another container: nothing says when its frames are shown."""
    options = X264 if codec == "libx264" else {"bf": "2", "g": "10", "q": "2"}
    whole = write(tmp_path / "whole.mp4", codec, options=options)
    with av.open(str(whole)) as source, av.open(str(tmp_path / f"a.{container}"), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(packet for packet in source.demux(video=0) if packet.size):
            packet.pts = packet.dts = number
            packet.time_base, packet.stream = Fraction(1, 25), stream
            target.mux(packet)
    cine = open_video(tmp_path / f"a.{container}", container)
    assert [number_of(frame) for frame in cine.reader.read(range(30))] == list(range(30))
    assert [number_of(frame) for frame in cine.reader.read([4, 8, 16, 23])] == [4, 8, 16, 23]


@pytest.mark.parametrize("case", CASES)
def test_any_frame_in_any_order_is_the_right_one(videos, case):
    path, container = videos(case)
    cine = open_video(path, container)
    assert (cine.n_frames, cine.height, cine.width) == (30, HEIGHT, WIDTH)
    assert cine.kind is CineKind.B_MODE
    assert cine.fps == pytest.approx(25, rel=0.02)
    for asked in ([0], [29], [17, 3, 17, 29, 0], [11, 12, 13], list(range(30)), []):
        got = cine.reader.read(asked)
        assert got.dtype == np.uint8
        assert got.shape == (len(asked), HEIGHT, WIDTH)
        assert [number_of(g) for g in got] == asked
        color = cine.reader.read(asked, color=True)
        assert color.shape == (len(asked), HEIGHT, WIDTH, 3)
        luma = color @ np.array([0.299, 0.587, 0.114])
        if asked:
            assert np.abs(got - luma).max() <= LUMA_TOLERANCE + 1


def test_grey_spans_black_to_white_whatever_the_range(videos):
    for case in (
        "mp4, H.264, B-frames",
        "avi, motion JPEG",
        "mkv, FFV1, grey",
        "avi, raw BGR",
        "avi, raw grey, a palette to FFmpeg",
        "mkv, H.264, 10 bit",
    ):
        path, container = videos(case)
        grey = open_video(path, container).reader.read([0])[0]
        assert grey[40:].min() <= 3, case
        assert grey[40:].max() >= 252, case
        expected = np.linspace(0, 255, WIDTH)
        assert np.abs(grey[60].astype(float) - expected).max() <= 6, case


@pytest.mark.parametrize("space", [1, 5])
@pytest.mark.parametrize("limited", [True, False])
def test_grey_is_bt601_luma_of_the_colours_for_each_matrix_and_range(tmp_path, space, limited):
    """A saturated patch: BT.709 luma of (200, 60, 40) is 88, BT.601 luma is 100."""

    def setup(stream):
        stream.codec_context.colorspace = space
        stream.codec_context.color_range = 1 if limited else 2

    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv444p"
        setup(stream)
        frame = av.VideoFrame.from_ndarray(numbered(5, color=True), format="rgb24").reformat(
            format="yuv444p", dst_colorspace=space, dst_color_range=1 if limited else 2
        )
        frame.pts = 0
        for packet in [*stream.encode(frame), *stream.encode()]:
            container.mux(packet)
    cine = open_video(path, "mkv")
    grey, color = cine.reader.read([0])[0], cine.reader.read([0], color=True)[0]
    assert np.abs(color.astype(int) - numbered(5, color=True)).max() <= 3
    assert np.abs(grey[45:70, 40:90].mean() - (0.299 * 200 + 0.587 * 60 + 0.114 * 40)) <= COLOR_LUMA_TOLERANCE


@pytest.mark.parametrize("said", [0, 1, 2])
def test_pixels_of_grey_alone_are_full_range_whatever_is_said(tmp_path, said):
    """FFmpeg's encoders of H.265 and AV1 say "limited" of the full range that FFmpeg writes into them."""
    path, grey = tmp_path / "a.mkv", np.ascontiguousarray(numbered(5)[..., 0])
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "gray"
        stream.codec_context.color_range = said
        frame = av.VideoFrame.from_ndarray(grey, format="gray")
        frame.pts = 0
        for packet in [*stream.encode(frame), *stream.encode()]:
            container.mux(packet)
    cine = open_video(path, "mkv")
    np.testing.assert_array_equal(cine.reader.read([0])[0], grey)
    np.testing.assert_array_equal(cine.reader.read([0], color=True)[0, ..., 1], grey)
    assert cine.facts["pixels"] == "gray, full range"


def test_uneven_frame_times_are_said_and_averaged(tmp_path):
    times = [0, 20, 40, 60, 80, 200, 220, 240, 260, 400]
    path = write(tmp_path / "a.mkv", "libx264", n=10, times=times, options={"crf": "10", "bf": "0"})
    cine = open_video(path, "mkv")
    assert cine.n_frames == 10
    assert cine.fps == pytest.approx(9 / 0.4)
    assert cine.fps_source == "time stamps"
    assert any("not evenly spaced" in note for note in cine.notes)
    assert [number_of(g) for g in cine.reader.read([9, 0, 5])] == [9, 0, 5]


def test_a_live_recording_without_count_or_duration(tmp_path):
    """Matroska written to a pipe has neither duration nor index."""
    path = tmp_path / "a.mkv"
    with path.open("wb") as file:

        class Pipe:
            def write(self, data):
                return file.write(data)

        with av.open(Pipe(), "w", format="matroska", options={"live": "1"}) as container:
            stream = container.add_stream("libx264", rate=25, options=X264)
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            for i in range(30):
                frame = av.VideoFrame.from_ndarray(numbered(i), format="rgb24").reformat(format="yuv420p")
                frame.pts = i
                for packet in stream.encode(frame):
                    container.mux(packet)
            for packet in stream.encode():
                container.mux(packet)
    with av.open(str(path)) as container:
        assert container.duration is None
    cine = open_video(path, "mkv")
    assert cine.n_frames == 30
    assert [number_of(g) for g in cine.reader.read([29, 1, 14])] == [29, 1, 14]


def test_a_clip_cut_out_of_a_film_ends_where_it_says(tmp_path):
    """Its times go on from where it was cut, and Matroska's length is that of the film up to its end."""
    path = write(tmp_path / "a.mkv", "libx264", times=[2000 + 40 * i for i in range(30)])
    with av.open(str(path)) as container:
        assert container.duration == 3_200_000
    cine = open_video(path, "mkv")
    assert (cine.n_frames, cine.fps, cine.notes) == (30, pytest.approx(25), ())


def test_one_frame_is_a_still(tmp_path):
    assert open_video(write(tmp_path / "a.mp4", "libx264", n=1), "mp4").kind is CineKind.STILL


def test_a_video_in_memory(videos):
    path, container = videos("mp4, H.264, B-frames")
    cine = open_video(path.read_bytes(), container, source="study/clip")
    assert cine.source == "study/clip"
    assert [number_of(g) for g in cine.reader.read([20, 2])] == [20, 2]


TURNED = {
    "a quarter clockwise": ((0, 1, -1, 0), lambda picture: np.rot90(picture, 3)),
    "half": ((-1, 0, 0, -1), lambda picture: np.rot90(picture, 2)),
    "a quarter": ((0, -1, 1, 0), np.rot90),
    "mirrored": ((-1, 0, 0, 1), np.fliplr),
    "upside down": ((1, 0, 0, -1), np.flipud),
    "rows are columns": ((0, 1, 1, 0), np.transpose),
    "rows are columns, turned": ((0, -1, -1, 0), lambda picture: np.rot90(picture.T, 2)),
}


@pytest.mark.parametrize(("matrix", "turned_by"), TURNED.values(), ids=TURNED)
def test_a_turned_video_comes_out_upright(tmp_path, matrix, turned_by):
    """Telephones store the picture lying and a matrix that turns it (ISO 14496-12, 8.3.2: a b u, c d v, x y w)."""
    path = write(tmp_path / "a.mp4", "libx264", n=3, options={"crf": "5"})
    plain = open_video(path, "mp4").reader.read([1])[0]
    a, b, c, d = (value << 16 for value in matrix)
    content = path.read_bytes()
    identity = b"".join(v.to_bytes(4, "big", signed=True) for v in (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30))
    turned = b"".join(v.to_bytes(4, "big", signed=True) for v in (a, b, 0, c, d, 0, 0, 0, 1 << 30))
    at = content.index(identity, content.index(b"tkhd"))
    path.write_bytes(content[:at] + turned + content[at + 36 :])
    cine = open_video(path, "mp4")
    upright = cine.reader.read([1])[0]
    assert upright.shape == (cine.height, cine.width)
    assert np.array_equal(upright, turned_by(plain))
    assert cine.reader.read([1], color=True).shape == (1, cine.height, cine.width, 3)


class TestDamage:
    def test_a_cut_mp4_with_the_index_in_front_gives_the_frames_that_are_left(self, tmp_path):
        path = tmp_path / "a.mp4"
        with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
            stream = container.add_stream("libx264", rate=25, options={"crf": "1", "g": "5", "bf": "0"})
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            for i in range(30):
                frame = av.VideoFrame.from_ndarray(numbered(i), format="rgb24").reformat(format="yuv420p")
                frame.pts = i
                for packet in stream.encode(frame):
                    container.mux(packet)
            for packet in stream.encode():
                container.mux(packet)
        content = path.read_bytes()
        path.write_bytes(content[: len(content) * 6 // 10])
        cine = open_video(path, "mp4")
        assert 3 <= cine.n_frames < 30
        assert any("The header says 30 frames" in note for note in cine.notes)
        read = cine.reader.read(range(cine.n_frames - 1))
        assert [number_of(g) for g in read] == list(range(cine.n_frames - 1))

    def test_a_cut_mp4_with_the_index_at_the_end_is_unreadable(self, videos, tmp_path):
        content = videos("mp4, H.264, B-frames")[0].read_bytes()
        path = tmp_path / "a.mp4"
        path.write_bytes(content[: len(content) // 2])
        with pytest.raises(
            UnreadableError, match=r"a\.mp4.*its index, which may stand at the end, is missing.*cut short"
        ):
            open_video(path, "mp4")

    def test_a_cut_gif_says_that_it_does_not_end_as_one(self, videos):
        path, container = videos("gif")
        content = path.read_bytes()
        note = "does not end as a GIF"
        assert not any(note in said for said in open_video(path, container).notes)
        assert not any(note in said for said in open_video(content + bytes(9), container).notes)
        cut = open_video(content[: len(content) // 2], container)
        assert 1 < cut.n_frames < 30
        assert any(note in said for said in cut.notes)

    def test_a_cut_uncompressed_avi_gives_its_whole_frames(self, videos):
        path, container = videos("avi, raw BGR")
        content = path.read_bytes()
        cut = open_video(content[: len(content) // 2], container)
        assert 10 < cut.n_frames < 20
        assert [number_of(g) for g in cut.reader.read(range(cut.n_frames))] == list(range(cut.n_frames))
        assert any("1 frame did not decode cleanly" in note for note in cut.notes)

    @pytest.mark.parametrize("case", ["avi, motion JPEG", "mkv, H.264, 10 bit", "wmv", "mpeg-ts, H.264", "gif"])
    @pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.7, 0.99])
    def test_cut_anywhere_it_reads_or_says_why(self, videos, tmp_path, case, share):
        path, container = videos(case)
        content = path.read_bytes()
        cut = tmp_path / path.name
        cut.write_bytes(content[: int(len(content) * share)])
        try:
            cine = open_video(cut, container)
            read = cine.reader.read(range(cine.n_frames))
        except ReadError as error:
            problem = error
        else:
            assert len(read) == cine.n_frames
            return
        assert problem.path == str(cut)

    @pytest.mark.parametrize("case", ["mp4, H.264, B-frames", "avi, motion JPEG", "mkv, FFV1, grey", "gif", "wmv"])
    def test_flipped_bytes_never_leave_as_a_foreign_exception(self, videos, tmp_path, case):
        path, container = videos(case)
        content = bytearray(path.read_bytes())
        rng = np.random.default_rng(7)
        for trial in range(15):
            mutant = bytearray(content)
            for at in rng.integers(0, len(mutant), 1 + trial):
                mutant[at] = rng.integers(256)
            try:
                cine = open_video(bytes(mutant), container)
                cine.reader.read(range(0, min(cine.n_frames, 40), 7))
            except EchoplaneError:
                pass

    def test_a_damaged_frame_is_read_around_or_named(self, videos):
        path, container = videos("mkv, FFV1, grey")
        content = bytearray(path.read_bytes())
        middle = len(content) // 2
        content[middle : middle + 200] = bytes(200)
        cine = open_video(bytes(content), container)
        assert [number_of(g) for g in cine.reader.read([0, 5])] == [0, 5]

    def test_a_cut_matroska_says_that_it_ends_early(self, videos, tmp_path):
        path, container = videos("mkv, FFV1, grey")
        content = path.read_bytes()
        cine = open_video(content[: len(content) // 2], container)
        assert cine.n_frames < 20
        assert any("cut short" in note or "damaged" in note for note in cine.notes)

    def test_no_video_in_it(self, tmp_path):
        path = tmp_path / "a.mkv"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
            sound.sample_rate = 8000
            for packet in [*stream.encode(sound), *stream.encode()]:
                container.mux(packet)
        with pytest.raises(NoFramesError, match="no video stream"):
            open_video(path, "mkv")

    def test_no_such_file(self, tmp_path):
        with pytest.raises(UnreadableError, match="no such file"):
            open_video(tmp_path / "a.mp4", "mp4")


def test_limits_are_kept_and_can_be_raised(videos):
    path, container = videos("mp4, H.264, B-frames")
    with pytest.raises(RefusedError, match="raise max_pixels"):
        open_video(path, container, limits=Limits(max_pixels=HEIGHT * WIDTH - 1))
    with pytest.raises(RefusedError, match="raise max_frames"):
        open_video(path, container, limits=Limits(max_frames=29))
    assert open_video(path, container, limits=Limits(max_pixels=HEIGHT * WIDTH, max_frames=30)).n_frames == 30


def test_frames_that_are_not_there(videos):
    path, container = videos("avi, motion JPEG")
    with pytest.raises(UsageError, match="frames 0 to 29"):
        open_video(path, container).reader.read([30])


def test_transparent_pixels_of_a_gif_are_black(tmp_path):
    alpha = np.pad(np.full((20, 30), 255, np.uint8), ((10, 10), (15, 15)))
    pages = [Image.fromarray(np.dstack([np.full((40, 60, 3), 100 + 9 * n, np.uint8), alpha])) for n in range(5)]
    pages[0].save(tmp_path / "clear.gif", save_all=True, append_images=pages[1:], duration=40, disposal=2)
    cine = open_video(tmp_path / "clear.gif", "gif")
    frames = cine.reader.read(range(5))
    assert not frames[:, alpha == 0].any()
    assert np.abs(frames[:, 20, 30].astype(int) - [100, 109, 118, 127, 136]).max() <= 4
    assert cine.notes == ("Has transparent pixels: they are taken as lying on black.",)


@pytest.mark.parametrize(
    ("codec", "kind", "options", "fps"),
    [
        ("libx264", "h264", {}, 60.0),
        ("libx265", "hevc", {"x265-params": "vui-timing-info=1:log-level=none"}, 60.0),
        ("libx265", "hevc", {"x265-params": "vui-timing-info=0:log-level=none"}, None),
    ],
)
def test_a_bare_stream_says_its_rate_or_none(tmp_path, codec, kind, options, fps):
    with av.open(str(tmp_path / "bare"), "w", format=kind) as container:
        stream = container.add_stream(codec, rate=60, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for n in range(12):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 10 * n, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    cine = open_video(tmp_path / "bare", kind)
    assert (cine.n_frames, cine.fps, cine.fps_source) == (12, fps, "stream" if fps else "")


@pytest.mark.parametrize(("milliseconds", "fps"), [(10, None), (20, 50.0), (40, 25.0)])
def test_a_gif_as_fast_as_possible_says_no_frame_rate(tmp_path, milliseconds, fps):
    pages = [Image.fromarray(np.full((40, 50), 20 * i, np.uint8)) for i in range(6)]
    pages[0].save(tmp_path / "a.gif", save_all=True, append_images=pages[1:], duration=milliseconds)
    cine = open_video(tmp_path / "a.gif", "gif")
    assert cine.fps == fps
    assert any("no rate" in note for note in cine.notes) == (fps is None)


@pytest.mark.parametrize("case", CASES)
def test_some_frames_are_those_of_the_whole_to_the_last_bit(videos, case):
    """What no frame leans on is not decoded where nobody asks for it; that must not show."""
    cine = open_video(*videos(case))
    whole = cine.reader.read(range(cine.n_frames))
    rng = np.random.default_rng(0)
    for count in (1, 2, 5, 12):
        some = np.sort(rng.choice(cine.n_frames, count, replace=False))
        assert np.array_equal(cine.reader.read(some), whole[some])


@pytest.mark.parametrize("case", ["mp4, AV1", "mp4, HEVC", "webm, VP9", "mp4, H.264, open groups", "mpeg-ts, H.264"])
def test_some_frames_are_found_by_their_key_frame_at_the_first_try(videos, monkeypatch, case):
    cine = open_video(*videos(case))
    monkeypatch.setattr(cine.reader, "_by_count", None)
    for number in range(cine.n_frames):
        assert number_of(cine.reader.read([number])[0]) == number


@pytest.mark.parametrize("case", ["mp4, H.264, B-frames", "mpeg-ts, H.264", "mkv, H.264, 10 bit"])
def test_frames_that_nothing_leans_on_are_not_decoded_for_others(videos, monkeypatch, case):
    cine = open_video(*videos(case))
    shown, taken = [], video.decoded

    def noted(*arguments, **named):
        for frame in taken(*arguments, **named):
            shown.append(frame.pts)
            yield frame

    monkeypatch.setattr(video, "decoded", noted)
    cine.reader.read([11])  # the last one of its group
    assert len(set(shown)) <= 8


@pytest.mark.parametrize("case", ["gif", "mp4, H.264, B-frames", "mpeg-ts, H.264", "avi, motion JPEG"])
@pytest.mark.parametrize("color", [False, True])
def test_parts_are_all_frames_in_order_each_decoded_once(videos, monkeypatch, case, color):
    path, container = videos(case)
    cine = open_video(path, container)
    whole = cine.reader.read(range(cine.n_frames), color=color)
    count, taken = 0, video.decoded

    def counted(*arguments, **named):
        nonlocal count
        for frame in taken(*arguments, **named):
            count += 1
            yield frame

    monkeypatch.setattr(video, "decoded", counted)
    parts = list(cine.reader.parts(7, color=color))
    assert [len(part) for part in parts] == [7, 7, 7, 7, 2]
    assert np.array_equal(np.concatenate(parts), whole)
    if "from the start" in cine.facts["access"]:
        assert count == cine.n_frames
