"""A network that a function of a person's own builds is counted, built by seed and told apart as any other."""

from typing import Any

import pytest
import torch

from search.config.study import parse
from search.core.labels import name_of
from spaces.architecture import Architecture, ImageSpec, OwnNetwork, plan
from spaces.counting import cost
from spaces.errors import InfeasibleArchitecture, InputError
from spaces.lookup import choice_of
from spaces.network import build
from spaces.packages import load, source_of
from tests.own_packages import EXAMPLE, Own, forgetting, own

__all__ = ["own"]

IMAGE = ImageSpec(channels=1, height=8, width=8, classes=10)
FILE: dict[str, Any] = {
    "study": "s", "data": "digits",
    "space": {"network": "green_nets:mixer", "width": {"choice": [8, 16]}, "layers": {"int": [1, 2]}, "patch": 2},
}  # fmt: skip


@pytest.fixture
def mixer(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what names a network of the worked example."""
    monkeypatch.syspath_prepend(str(EXAMPLE))
    with forgetting():
        load("green_nets")
        source = source_of("green_nets")
        yield lambda **options: OwnNetwork(
            network="green_nets:mixer", source=source, options=tuple(sorted(options.items()))
        )


def test_it_costs_what_its_layers_cost(mixer: Any) -> None:
    found = cost(mixer(width=8, layers=2, patch=2, kernel=3), IMAGE)
    pixels = 16
    patches, layer, head = 8 * 4 * pixels, (8 * 9 + 8 * 8) * pixels, 8 * 10
    assert found.macs == patches + 2 * layer + head
    norms = 5 * 16
    assert found.params == (8 * 4 + 8) + 2 * (8 * 9 + 8 + 8 * 8 + 8) + norms + (8 * 10 + 10)


def test_equal_seeds_draw_equal_weights_and_leave_torchs_generator_alone(mixer: Any) -> None:
    given = mixer(width=8, layers=1, patch=2)
    before = torch.random.get_rng_state()
    first, again, other = (build(given, IMAGE, generator=torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert torch.equal(torch.random.get_rng_state(), before)
    images = torch.rand(2, 1, 8, 8)
    assert torch.equal(first.eval()(images), again.eval()(images))
    assert not torch.equal(first(images), other.eval()(images))


def test_it_goes_through_json_and_is_told_apart_by_options_and_source(mixer: Any) -> None:
    given = mixer(width=8, layers=1, patch=2)
    assert Architecture.from_json(given.to_json()) == given
    assert given.digest == mixer(patch=2, layers=1, width=8).digest
    others = (mixer(width=16, layers=1, patch=2), OwnNetwork(network=given.network, source="0", options=given.options))
    assert given.digest not in {each.digest for each in others}
    assert name_of(given) == "mixer-layers1-patch2-width8"
    with pytest.raises(InputError, match="there is no plan of its blocks"):
        plan(given)
    with pytest.raises(InputError, match="network, source and options alone"):
        Architecture.from_json({"network": "a:b", "depths": [1]})


def test_a_space_of_it_is_read_from_a_file(mixer: Any) -> None:
    config = parse(FILE)
    space = config.search_space
    assert space.size == 4
    assert list(config.packages) == ["green_nets"]
    assert config.packages["green_nets"].trains
    network = space.architecture({"width": 8, "layers": 1})
    assert network == mixer(width=8, layers=1, patch=2)
    assert choice_of(space, network) == {"width": 8, "layers": 1}
    with pytest.raises(InputError, match="is not in the space, which lacks networks of blocks"):
        choice_of(space, Architecture())


@pytest.mark.parametrize(
    ("options", "lacks"),
    [
        ({"width": 8, "layers": 1, "patch": 4}, "lacks patch 4"),
        ({"width": 8, "layers": 1, "patch": 2, "kernel": 3}, "lacks kernel 3"),
        ({"width": 8, "layers": 1}, "lacks networks without patch"),
    ],
)
def test_it_is_told_what_a_space_lacks_of_a_network(mixer: Any, options: dict[str, Any], lacks: str) -> None:
    with pytest.raises(InputError, match=f"is not in the space, which {lacks}$"):
        choice_of(parse(FILE).search_space, mixer(**options))


def test_a_command_and_a_parameter_do_not_share_a_name(mixer: Any) -> None:  # noqa: ARG001
    asked = {"name": "layers", "command": "echo 1", "unit": "ms"}
    with pytest.raises(InputError, match=r"objectives.1.name: 'layers' is a parameter of the space too"):
        parse({**FILE, "objectives": ["accuracy", asked]})


def test_what_no_network_has_together_costs_nothing(mixer: Any) -> None:
    with pytest.raises(InfeasibleArchitecture, match="patches of 9 pixels do not fit into 8x8"):
        cost(mixer(width=8, layers=1, patch=9), IMAGE)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def build(image, n): return 3", "own:build returns a int, which is no module"),
        ("def build(image, n): 1 / 0", "own:build fails: ZeroDivisionError"),
        (
            "def build(image): return 3",
            "own:build fails: TypeError: build\\(\\) got an unexpected keyword argument 'n'",
        ),
        ("def build(image, n): raise SystemExit(3)", "own:build fails: SystemExit: 3"),
        ("build = 3", "package own has no function 'build'"),
        ("from torch import nn\ndef build(image, n): return nn.Flatten()", "returns 64x1x1 for an image; logits of 10"),
    ],
)
def test_a_function_that_builds_no_network_is_told(own: Own, text: str, said: str) -> None:
    own.write(text)
    load("own")
    with pytest.raises(InputError, match=said):
        cost(OwnNetwork(network="own:build", source=source_of("own"), options=(("n", 1),)), IMAGE)


@pytest.mark.parametrize(
    ("space", "said"),
    [
        (
            {"network": "nowhere_at_all:build", "n": {"int": [1, 2]}},
            "space.network: there is no package nowhere",
        ),
        (
            {"network": "nowhere_at_all", "n": {"int": [1, 2]}},
            "space.network: 'nowhere_at_all' is not of the form",
        ),
        ({"network": {"choice": ["a:b"]}, "n": {"int": [1, 2]}}, "space.network: .* is not of the form my_package:fun"),
        ({"network": "own:build"}, "space: there is no parameter to search"),
        ({"network": "own:build", "source": {"int": [1, 2]}}, "space.source: source is a name of the recipe or of the"),
        (
            {"network": "own:build", "state": {"int": [1, 2]}},
            "space.state: state is something else that every trial has",
        ),
        ({"network": "own:build", "macs": {"int": [1, 2]}}, "space.macs: macs is something else that every trial has"),
        ({"network": "own:build", "a b": {"int": [1, 2]}}, "space.a b: 'a b' is no name of a function's argument"),
        ({"network": "own:build", "momentum": {"int": [1, 2]}}, "space.momentum: momentum is a name of the recipe"),
    ],
)
def test_a_space_that_cannot_be_is_refused_with_its_place(own: Own, space: dict[str, Any], said: str) -> None:
    own.write("def build(image, n): ...")
    with pytest.raises(InputError, match=said):
        parse({**FILE, "space": space})


LOOKING = """
import torch
from torch import nn
class Looks(nn.Module):
    def __init__(self, image, n):
        super().__init__()
        self.rates = [rate.item() for rate in torch.linspace(0, 1, n)]
        self.first, self.again = nn.Linear(64, 64, bias=False), nn.Linear(64, 64, bias=False)
        self.again.weight = self.first.weight
        self.head = nn.Linear(64, image.classes, bias=False)
        self.register_buffer("mean", torch.zeros(64))
    def forward(self, x):
        x = self.again(self.first(x.flatten(1)))
        self.mean.mul_(0.9).add_(x.detach().mean(0), alpha=0.1)
        return self.head(x - self.mean)
build = Looks
"""


def test_a_network_that_looks_at_numbers_and_changes_its_state_is_counted_and_a_shared_weight_is_one(own: Own) -> None:
    own.write(LOOKING)
    load("own")
    before = torch.random.get_rng_state()
    found = cost(OwnNetwork(network="own:build", source=source_of("own"), options=(("n", 2),)), IMAGE)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert (found.params, found.macs) == (64 * 64 + 64 * 10, 2 * 64 * 64 + 64 * 10)
    own.write(LOOKING.replace(".item()", ""), "apart")
    load("apart")
    apart = OwnNetwork(network="apart:build", source=source_of("apart"), options=(("n", 2),))
    assert cost(apart, IMAGE).params == found.params
