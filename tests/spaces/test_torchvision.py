"""Hold our networks to torchvision's: with the same weights they say the same of the same images."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torchvision import models
from torchvision.models.vgg import VGG, cfgs, make_layers

from spaces.architecture import ImageSpec
from spaces.counting import cost
from spaces.names import named
from spaces.network import build

IMAGE = ImageSpec(height=64, width=64, classes=1000)


each_model = pytest.mark.parametrize(
    "name",
    [
        "resnet18",
        "resnet34",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("resnet50", "resnext50_32x4d", "wide_resnet50_2", "densenet121", "densenet161")
        ),
    ],
)


def scrambled(network: nn.Module, generator: torch.Generator) -> nn.Module:
    """Give every normalisation statistics and gains of its own, so that none can stand for another."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.running_var):
                nn.init.uniform_(tensor, 0.5, 1.5, generator=generator)  # type: ignore[arg-type]
            for tensor in (module.bias, module.running_mean):
                nn.init.normal_(tensor, 0, 0.1, generator=generator)  # type: ignore[arg-type]
    return network


@each_model
def test_the_same_weights_give_the_same_logits(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    their_network = scrambled(getattr(models, name)(weights=None), generator).double().eval()
    our_network = build(named(name).architecture, IMAGE, generator=generator).double().eval()
    their_state, our_state = their_network.state_dict(), our_network.state_dict()
    assert [tensor.shape for tensor in our_state.values()] == [tensor.shape for tensor in their_state.values()]
    our_network.load_state_dict(dict(zip(our_state, their_state.values(), strict=True)))
    images = torch.rand(2, 3, 64, 64, dtype=torch.float64, generator=generator)
    with torch.inference_mode():
        expected, given = their_network(images), our_network(images)
    assert expected.std() > 1e-3
    torch.testing.assert_close(given, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("norm", ["", "_bn"])
@pytest.mark.parametrize(("layers", "form"), [(11, "A"), (13, "B"), (16, "D"), (19, "E")])
def test_vgg_is_torchvisions_but_for_the_width_of_its_last_layers(layers: int, form: str, norm: str) -> None:
    generator = torch.Generator().manual_seed(0)
    theirs = VGG(make_layers(cfgs[form], batch_norm=bool(norm)), num_classes=1, init_weights=False)
    wide, narrow = theirs.classifier, 32  # of 4,096 they would fill a machine
    theirs.classifier = nn.Sequential(
        nn.Linear(512 * 49, narrow), wide[1], wide[2], nn.Linear(narrow, narrow), wide[4], wide[5],
        nn.Linear(narrow, 1000),
    )  # fmt: skip
    their_network = scrambled(theirs, generator).double().eval()
    ours = replace(named(f"vgg{layers}{norm}").architecture, head_width=narrow)
    our_network = build(ours, IMAGE, generator=generator).double().eval()
    their_state, our_state = their_network.state_dict(), our_network.state_dict()
    assert [tensor.shape for tensor in our_state.values()] == [tensor.shape for tensor in their_state.values()]
    our_network.load_state_dict(dict(zip(our_state, their_state.values(), strict=True)))
    for side in (64, 96):
        images = torch.rand(2, 3, side, side, dtype=torch.float64, generator=generator)
        with torch.inference_mode():
            expected, given = their_network(images), our_network(images)
        assert expected.std() > 1e-3
        torch.testing.assert_close(given, expected, rtol=0, atol=1e-10)


def test_alexnet_is_torchvisions_but_for_the_width_of_its_last_layers() -> None:
    generator = torch.Generator().manual_seed(0)
    theirs, narrow = models.AlexNet(), 32
    theirs.classifier[1], theirs.classifier[4] = nn.Linear(256 * 36, narrow), nn.Linear(narrow, narrow)
    theirs.classifier[6] = nn.Linear(narrow, 1000)
    their_network = theirs.double().eval()
    ours = replace(named("alexnet").architecture, head_width=narrow)
    our_network = build(ours, IMAGE, generator=generator).double().eval()
    their_state, our_state = their_network.state_dict(), our_network.state_dict()
    assert [tensor.shape for tensor in our_state.values()] == [tensor.shape for tensor in their_state.values()]
    our_network.load_state_dict(dict(zip(our_state, their_state.values(), strict=True)))
    for side in (64, 127, 224):
        images = torch.rand(2, 3, side, side, dtype=torch.float64, generator=generator)
        with torch.inference_mode():
            expected, given = their_network(images), our_network(images)
        assert expected.std() > 1e-3
        torch.testing.assert_close(given, expected, rtol=0, atol=1e-10)
    shapes = [[type(layer) for layer in network.classifier] for network in (their_network,)]
    hidden = list(our_network.head.hidden)[3:]  # type: ignore[union-attr,arg-type]
    assert [type(layer) for layer in hidden] == shapes[0][:-1]


DOCUMENTED = [
    "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d", "resnext101_32x8d",
    "resnext101_64x4d", "wide_resnet50_2", "wide_resnet101_2", "densenet121", "densenet161", "densenet169",
    "densenet201", "alexnet", *(f"vgg{layers}{norm}" for layers in (11, 13, 16, 19) for norm in ("", "_bn")),
]  # fmt: skip


@pytest.mark.parametrize("name", DOCUMENTED)
def test_counts_are_those_that_torchvision_documents(name: str) -> None:
    documented = models.get_model_weights(name).IMAGENET1K_V1.meta  # type: ignore[attr-defined]  # an enumeration
    counted = cost(named(name).architecture, named(name).image)
    assert counted.params == documented["num_params"]
    assert round(counted.macs / 1e9, 3) == documented["_ops"]
