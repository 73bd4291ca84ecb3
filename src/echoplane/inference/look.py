"""What a network looked at while it answered: handed out by :class:`echoplane.inference.classifier.ViewClassifier`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from echoplane.explain.cinemap import CineMap, cine_map, to_cine
from echoplane.explain.enlarge import enlarge
from echoplane.records import FloatArray, IntArray, PreparedCine, SamplingPlan, ViewResult


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """An answer, the frames it was given for, and the map of the view it names.

    Attributes
    ----------
    result : ViewResult
    prepared : PreparedCine
        The frames that the network saw, P of them.
    plan : SamplingPlan
        Which of the cine's frames make which clip.
    maps : float32 array, (C, n, h, w)
        Of ``result.best_view``, one a clip, at the size of the last feature map; negative where against it. They lie
        as the network saw the clips: turned around where ``result.mirrored`` or the sector's ``upside_down`` say so.
    padded : bool
        :attr:`echoplane.models.registry.Network.padded` of the network: where the cells of its maps lie.
    """

    result: ViewResult
    prepared: PreparedCine
    plan: SamplingPlan
    maps: FloatArray
    padded: bool = False

    def coarse(self) -> FloatArray:
        """Return what speaks for the view, float32 (P, h, w): a map a frame, as small as the network's; cheap."""
        rows = self._rows()
        slow = enlarge(np.maximum(self.maps, 0), (rows.shape[1], *self.maps.shape[2:]), self.padded)
        return to_cine(slow, SamplingPlan(rows), len(self.prepared.frames))[0]

    def enlarged(self, coarse_hw: FloatArray) -> FloatArray:
        """Lay one map of :meth:`coarse` on its frame: float32 (H, W), not cut to the sector."""
        shape = (1, *self.prepared.frames.shape[1:])
        return self._turned(enlarge(coarse_hw[None, None], shape, self.padded)[0, 0])

    def _turned(self, grown: FloatArray) -> FloatArray:
        """Turn what the network saw back to how the frames lie, the last two axes; only after they were enlarged."""
        grown = grown[..., ::-1] if self.result.mirrored else grown
        return grown[..., ::-1, :] if self.prepared.sector.upside_down else grown

    def _rows(self) -> IntArray:
        """Of each frame of each clip, its row in the prepared frames, (C, N)."""
        return np.searchsorted(np.array(self.prepared.indices), self.plan.indices).astype(np.int64)

    def on_frames(self) -> CineMap:
        """Return the map on the frames that the network saw, float32 (P, H, W): what speaks for the view."""
        frames = self.prepared.frames
        rows = self._rows()
        grown = self._turned(enlarge(np.maximum(self.maps, 0), (rows.shape[1], *frames.shape[1:]), self.padded))
        return cine_map(grown, SamplingPlan(rows), len(frames), self.prepared.sector,
                        self.prepared.crop, method="cam", target=self.result.best_view)  # fmt: skip
