"""Make an epoch's batches: everything random drawn at once, images moved and normalised for many batches at a time.

On a GPU a batch of small images costs as much as its operations are many; for many batches they are as few as for one.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from workers import balance
from workers.augment import Augment, by_a_package, draw, moved
from workers.datasets import Dataset

# Numbers that are made ready at a time, at least a batch: on a processor what its cache holds, on a GPU 32 MB.
AT_ONCE = {"cpu": 2**16, "cuda": 2**23}


@dataclass(frozen=True, slots=True)
class Scale:
    """How images of uint8 become what a network reads: (x / 255 - mean) / deviation, in one memory layout."""

    factor: Tensor  # 1 c 1 1
    shift: Tensor  # 1 c 1 1
    memory_format: torch.memory_format

    @classmethod
    def of(cls, data: Dataset, memory_format: torch.memory_format) -> "Scale":
        """Return the scale of a data set, on its device."""
        scale = (data.std * 255).reshape(1, -1, 1, 1)
        device = data.train_images.device
        return cls((1 / scale).to(device), (data.mean.reshape(1, -1, 1, 1) / (scale / 255)).to(device), memory_format)

    def __call__(self, images: Tensor) -> Tensor:
        """Return float32 `n c h w` of uint8."""
        scaled = images.to(memory_format=self.memory_format, dtype=torch.float32)
        return scaled.mul_(self.factor).sub_(self.shift)


def batches(
    data: Dataset, scale: Scale, how: Augment, generator: torch.Generator, *, size: int, alike: bool = False
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the images `n c h w` and labels `n` of each step of an epoch.

    A last, smaller batch is left out, as its statistics would be noisier.

    Args:
        data: what is trained on.
        scale: brings images to what the network reads.
        how: images are changed.
        generator: on the data's device; its state alone decides.
        size: images of a batch; no more than there are.
        alike: every class is drawn equally often.
    """
    steps = len(data.train_labels) // size
    order = balance.drawn(data.train_labels, generator, alike=alike)[: steps * size]
    labels = data.train_labels[order]
    numbers = data.train_images[0].numel()
    draws = draw(how, len(order), (data.image.height, data.image.width), generator)
    at_once = size * max(1, AT_ONCE[data.train_images.device.type] // (size * numbers))
    for begin in range(0, len(order), at_once):
        chosen = order[begin : begin + at_once]
        found, blank = moved(data.train_images[chosen], how, draws.part(begin, begin + at_once))
        images = scale(found)
        if blank is not None:
            images.masked_fill_(blank, 0)
        for at in range(0, len(chosen), size):
            batch = images[at : at + size]
            if how.own:
                batch = by_a_package(batch, how.own, generator).contiguous(memory_format=scale.memory_format)
            yield batch, labels[begin + at : begin + at + size]
