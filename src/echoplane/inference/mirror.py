"""Pictures exported with left and right exchanged: noticed by answering the mirror image too.

A network trained on the usual display convention knows an exchanged picture less well than its mirror image. Where the
answer is not sure, and the clip not so well known that nothing could be known better, one clip is turned around and
answered again; when the network is then more at home by a margin, the whole cine is answered turned around. Both limits
are fitted with the calibration (:mod:`echoplane.pipelines.calibrate_mirror`) and lie in the bundle.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from echoplane.inference.decide import winner
from echoplane.metrics.aggregate import sum_probabilities
from echoplane.metrics.selective import energy
from echoplane.models.bundle_facts import BundleFacts
from echoplane.views import shows_the_heart

#: From this probability of the winning side on (an answer, or all that is none) nobody asks for the mirror image.
SURE = 0.985

SENTENCE = "Left and right seem to be exchanged in this picture; it was answered turned around."


def worth_asking(logits_CK: npt.NDArray[np.floating], facts: BundleFacts) -> bool:
    """Return whether the answer leaves enough doubt to look at the mirror image."""
    limits = facts.thresholds
    if limits.mirror_margin is None or not np.isfinite(logits_CK).all():
        return False
    if limits.mirror_known is not None and float(energy(logits_CK[:1]).item()) <= limits.mirror_known:
        return False
    _, weight, _ = winner(sum_probabilities(facts.calibration.apply(logits_CK)), facts)
    return weight < SURE


def seems_exchanged(
    logits_CK: npt.NDArray[np.floating], ask: Callable[[], npt.NDArray[np.floating]], facts: BundleFacts
) -> bool:
    """Return whether left and right of a cine seem exchanged.

    Parameters
    ----------
    logits_CK : float array, (C, K)
        Of the cine as it is.
    ask : callable
        Gives the logits of its first clip turned around, (1, K); called only where there is doubt.
    facts : BundleFacts
    """
    margin = facts.thresholds.mirror_margin
    if margin is None or not worth_asking(logits_CK, facts):
        return False
    turned = ask()
    # Noise, M-mode and Doppler have no left and right to be exchanged.
    return gain(logits_CK, turned) > margin and shows_the_heart(facts.vocabulary[int(turned[0].argmax())])


def gain(logits_CK: npt.NDArray[np.floating], turned_CK: npt.NDArray[np.floating]) -> float:
    """Return how much more at home a network is with the mirror image of a cine's first clip.

    Parameters
    ----------
    logits_CK, turned_CK : float array, (C, K)
        As they leave the network, as drawn and turned around; only the first row of each counts.

    Returns
    -------
    float
        Difference of the energies over all labels (Liu et al., NeurIPS 2020, arXiv:2010.03759): above 0 when the mirror
        image is the better known one.
    """
    return float((energy(logits_CK[:1]) - energy(turned_CK[:1])).item())
