"""Find cines that are copies of one another: bit for bit, after another encoder, in another size, or shortened.

Equal content is told by the checksum. For the rest, every cine gets a fingerprint of 1,024 bits, the signs of the
brightness differences (dHash, N. Krawetz, hackerfactor.com, 2013) of eight frames, along rows and along columns. Pairs
whose fingerprints differ in few bits are then looked at: one is aligned to the other (affine, by enhanced correlation,
Evangelidis and Psarakis 2008), because a re-encoded cine is cropped a pixel differently, and fine detail of five of its
frames is searched among the frames of the other. Speckle is the same in a copy and never in another beat of the same
view, which fingerprints alone cannot tell apart.

How well this tells copies from repeated views is measured in ``docs/decisions/0010-data.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from echoplane.records import FloatArray, UInt8Array
from echoplane.store import StoreReader, StoreRow

FRAMES, SIDE = 8, 8
#: Share of differing bits below which a pair is looked at.
CANDIDATE = 0.12
#: Correlation of fine detail above which a pair is called a copy.
COPY = 0.94
#: Side of the pictures in which detail is compared, and the blur that is taken off, pixels.
DETAIL_SIDE, DETAIL_BLUR = 80, 2.0
#: Rows of the comparison at once: bounds the memory.
CHUNK = 256


@dataclass(frozen=True, slots=True)
class Pair:
    """Two cines that show the same recording.

    Attributes
    ----------
    one, two : StoreRow
    same : bool
        True when equal bit for bit.
    likeness : float
        Correlation of fine detail, in [COPY, 1].
    """

    one: StoreRow
    two: StoreRow
    same: bool
    likeness: float

    @property
    def across_views(self) -> bool:
        """Whether the two have different labels: one of them is wrong."""
        return self.one.top_label() != self.two.top_label()

    @property
    def across_patients(self) -> bool:
        """Whether the two claim different patients, or one does not say, and they are not of one study without any."""
        return not _of_one(self.one, self.two)


def _of_one(one: StoreRow, two: StoreRow) -> bool:
    """Tell whether two cines are known to be of one patient: that is said, or nobody is and they are of one study."""
    return one.group == two.group and bool(one.group or (one.study and one.study == two.study))


def fingerprint(frames: UInt8Array) -> npt.NDArray[np.bool_]:
    """Return 1,024 bits of a cine.

    Parameters
    ----------
    frames : uint8 array, (T, H, W)

    Returns
    -------
    bool array, (1024,)
    """
    bits = []
    for i in np.linspace(0, len(frames) - 1, FRAMES).round().astype(int):
        wide = cv2.resize(frames[i], (SIDE + 1, SIDE), interpolation=cv2.INTER_AREA)
        tall = cv2.resize(frames[i], (SIDE, SIDE + 1), interpolation=cv2.INTER_AREA)
        bits += [(wide[:, 1:] > wide[:, :-1]).ravel(), (tall[1:] > tall[:-1]).ravel()]
    return np.concatenate(bits)


def likeness(one: UInt8Array, two: UInt8Array) -> float:
    """Return how well fine detail of five frames of `one` is found in `two`: about 1 for copies.

    Parameters
    ----------
    one, two : uint8 arrays, (T, H, W)

    Returns
    -------
    float
        Median correlation in [-1, 1]; 0 when the two cannot be aligned.
    """
    shift = _align(one, two)
    if shift is None:
        return 0.0
    chosen = one[np.linspace(0, len(one) - 1, 5).round().astype(int)]
    return float(np.median((_details(chosen, None) @ _details(two, shift).T).max(axis=1)))


def _small(picture: UInt8Array | FloatArray) -> FloatArray:
    return np.asarray(cv2.resize(picture, (DETAIL_SIDE, DETAIL_SIDE), interpolation=cv2.INTER_AREA), np.float32)


def _align(one: UInt8Array, two: UInt8Array) -> FloatArray | None:
    start = np.eye(2, 3, dtype=np.float32)
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 60, 1e-5)
    everywhere = np.full((DETAIL_SIDE, DETAIL_SIDE), 255, np.uint8)
    mean_one, mean_two = (_small(cine.mean(axis=0, dtype=np.float32)) for cine in (one, two))
    try:
        _, found = cv2.findTransformECC(mean_one, mean_two, start, cv2.MOTION_AFFINE, criteria, everywhere, 3)
    except cv2.error:
        return None  # it did not converge: the two have nothing in common
    return np.asarray(found, np.float32)


def _details(frames: UInt8Array, shift: FloatArray | None) -> FloatArray:
    out = []
    edge = 6
    for frame in frames:
        picture = cv2.GaussianBlur(_small(frame), (0, 0), 0.6)
        picture = picture - cv2.GaussianBlur(picture, (0, 0), DETAIL_BLUR)
        if shift is not None:
            size, flags = (DETAIL_SIDE, DETAIL_SIDE), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            picture = cv2.warpAffine(picture, shift, size, flags=flags)
        values = picture[edge:-edge, edge:-edge].ravel()
        values = values - values.mean()
        out.append(values / (np.linalg.norm(values) + 1e-6))
    return np.stack(out).astype(np.float32)


def find_duplicates(stores: Sequence[StoreReader], *, on_cine: Callable[[], None] = lambda: None) -> list[Pair]:
    """Find copies in one or several stores.

    Pairs of one known patient (or of one study, where neither names a patient) and one label are looked at only for
    equal content: they harm nobody, and repeated takes of one view are many.

    Parameters
    ----------
    stores : sequence of StoreReader
    on_cine : callable
        Called after each cine read.

    Returns
    -------
    list of Pair
        Those across views first, then across patients; the likest first.
    """
    cines = [(store, i) for store in stores for i in range(len(store))]
    rows = [store.rows[i] for store, i in cines]
    prints = []
    for store, i in cines:
        prints.append(fingerprint(store.frames(i)))
        on_cine()
    pairs = []
    for a, b in _near(prints):
        one, two = rows[a], rows[b]
        if one.sha256 == two.sha256:
            pairs.append(Pair(one, two, same=True, likeness=1.0))
        elif not (_of_one(one, two) and one.top_label() == two.top_label()):
            score = likeness(*(store.frames(i) for store, i in (cines[a], cines[b])))
            if score >= COPY:
                pairs.append(Pair(one, two, same=False, likeness=score))
    return sorted(pairs, key=lambda p: (not p.across_views, not p.across_patients, -p.likeness, p.one.cine, p.two.cine))


def _near(prints: Sequence[npt.NDArray[np.bool_]]) -> Iterator[tuple[int, int]]:
    """Yield the pairs (a < b) whose fingerprints differ in less than CANDIDATE of their bits."""
    if not prints:
        return
    signs = np.stack(prints).astype(np.float32) * 2 - 1
    least = (1 - 2 * CANDIDATE) * signs.shape[1]
    for start in range(0, len(signs), CHUNK):
        agreement = signs[start : start + CHUNK] @ signs[start:].T
        for a, b in np.argwhere(agreement > least):
            if b > a:
                yield start + int(a), start + int(b)
