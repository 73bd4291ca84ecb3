from __future__ import annotations

import contextlib
import io
import os
import pickle
import pickletools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from echoplane.data.legacy import load_clip, load_pickled
from echoplane.errors import ReadError, RefusedError, UnreadableError

CLIP = np.random.default_rng(0).integers(0, 256, (10, 12, 14), np.uint8)


def write(tmp_path, value, protocol=4):
    path = tmp_path / "clip.pickle"
    path.write_bytes(pickle.dumps(value, protocol))
    return path


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "value",
    [CLIP, CLIP[None], CLIP[..., None], (CLIP, 3), {"label": "A4C", "clip": CLIP}, CLIP / 255, CLIP.astype(np.float32)],
    ids=["plain", "channel", "channel last", "tuple", "dict", "shares", "floats"],
)
def test_arrays_come_through(tmp_path, protocol, value):
    np.testing.assert_array_equal(load_clip(write(tmp_path, value, protocol)), CLIP)


def test_a_pickle_of_numpy_1(tmp_path):
    """The same stream with the module name of NumPy before 2."""
    data = pickle.dumps(CLIP, 2).replace(b"numpy._core", b"numpy.core")
    (tmp_path / "old.pkl").write_bytes(data)
    np.testing.assert_array_equal(load_clip(tmp_path / "old.pkl"), CLIP)


class _Runs:
    def __init__(self, call, *arguments):
        self.call = (call, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_malicious_pickle_does_not_run(tmp_path, protocol):
    victim = tmp_path / "victim"
    attacks = [
        _Runs(os.system, f"touch {victim}"),
        _Runs(eval, f"open({str(victim)!r}, 'w')"),
        _Runs(os.mkdir, str(victim)),
        _Runs(getattr, CLIP, "tofile"),
        _Runs(np.fromfile, "/etc/passwd"),
    ]
    for attack in attacks:
        for value in (attack, (CLIP, attack), {"clip": attack}, np.array([attack], object)):
            path = write(tmp_path, value, protocol)
            with pytest.raises(RefusedError, match=r"Holds more than NumPy arrays: it asks for .* It was not run"):
                load_clip(path)
    assert not victim.exists()


#: numpy.dtype("O8"), whose flags are then cleared: NumPy takes the bytes of such an array for addresses of objects.
FORGED = b"cnumpy\ndtype\nX\x02\0\0\0O8\x89\x88\x87R(K\x03X\x01\0\0\0|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"
SHAPE = b"(J\xa0\x86\x01\0K\x20K\x20t"  # (100000, 32, 32)


@pytest.mark.parametrize(
    ("stream", "error"),
    [
        (b"cnumpy.core.multiarray\nscalar\n" + FORGED + b"C\x08AAAAAAAA\x86R.", UnreadableError),
        (b"cnumpy.core.numeric\n_frombuffer\n(C\x08AAAAAAAA" + FORGED + b"K\x01X\x01\0\0\0CtR.", UnreadableError),
        (b"cnumpy\nndarray\n" + SHAPE + b"X\x02\0\0\0u1\x86R.", RefusedError),
        (
            b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\0tC\x01btR(K\x01" + SHAPE
            + b"cnumpy\ndtype\nX\x02\0\0\0u1\x85R\x89C\x04AAAAtb.",
            RefusedError,
        ),
        (b"c_codecs\nencode\n}X\x08\0\0\0__call__Nsb.", RefusedError),  # BUILD on a name
        (b"]r\xff\xff\xff\x7f.", UnreadableError),  # LONG_BINPUT, whose table would take 32 GB
        (b"})" + b"\x85" * 1_000_000 + b"Ns.", RefusedError),  # a key nested so deep that its hash overflows the stack
        (b"})" + b"2\x86" * 60 + b"Ns.", RefusedError),  # a key whose hash takes 2^60 steps
        (b"})" + b"2\x86" * 60 + b"\x8f(h\x00\x90.", UnreadableError),
        (b"()" + b"2\x86" * 60 + b"\x91.", RefusedError),  # the same in a set
    ],
    ids=["scalar", "buffer", "ndarray", "bytes that are not there", "name", "memo", "deep", "wide", "no memo", "set"],
)  # fmt: skip
def test_forged_arrays(tmp_path, stream, error):
    """Streams that NumPy's own functions follow to an address, or to memory that the file does not fill."""
    (tmp_path / "x.pickle").write_bytes(b"\x80\x03" + stream)
    with pytest.raises(error):
        load_clip(tmp_path / "x.pickle")


@pytest.mark.parametrize("side", [b"X\1\0\0\0x", b"]", b"G\x40\0\0\0\0\0\0\0", b"J\xff\xff\xff\xff", b"\x88"])
def test_shapes_that_are_no_numbers(tmp_path, side):
    """A text times 500 million takes half a gigabyte."""
    stream = (
        b"\x80\x03cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\0tC\1btR(K\1("
        + side + b"J\0\x65\xcd\x1dtcnumpy\ndtype\nX\2\0\0\0u1\x85R\x89C\4AAAAtb."
    )  # fmt: skip
    (tmp_path / "x.pickle").write_bytes(stream)
    with pytest.raises(RefusedError, match="asks for an array of shape"):
        load_clip(tmp_path / "x.pickle")


def test_keys_that_are_plain(tmp_path):
    value = {1: "a", (2, "b"): 3, None: {b"c": 4}, "clip": CLIP, "set": {1, "x"}, "frozen": frozenset([2.5])}
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        if protocol >= 4:  # below, sets ask for builtins.set
            np.testing.assert_array_equal(load_clip(write(tmp_path, value, protocol)), CLIP)
        plain = {key: value[key] for key in value if key not in ("set", "frozen")}
        np.testing.assert_array_equal(load_clip(write(tmp_path, plain, protocol)), CLIP)


def test_numbers_of_every_kind_and_order(tmp_path):
    numbers = np.arange(24).reshape(2, 3, 4)
    for code in ("u1", "i1", ">u2", "<i2", ">i4", "<u8", ">f2", "<f4", ">f8"):
        for protocol in (0, 2, 3, 4, 5):
            for value in (numbers.astype(code), np.asfortranarray(numbers.astype(code)), numbers.astype(code)[:, ::-1]):
                expected = np.rint(value.astype(float)).astype(np.uint8)
                np.testing.assert_array_equal(load_clip(write(tmp_path, value, protocol)), expected)


def test_a_pickle_of_python_2(tmp_path):
    """Bytes are texts there, and numbers of NumPy stand beside the array."""
    stream = (
        b"\x80\x02(cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\nU\x02i8K\0K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xff"
        b"J\xff\xff\xff\xffK\0tbU\x08\x03\0\0\0\0\0\0\0\x86R"
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85U\x01b\x87R(K\x01K\x01K\x02K\x03\x87"
        b"cnumpy\ndtype\nU\x02u1K\0K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"
        b"\x89U\x06\0\x7f\x80\xff\x01\x02tbt."
    )
    (tmp_path / "x.pickle").write_bytes(stream)
    np.testing.assert_array_equal(load_clip(tmp_path / "x.pickle"), [[[0, 127, 128], [255, 1, 2]]])


def test_names_with_dots_do_not_reach_further(tmp_path):
    # STACK_GLOBAL "numpy" "ndarray.__class__": protocol 4 lets names walk through attributes.
    stream = b"\x80\x04\x8c\x05numpy\x8c\x11ndarray.__class__\x93."
    pickletools.dis(stream, out=io.StringIO())  # it is a sound stream
    (tmp_path / "x.pickle").write_bytes(stream)
    with pytest.raises(RefusedError, match=r"numpy\.ndarray\.__class__"):
        load_pickled(tmp_path / "x.pickle")


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("text", "no NumPy array"),
        (np.zeros((3, 4)), r"shape \(3, 4\)"),
        (np.zeros((0, 4, 4)), r"shape \(0, 4, 4\)"),
        (np.array(["a"]), "no NumPy array of numbers"),
        (np.array([None, "a"], object), "no NumPy array of numbers"),
        (np.zeros((2, 3, 3), complex), "no NumPy array of numbers"),
        (np.zeros((2, 3, 3), bool), "expected grey frames"),
        (CLIP.astype(np.float32) / 100 - 1, "was it normalised"),
        (np.full((2, 3, 3), np.nan), "values from nan"),
    ],
)
def test_what_is_no_clip(tmp_path, value, says):
    with pytest.raises(UnreadableError, match=says):
        load_clip(write(tmp_path, value))


def test_a_pickle_of_python_2_as_it_wrote_by_default(tmp_path):
    """Protocol 0: one text a line, with bytes that are no ASCII."""
    stream = (
        b"cnumpy.core.multiarray\n_reconstruct\np0\n(cnumpy\nndarray\np1\n(I0\ntp2\nS'b'\np3\ntp4\nRp5\n"
        b"(I1\n(I1\nI2\nI3\ntp6\ncnumpy\ndtype\np7\n(S'u1'\np8\nI0\nI1\ntp9\nRp10\n"
        b"(I3\nS'|'\np11\nNNNI-1\nI-1\nI0\ntp12\nbI00\nS'\\x00\x7f\x80\xff\\x01\\x02'\np13\ntp14\nb."
    )
    (tmp_path / "x.pickle").write_bytes(stream)
    np.testing.assert_array_equal(load_clip(tmp_path / "x.pickle"), [[[0, 127, 128], [255, 1, 2]]])


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_never_surprises(tmp_path, data):
    whole = bytearray(pickle.dumps({"a": CLIP[:2, :3, :3], "b": [1, "x"]}, data.draw(st.sampled_from([2, 4]))))
    for _ in range(data.draw(st.integers(1, 5))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "x.pickle"
    path.write_bytes(bytes(whole)[: data.draw(st.integers(1, len(whole)))])
    with contextlib.suppress(ReadError):
        load_clip(path)


def test_nesting_without_end_is_unreadable_and_no_crash(tmp_path):
    (tmp_path / "deep.pickle").write_bytes(b"(" * 20_000 + b"t" * 20_000 + b".")
    itself: list[object] = []
    itself.append(itself)
    (tmp_path / "itself.pickle").write_bytes(pickle.dumps(itself))
    for name in ("deep.pickle", "itself.pickle"):
        with pytest.raises(UnreadableError, match="no NumPy array"):
            load_clip(tmp_path / name)
    clip = np.zeros((2, 4, 4), np.uint8)
    (tmp_path / "first.pickle").write_bytes(pickle.dumps(([{"a": clip}], clip + 1)))
    np.testing.assert_array_equal(load_clip(tmp_path / "first.pickle"), clip)
