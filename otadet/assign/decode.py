"""From a plan of shares to whole points."""

from __future__ import annotations

from itertools import count

import torch
from torch import Tensor

from otadet.assign.candidates import best_pair, gather
from otadet.assign.scene import rounds_between_looks
from otadet.assign.transport import Pairs, Plan

TIE_DECIMALS = 6
"""Shares that agree to so many decimals are equal: two objects that have only one point, and the
same one, get half of it each but for rounding, and rounding must not decide."""


def by_row_maximum(pairs: Pairs, plan: Plan) -> Tensor:
    """Official decoding: each supplier's row over its maximum, then the largest at each point.

    Two objects whose rows peak at the same point both have 1 there. The official code then
    takes the lower index; here the one that gives the point more or, if both give the same, has
    the lower cost, so that the objects' order means nothing. The number of points an object gets
    is not its supply, only near it.

    Returns:
        ``winner [U]`` as in :class:`~otadet.assign.match.Solution`.
    """
    relative = plan.share / plan.share.amax(dim=1, keepdim=True).clamp(min=pairs.tiny)
    top = torch.where(pairs.used, plan.background, 0.0)
    top = torch.zeros_like(pairs.usable).scatter_reduce_(0, pairs.point_image, top, "amax")
    top = torch.where(pairs.num_used < pairs.usable, 1.0, top)
    background = plan.background / gather(top, pairs.point_image).clamp(min=pairs.tiny)
    take = (pairs.ratio > -torch.inf) & (relative >= gather(background, pairs.local))
    share = plan.share.round(decimals=TIE_DECIMALS)
    return best_pair([relative, share, pairs.ratio], take, pairs.local, pairs.size)


def by_supply(pairs: Pairs, plan: Plan, supply: Tensor) -> Tensor:
    """Each object gets as many points as its supply, where its candidates allow it.

    Deferred acceptance: every object asks for its points of the largest share, a point goes to
    the largest share among those who ask, and who was refused asks for the next best. It ends
    when nobody is refused, after a few rounds; the device is waited for in every fourth.

    Args:
        pairs: the problem.
        plan: shares, converged or not.
        supply: ``[G]`` rounded to whole points here.

    Returns:
        ``winner [U]``.
    """
    score, order = plan.log_share.sort(dim=1, descending=True, stable=True)
    local = pairs.local.gather(1, order)
    ratio = pairs.ratio.gather(1, order)
    scores = [score.round(decimals=TIE_DECIMALS), ratio]
    open_pair = ratio > -torch.inf
    quota = supply.round()[:, None]
    pair = torch.arange(local.numel(), device=local.device)
    between = rounds_between_looks(local.device)
    for number in count(1):
        asking = open_pair & (open_pair.cumsum(dim=1) <= quota)
        winner = best_pair(scores, asking, local, pairs.size)
        refused = asking & (gather(winner, local).view(-1) != pair).view_as(asking)
        if number % between == 0 and not bool(refused.any()):
            break
        open_pair = open_pair & ~refused
    row = torch.div(winner, local.shape[1], rounding_mode="floor")
    slot = order.view(-1)[winner.clamp(min=0)]
    return torch.where(winner >= 0, row * local.shape[1] + slot, -1)
