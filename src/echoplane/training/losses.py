"""Cross-entropy against soft targets and against "one of these"."""

from __future__ import annotations

import torch
from torch import Tensor

from echoplane.training.targets import ONE_OF


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
