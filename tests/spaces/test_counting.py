"""Test `spaces.counting`. The counts of published networks are in `test_golden`."""

import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from spaces.architecture import Architecture, ImageSpec, plan
from spaces.cost import Cost, sum_costs
from spaces.counting import BATCH, cost, cost_by_part, measure
from spaces.errors import InfeasibleArchitecture
from spaces.fields import OPTIONS
from spaces.kinds import KINDS
from spaces.layers import Cosine
from spaces.network import build
from tests.spaces.grammar import DROPOUTS, STEMMED, architectures, conflict, contract_by_tier, relaxed, small, told

ODD = ImageSpec(channels=2, height=21, width=17, classes=7)
TINY = ImageSpec(channels=2, height=9, width=7, classes=3)


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

    def count_cosine(_layer: Cosine, inputs: tuple[Tensor], output: Tensor) -> None:
        seen["macs"] += inputs[0].shape[1] * image.classes
        seen["activations"] += output.numel()

    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(count_conv)
        elif isinstance(module, nn.Linear):
            module.register_forward_hook(count_linear)
        elif isinstance(module, Cosine):
            module.register_forward_hook(count_cosine)
    with torch.inference_mode():
        network(torch.rand(1, image.channels, image.height, image.width))
    held = [*network.parameters(), *network.buffers()]
    return Cost(
        params=sum(parameter.numel() for parameter in network.parameters()),
        weight_bytes=sum(tensor.numel() * tensor.element_size() for tensor in held),
        **seen,
    )


def untrained(counted: Cost) -> Cost:
    return replace(counted, training_bytes=0)


@pytest.mark.parametrize("fields", contract_by_tier())
def test_a_cost_is_that_of_one_pass_through_the_whole_network(fields: dict[str, Any]) -> None:
    architecture = small(**fields, dropout_rate=0.3)
    assert untrained(cost(architecture, TINY)) == one_pass(architecture, TINY)


@pytest.mark.parametrize("stem", STEMMED)
@pytest.mark.parametrize("block", KINDS)
def test_a_cost_follows_the_stem(block: str, stem: str) -> None:
    architecture, image = small(block, stem=stem), replace(ODD, height=37, width=35)
    assert untrained(cost(architecture, image)) == one_pass(architecture, image)


@relaxed
@given(drawn=architectures())
def test_the_cost_of_whatever_can_be_named_is_that_of_one_pass(drawn: Architecture) -> None:
    side = plan(drawn).least
    image = ImageSpec(channels=1, height=side + 1, width=side + 2, classes=3)
    assert untrained(cost(drawn, image)) == one_pass(drawn, image)


@pytest.mark.parametrize("block", KINDS)
def test_macs_are_half_of_what_torch_counts_as_operations(block: str) -> None:
    for head in OPTIONS["head"]:
        architecture = small(block, head=head)
        network = build(architecture, ODD).eval()
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network(torch.rand(1, ODD.channels, ODD.height, ODD.width))
        assert 2 * cost(architecture, ODD).macs == counter.get_total_flops()


def test_the_parts_are_named_in_the_order_images_meet_them() -> None:
    parts = cost_by_part(small("basic"), ODD)
    assert [part.name for part in parts] == ["stem", "1.1", "1.2", "2.1", "3.1", "head"]
    transitions = cost_by_part(small("dense"), ODD)
    assert [part.name for part in transitions] == ["stem", "1.1", "1.2", "2.1", "2.2", "3.1", "3.2", "head"]


@pytest.mark.parametrize("block", KINDS)
def test_the_parts_say_what_shape_they_put_out(block: str) -> None:
    architecture = small(block)
    parts = cost_by_part(architecture, ODD)
    network = build(architecture, ODD).eval()
    x, shapes = torch.rand(1, 2, 21, 17), []
    for layer in (network.stem, *(each for stage in network.stages for each in stage)):  # type: ignore[attr-defined]
        x = layer(x)
        shapes.append(tuple(x.shape[1:]))
    assert [part.shape for part in parts] == [*shapes, (7, 1, 1)]


@pytest.mark.parametrize("block", KINDS)
def test_the_parts_add_up_to_the_whole(block: str) -> None:
    parts = cost_by_part(small(block), ODD)
    assert sum_costs(part.cost for part in parts) == cost(small(block), ODD)
    assert all(part.cost.training_bytes > part.cost.weight_bytes > 0 for part in parts)


@pytest.mark.parametrize("dropout", DROPOUTS)
def test_dropout_costs_nothing(dropout: str) -> None:
    block = "fractal" if dropout == "path" else "preact"
    plain = cost(small(block), ODD)
    assert cost(small(block, dropout=dropout, dropout_rate=0.3), ODD) == plain


@pytest.mark.parametrize("block", KINDS)
def test_a_batch_costs_training_memory_in_proportion_and_nothing_else(block: str) -> None:
    none, one, some, many = (cost(small(block), ODD, batch=batch) for batch in (0, 1, 17, 1000))
    assert untrained(none) == untrained(one) == untrained(some) == untrained(many)
    each = one.training_bytes - none.training_bytes
    assert each > 4 * one.activations
    assert some.training_bytes - none.training_bytes == 17 * each
    assert many.training_bytes - none.training_bytes == 1000 * each


def test_without_a_batch_training_holds_weights_gradients_momenta_and_one_in_passing() -> None:
    counted = cost(small("resnext"), ODD, batch=0)
    assert counted.training_bytes == counted.weight_bytes + 3 * 4 * counted.params


def test_what_is_remembered_of_one_batch_is_not_said_of_another() -> None:
    small_batch = cost(small("basic"), ODD, batch=3).training_bytes
    usual = cost(small("basic"), ODD).training_bytes
    assert cost(small("basic"), ODD, batch=3).training_bytes == small_batch < usual
    assert cost(small("basic"), ODD, batch=BATCH).training_bytes == usual
    by_part = sum_costs(part.cost for part in cost_by_part(small("basic"), ODD, batch=3))
    assert by_part.training_bytes == small_batch


def held_by_autograd(architecture: Architecture, image: ImageSpec, batch: int) -> int:
    """Return the bytes of all storages that a backward pass over a real batch would read, weights left out."""
    network = build(architecture, image, generator=torch.Generator().manual_seed(0))
    own = {tensor.untyped_storage().data_ptr() for tensor in (*network.parameters(), *network.buffers())}
    held: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            held[storage.data_ptr()] = storage
        return tensor

    with torch.random.fork_rng(devices=[]), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        torch.manual_seed(0)  # of the branches that are dropped, which hold nothing
        logits = network(torch.rand(batch, image.channels, image.height, image.width))
        F.cross_entropy(logits, torch.zeros(batch, dtype=torch.long))
    return sum(storage.nbytes() for storage in held.values())


@pytest.mark.parametrize("dropout", ["none", "between", "after", "branch"])
@pytest.mark.parametrize("block", KINDS)
def test_training_holds_no_more_than_is_said_and_not_much_less(block: str, dropout: str) -> None:
    if conflict(block, dropout, "B"):
        return
    image, batch = ImageSpec(height=32, width=32), 8
    # A branch dropped for a whole batch would hold nothing, by chance.
    architecture = Architecture(block=block, dropout=dropout, dropout_rate=0.3, drop_unit="sample")
    said = cost(architecture, image, batch=batch).training_bytes
    for_the_batch = said - cost(architecture, image, batch=0).training_bytes
    held = held_by_autograd(architecture, image, batch)
    assert held <= for_the_batch <= 3 * held
    assert said <= 4 * held


@pytest.mark.parametrize("stem", STEMMED)
@pytest.mark.parametrize(
    "fields", [{"activation": "crelu"}, {"head": "cosine"}, {"shortcut": "pool"}, {"order": "full"}], ids=told
)
def test_training_holds_no_more_than_is_said_whatever_the_stem(fields: dict[str, Any], stem: str) -> None:
    image, batch = ImageSpec(height=36, width=36), 8
    architecture = Architecture(stem=stem, **fields)
    for_the_batch = (
        cost(architecture, image, batch=batch).training_bytes - cost(architecture, image, batch=0).training_bytes
    )
    held = held_by_autograd(architecture, image, batch)
    assert held <= for_the_batch <= 4 * held


@pytest.mark.slow
def test_counting_imports_neither_torchs_compiler_nor_sympy() -> None:
    program = """
import sys
from spaces.architecture import Architecture, ImageSpec
from spaces.counting import cost
from spaces.kinds import KINDS
before = {name for name in ("torch._dynamo", "sympy") if name in sys.modules}
for block in KINDS:
    for head in ("linear", "cosine"):
        cost(Architecture(block=block, head=head, stem="large", activation="crelu"), ImageSpec())
assert not before, before
loaded = {name for name in ("torch._dynamo", "sympy") if name in sys.modules}
assert not loaded, loaded
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


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
    for dropout in ("after", "branch"):
        for head in OPTIONS["head"]:
            fields: dict[str, Any] = {"dropout": dropout, "dropout_rate": 0.5, "head": head}
            cost(Architecture(depths=(1, 2, 3), widths=(5, 7, 11), **fields), ODD)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.is_grad_enabled()


def test_too_small_an_image_is_refused_before_it_is_counted() -> None:
    with pytest.raises(InfeasibleArchitecture, match="too small"):
        cost(Architecture(), ImageSpec(height=3, width=32))
    with pytest.raises(InfeasibleArchitecture, match="65 classes are more than the 64 channels"):
        cost_by_part(Architecture(head="cosine"), ImageSpec(classes=65))


def test_a_measured_module_says_what_shape_it_puts_out() -> None:
    with torch.device("meta"):
        layer = nn.Conv2d(3, 4, (3, 5), stride=2, padding=1, bias=False)
    counted, shape = measure(layer, (3, 9, 8))
    assert shape == (4, 5, 3)
    assert untrained(counted) == Cost(
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
