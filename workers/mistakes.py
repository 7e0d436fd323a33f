"""Which images were told wrong, and how sure a share of them is."""

import math

import torch
from torch import Tensor


def mistakes(scores: Tensor, labels: Tensor) -> Tensor:
    """Return for each image whether it was told wrong `n`; what is not finite tells nothing right.

    Args:
        scores: of classes `n k`, the largest is what an image is taken for.
        labels: `n`.
    """
    told = scores.isfinite().all(dim=1) & (scores.nan_to_num().argmax(dim=1) == labels.to(scores.device))
    return ~told


def error(wrong: Tensor) -> tuple[float, float]:
    """Return the share of images told wrong and its standard error, sqrt(p (1 - p) / n)."""
    share = float(wrong.double().mean())
    return share, math.sqrt(share * (1 - share) / len(wrong))


def change(wrong: Tensor, before: Tensor) -> tuple[float, float]:
    """Return how much larger the share is than another's on the same images, and the standard error of that.

    Of pairs: an image that both tell alike says nothing, so it is surer than two shares by themselves would be.
    """
    apart = wrong.double() - before.double()
    variance = float((apart**2).mean() - apart.mean() ** 2)
    return float(apart.mean()), math.sqrt(max(variance, 0.0) / len(apart))


def probabilities(logits: Tensor) -> Tensor:
    """Return what a network thinks of the classes `n k`, given its logits."""
    return torch.softmax(logits.double(), dim=1)
