"""Make classes of unequal size count alike: by what each image weighs in the loss, or by how often it is drawn.

A class without a training image is left out of both: nothing is drawn of it, and its weight is the mean.
"""

import torch
from torch import Tensor


def weights(labels: Tensor, classes: int) -> Tensor:
    """Return each class's weight `k`, in float32: the inverse of its share among the images; their mean is 1.

    Args:
        labels: `n`, class numbers.
        classes: how many there are.
    """
    counts = labels.cpu().bincount(minlength=classes).double()
    present = counts > 0
    inverse = 1 / counts[present]
    found = torch.ones(classes, dtype=torch.float64)
    found[present] = inverse / inverse.mean()
    return found.float().to(labels.device)


def drawn(labels: Tensor, generator: torch.Generator, *, alike: bool) -> Tensor:
    """Return the order in which an epoch draws images `n`, as many as there are.

    Args:
        labels: `n`, class numbers.
        generator: on the labels' device; its state alone decides.
        alike: every class equally often, or once more than another; else every image once. Of a class no image is drawn
            again before all of it were.
    """
    shuffled = torch.randperm(len(labels), generator=generator, device=labels.device)
    if not alike:
        return shuffled
    grouped = shuffled[labels[shuffled].argsort(stable=True)]  # class by class, each in an order of its own
    counts = labels.bincount()
    present = counts.nonzero().flatten()
    turns = present[torch.randperm(len(present), generator=generator, device=labels.device)]
    place = torch.arange(len(labels), device=labels.device)
    taken = turns[place % len(turns)]
    within = (place // len(turns)) % counts[taken]
    found = grouped[(counts.cumsum(0) - counts)[taken] + within]
    return found[torch.randperm(len(found), generator=generator, device=labels.device)]
