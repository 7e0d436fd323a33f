"""Test `spaces.counting`. The counts of published networks are in `test_golden`."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from spaces.architecture import DROPOUTS, SHORTCUTS, STEMS, STRIDES_IN, Architecture, ImageSpec
from spaces.blocks import BLOCKS
from spaces.cost import Cost
from spaces.counting import cost, cost_by_part, measure, sum_costs
from spaces.errors import InfeasibleArchitecture
from spaces.network import build

ODD = ImageSpec(channels=2, height=21, width=17, classes=7)


def one_pass(architecture: Architecture, image: ImageSpec) -> Cost:
    """Count by the layers' own attributes while one real image goes through the whole network."""
    network = build(architecture, image, generator=torch.Generator().manual_seed(0)).eval()
    seen = {"macs": 0, "activations": 0}

    def count_conv(layer: nn.Conv2d, _inputs: tuple[Tensor], output: Tensor) -> None:
        height, width = layer.kernel_size
        seen["macs"] += output.numel() * (layer.in_channels // layer.groups) * height * width
        seen["activations"] += output.numel()

    def count_linear(layer: nn.Linear, _inputs: tuple[Tensor], output: Tensor) -> None:
        seen["macs"] += layer.in_features * layer.out_features
        seen["activations"] += output.numel()

    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(count_conv)
        elif isinstance(module, nn.Linear):
            module.register_forward_hook(count_linear)
    with torch.inference_mode():
        network(torch.rand(1, image.channels, image.height, image.width))
    held = [*network.parameters(), *network.buffers()]
    return Cost(
        params=sum(parameter.numel() for parameter in network.parameters()),
        weight_bytes=sum(tensor.numel() * tensor.element_size() for tensor in held),
        **seen,
    )


def small(block: str, **fields: Any) -> Architecture:
    usual: dict[str, Any] = {"depths": (2, 1, 2), "widths": (8, 8, 16), "stem_width": 8, "dropout_rate": 0.3}
    return Architecture(block=block, cardinality=2, **{**usual, **fields})


@pytest.mark.parametrize("stem", STEMS)
@pytest.mark.parametrize("shortcut", SHORTCUTS)
@pytest.mark.parametrize("dropout", DROPOUTS)
@pytest.mark.parametrize("block", BLOCKS)
def test_a_cost_is_that_of_one_pass_through_the_whole_network(
    block: str, dropout: str, shortcut: str, stem: str
) -> None:
    architecture = small(block, dropout=dropout, shortcut=shortcut, stem=stem)
    assert cost(architecture, ODD) == one_pass(architecture, ODD)


@pytest.mark.parametrize("stride_in", STRIDES_IN)
@pytest.mark.parametrize("base_width", [None, 16, 128])
@pytest.mark.parametrize("block", ["bottleneck", "resnext", "preact_bottleneck"])
def test_a_cost_follows_a_bottlenecks_width_and_stride(block: str, base_width: int | None, stride_in: str) -> None:
    architecture = small(block, base_width=base_width, stride_in=stride_in)
    assert cost(architecture, ODD) == one_pass(architecture, ODD)


@pytest.mark.parametrize("block", BLOCKS)
def test_macs_are_half_of_what_torch_counts_as_operations(block: str) -> None:
    architecture = small(block)
    network = build(architecture, ODD).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.rand(1, ODD.channels, ODD.height, ODD.width))
    assert 2 * cost(architecture, ODD).macs == counter.get_total_flops()


def test_the_parts_are_named_in_the_order_images_meet_them() -> None:
    names = [name for name, _ in cost_by_part(small("basic"), ODD)]
    assert names == ["stem", "1.1", "1.2", "2.1", "3.1", "3.2", "head"]


def test_the_parts_add_up_to_the_whole() -> None:
    architecture = small("resnext")
    assert sum_costs(part for _, part in cost_by_part(architecture, ODD)) == cost(architecture, ODD)


def test_nothing_costs_nothing() -> None:
    assert sum_costs([]) == Cost(params=0, macs=0, activations=0, weight_bytes=0)


@pytest.mark.parametrize("dropout", DROPOUTS)
def test_dropout_costs_nothing(dropout: str) -> None:
    assert cost(small("preact", dropout=dropout), ODD) == cost(small("preact", dropout="none"), ODD)


def test_four_times_the_pixels_are_four_times_the_work_and_no_more_weights() -> None:
    architecture = Architecture(depths=(2, 2, 2))
    less, more = (cost(architecture, ImageSpec(height=side, width=side)) for side in (32, 64))
    head = 64 * 10
    assert more.macs - head == 4 * (less.macs - head)
    assert more.activations - 10 == 4 * (less.activations - 10)
    assert (more.params, more.weight_bytes) == (less.params, less.weight_bytes)


def test_an_image_that_fits_no_memory_is_counted_all_the_same() -> None:
    side = 2**18  # the first map alone would be 4 TiB
    counted = cost(Architecture(), ImageSpec(height=side, width=side))
    assert counted.activations > 16 * side**2
    assert counted.params == cost(Architecture(), ImageSpec()).params


def test_counting_draws_no_random_number_and_trains_nothing() -> None:
    before = torch.get_rng_state()
    cost(Architecture(depths=(1, 2, 3), widths=(5, 7, 11), dropout="after", dropout_rate=0.5), ODD)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.is_grad_enabled()


def test_too_small_an_image_is_refused_before_it_is_counted() -> None:
    with pytest.raises(InfeasibleArchitecture, match="too small"):
        cost(Architecture(), ImageSpec(height=3, width=32))


def test_a_measured_module_says_what_shape_it_puts_out() -> None:
    with torch.device("meta"):
        layer = nn.Conv2d(3, 4, (3, 5), stride=2, padding=1, bias=False)
    counted, shape = measure(layer, (3, 9, 8))
    assert shape == (4, 5, 3)
    assert counted == Cost(
        params=math.prod((4, 3, 3, 5)),
        macs=math.prod(shape) * 3 * 3 * 5,
        activations=math.prod(shape),
        weight_bytes=4 * math.prod((4, 3, 3, 5)),
    )


def test_a_measured_module_of_one_number_for_each_class_has_no_map_left() -> None:
    with torch.device("meta"):
        head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 5))
    counted, shape = measure(head, (6, 4, 4))
    assert shape == (5, 1, 1)
    assert (counted.params, counted.macs, counted.activations) == (35, 30, 5)


def test_a_layer_used_twice_works_twice_and_is_held_once() -> None:
    with torch.device("meta"):
        layer = nn.Conv2d(4, 4, 1, bias=False)
        twice = nn.Sequential(layer, layer)
    once_counted, _ = measure(layer, (4, 5, 5))
    counted, _ = measure(twice, (4, 5, 5))
    assert counted.macs == 2 * once_counted.macs
    assert counted.params == once_counted.params
