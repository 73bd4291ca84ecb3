"""Cross-entropy against soft targets and against "one of these"."""

from __future__ import annotations

import torch
from torch import Tensor

from echoplane.training.targets import ONE_OF


def doubt_mirrored(targets_BK: Tensor, mirrored_B: Tensor, heart_K: Tensor, share: float) -> Tensor:
    """Spread a share of the targets of mirrored hearts evenly over all views.

    Parameters
    ----------
    targets_BK : float Tensor, (B, K)
        As :func:`echoplane.training.targets.make_targets` gives them, no row all zero.
    mirrored_B : bool Tensor, (B,)
        Clips whose left and right were exchanged.
    heart_K : bool Tensor, (K,)
        The views that have a left and a right: noise mirrored is noise.
    share : float
        In [0, 1).

    Returns
    -------
    float Tensor, (B, K)
        Rows that are not mirrored, and mirrored ones of no heart, as they were; of the others those with "one of these"
        have become even shares.
    """
    shares_BK = targets_BK / targets_BK.sum(dim=1, keepdim=True)
    heart_B1 = (shares_BK * heart_K).sum(dim=1, keepdim=True)
    doubtful_BK = shares_BK * (1 - share * heart_B1) + share * heart_B1 / targets_BK.shape[1]
    return torch.where((mirrored_B[:, None]) & (heart_B1 > 0), doubtful_BK, targets_BK)


def soft_cross_entropy(logits_BK: Tensor, targets_BK: Tensor, smoothing: float = 0.0) -> Tensor:
    r"""Return the mean loss of a batch.

    For shares t: :math:`-\sum_k ((1 - s) t_k + s / K) \log p_k`. Where only a set S of views is known to hold the true
    one (a row of ones, summing to more than 1): :math:`-\log \sum_{k \in S} p_k`, which asks for no more than is known.

    Parameters
    ----------
    logits_BK : float Tensor, (B, K)
    targets_BK : float Tensor, (B, K)
        As :func:`echoplane.training.targets.make_targets` gives them, no row all zero.
    smoothing : float
        s, in [0, 1).

    Returns
    -------
    float32 Tensor, ()
    """
    logp_BK = torch.log_softmax(logits_BK.float(), dim=1)
    one_of_B = targets_BK.sum(dim=1) > ONE_OF
    shares_BK = (1 - smoothing) * targets_BK + smoothing / targets_BK.shape[1]
    soft_B = -(shares_BK * logp_BK).sum(dim=1)
    if not one_of_B.any():
        return soft_B.mean()
    set_B = -torch.logsumexp(logp_BK.masked_fill(targets_BK <= 0, float("-inf")), dim=1)
    return torch.where(one_of_B, set_B, soft_B).mean()
