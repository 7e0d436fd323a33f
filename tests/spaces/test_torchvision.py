"""Hold our networks to torchvision's: with the same weights they say the same of the same images."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torchvision import models

from spaces.architecture import Architecture, ImageSpec
from spaces.counting import cost
from spaces.network import build

IMAGE = ImageSpec(height=64, width=64, classes=1000)


def large(block: str, *depths: int, cardinality: int = 1, base_width: int | None = None) -> Architecture:
    return Architecture(
        block=block, depths=depths, widths=(64, 128, 256, 512), stem="large", stem_width=64,
        cardinality=cardinality, base_width=base_width,
    )  # fmt: skip


SAME = [
    (models.resnet18, large("basic", 2, 2, 2, 2)),
    pytest.param(models.resnet50, large("bottleneck", 3, 4, 6, 3), marks=pytest.mark.slow),
    pytest.param(
        models.resnext50_32x4d,
        large("resnext", 3, 4, 6, 3, cardinality=32, base_width=4),
        marks=pytest.mark.slow,
    ),
    pytest.param(models.wide_resnet50_2, large("bottleneck", 3, 4, 6, 3, base_width=128), marks=pytest.mark.slow),
]


def scrambled(network: nn.Module, generator: torch.Generator) -> nn.Module:
    """Give every normalisation statistics and gains of its own, so that none can stand for another."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.running_var):
                nn.init.uniform_(tensor, 0.5, 1.5, generator=generator)  # type: ignore[arg-type]
            for tensor in (module.bias, module.running_mean):
                nn.init.normal_(tensor, 0, 0.1, generator=generator)  # type: ignore[arg-type]
    return network


@pytest.mark.parametrize(("theirs", "ours"), SAME)
def test_the_same_weights_give_the_same_logits(theirs: Callable[..., nn.Module], ours: Architecture) -> None:
    generator = torch.Generator().manual_seed(0)
    their_network = scrambled(theirs(weights=None), generator).double().eval()
    our_network = build(ours, IMAGE, generator=generator).double().eval()
    their_state, our_state = their_network.state_dict(), our_network.state_dict()
    assert [tensor.shape for tensor in our_state.values()] == [tensor.shape for tensor in their_state.values()]
    our_network.load_state_dict(dict(zip(our_state, their_state.values(), strict=True)))
    images = torch.rand(2, 3, 64, 64, dtype=torch.float64, generator=generator)
    with torch.inference_mode():
        expected, given = their_network(images), our_network(images)
    assert expected.std() > 1e-3
    torch.testing.assert_close(given, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("weights", "ours"),
    [
        (models.ResNet18_Weights.IMAGENET1K_V1, large("basic", 2, 2, 2, 2)),
        (models.ResNet34_Weights.IMAGENET1K_V1, large("basic", 3, 4, 6, 3)),
        (models.ResNet50_Weights.IMAGENET1K_V1, large("bottleneck", 3, 4, 6, 3)),
        (models.ResNet101_Weights.IMAGENET1K_V1, large("bottleneck", 3, 4, 23, 3)),
        (models.ResNet152_Weights.IMAGENET1K_V1, large("bottleneck", 3, 8, 36, 3)),
        (models.ResNeXt50_32X4D_Weights.IMAGENET1K_V1, large("resnext", 3, 4, 6, 3, cardinality=32, base_width=4)),
        (models.ResNeXt101_32X8D_Weights.IMAGENET1K_V1, large("resnext", 3, 4, 23, 3, cardinality=32, base_width=8)),
        (models.ResNeXt101_64X4D_Weights.IMAGENET1K_V1, large("resnext", 3, 4, 23, 3, cardinality=64, base_width=4)),
        (models.Wide_ResNet50_2_Weights.IMAGENET1K_V1, large("bottleneck", 3, 4, 6, 3, base_width=128)),
        (models.Wide_ResNet101_2_Weights.IMAGENET1K_V1, large("bottleneck", 3, 4, 23, 3, base_width=128)),
    ],
)
def test_counts_are_those_that_torchvision_documents(weights: models.WeightsEnum, ours: Architecture) -> None:
    counted = cost(ours, ImageSpec(height=224, width=224, classes=1000))
    assert counted.params == weights.meta["num_params"]
    assert round(counted.macs / 1e9, 3) == weights.meta["_ops"]
