"""Every way of asking a network what it looked at, by name, all with the same answer: one number a pixel of a clip.

Letters: C clips, N, H, W frames, rows and columns of a clip, K views.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor, nn

from echoplane._optional import need
from echoplane.errors import UsageError
from echoplane.explain.enlarge import enlarge
from echoplane.explain.gradcam import gradcam, gradcam_plus_plus
from echoplane.explain.scored import Scored
from echoplane.records import FloatArray

#: Clips that are differentiated together; bounds the memory.
_BATCH = 8


@dataclass(frozen=True, slots=True)
class Setting:
    """What methods have to know of a network beside itself.

    Attributes
    ----------
    black : float
        Normalised value of a black pixel: what "nothing there" means to integrated gradients and occlusion.
    padded : bool
        :attr:`echoplane.models.registry.Network.padded`: where the cells of its maps lie.
    """

    black: float = 0.0
    padded: bool = False


@dataclass(frozen=True, slots=True)
class Method:
    """One row of the table.

    Attributes
    ----------
    name : str
    summary : str
        One line, for help texts.
    signed : bool
        Whether negative values (this speaks against the view) occur where one view is asked for.
    run : callable
        ``(scored, layer, clips, setting) -> (B, N, H, W)``.
    """

    name: str
    summary: str
    signed: bool
    run: Callable[[Scored, nn.Module, Tensor, Setting], Tensor]


def _enlarge(maps_Bnhw: Tensor, x_B1NHW: Tensor, setting: Setting) -> Tensor:
    return torch.from_numpy(enlarge(maps_Bnhw.numpy(), tuple(x_B1NHW.shape[2:]), setting.padded))


def _gradcam(scored: Scored, layer: nn.Module, x: Tensor, setting: Setting) -> Tensor:
    # One view less another has reasons of both signs, as the map of `cam` has.
    return _enlarge(gradcam(scored, layer, x, positive=not scored.is_difference), x, setting)


def _gradcam_plus_plus(scored: Scored, layer: nn.Module, x: Tensor, setting: Setting) -> Tensor:
    return _enlarge(gradcam_plus_plus(scored, layer, x), x, setting)


def _guided(scored: Scored, _layer: nn.Module, x: Tensor, _setting: Setting) -> Tensor:
    attr = need("captum.attr", "explain", "run guided backpropagation")
    import warnings

    with warnings.catch_warnings():
        # Captum warns that it sets hooks on ReLUs; the network is a copy made for just this.
        warnings.simplefilter("ignore")
        found: Tensor = attr.GuidedBackprop(scored).attribute(x.clone().requires_grad_(True), target=0)
    return found[:, 0].detach()


def _guided_gradcam(scored: Scored, layer: nn.Module, x: Tensor, setting: Setting) -> Tensor:
    return _enlarge(gradcam(scored, layer, x), x, setting) * _guided(scored, layer, x, setting)


def _integrated(scored: Scored, _layer: nn.Module, x: Tensor, setting: Setting) -> Tensor:
    attr = need("captum.attr", "explain", "run integrated gradients")
    found: Tensor = attr.IntegratedGradients(scored).attribute(
        x.clone().requires_grad_(True), baselines=setting.black, target=0, n_steps=24, internal_batch_size=_BATCH
    )
    return found[:, 0].detach()


def _occlusion(scored: Scored, _layer: nn.Module, x: Tensor, setting: Setting) -> Tensor:
    """Black out blocks of a fifth of the time and a sixth of the picture, half overlapping in the picture."""
    attr = need("captum.attr", "explain", "run occlusion")
    _, _, n, h, w = x.shape
    block = (1, max(1, round(n / 5)), max(1, h // 6), max(1, w // 6))
    stride = (1, block[1], max(1, block[2] // 2), max(1, block[3] // 2))
    with torch.no_grad():
        found: Tensor = attr.Occlusion(scored).attribute(
            x, sliding_window_shapes=block, strides=stride, baselines=setting.black, target=0, perturbations_per_eval=4
        )
    return found[:, 0]


_ROWS = (
    Method("gradcam", "where the last feature map speaks for the view (Grad-CAM)", False, _gradcam),
    Method("gradcam++", "the same, sharper where the structure occurs more than once (Grad-CAM++)", False,
           _gradcam_plus_plus),
    Method("guided", "which pixels would raise the answer (guided backpropagation)", True, _guided),
    Method("guided-gradcam", "guided backpropagation where Grad-CAM looks", True, _guided_gradcam),
    Method("integrated-gradients", "each pixel's share of the answer, against a black clip", True, _integrated),
    Method("occlusion", "how much the answer falls when a block of space and time is blacked out", True, _occlusion),
)  # fmt: skip

#: The table, by name.
METHODS: Mapping[str, Method] = MappingProxyType({row.name: row for row in _ROWS})


def attribute(
    network: nn.Module,
    layer: str,
    clips: FloatArray,
    weights: FloatArray,
    method: str = "gradcam",
    setting: Setting | None = None,
) -> FloatArray:
    """Ask a network what it looked at.

    Parameters
    ----------
    network : torch.nn.Module
        Takes (B, 1, N, H, W), gives logits (B, K). Not changed.
    layer : str
        Dotted name of the feature layer, for the methods that use one.
    clips : float32 array, (C, 1, N, H, W)
        Normalised.
    weights : float32 array, (K,)
        Of the logits: :meth:`echoplane.explain.target.Target.weights`.
    method : str
        A name of :data:`METHODS`.
    setting : Setting, optional

    Returns
    -------
    float32 array, (C, N, H, W)
        Not scaled; negative only for methods that are signed, and for `gradcam` of one view less another.

    Raises
    ------
    UsageError
        For an unknown method or layer.
    MissingExtraError
        When captum is needed and not installed.
    """
    if method not in METHODS:
        raise UsageError(f"method {method!r} is not known; known: {', '.join(METHODS)}.")
    scored = Scored(network, weights)
    chosen = scored.layer(layer) if "gradcam" in method else nn.Identity()
    run, known = METHODS[method].run, setting or Setting()
    parts = [run(scored, chosen, part, known) for part in torch.split(torch.from_numpy(clips), _BATCH)]
    result: FloatArray = torch.cat(parts).numpy()
    return result
