"""Test `spaces.names`. What named networks cost is in `test_golden`."""

import re
from dataclasses import replace

import pytest

from spaces.architecture import ImageSpec, plan
from spaces.errors import InputError
from spaces.names import FAMILIES, named


@pytest.mark.parametrize("example", [example for _, _, example in FAMILIES])
def test_every_example_of_a_family_can_be_named(example: str) -> None:
    found = named(example)
    assert found.name == example
    assert len(plan(found.architecture).blocks) >= 4


@pytest.mark.parametrize("example", [example for _, _, example in FAMILIES])
def test_a_name_belongs_to_one_family(example: str) -> None:
    assert sum(bool(re.fullmatch(pattern, example.replace("_", "-"))) for pattern, _, _ in FAMILIES) == 1


@pytest.mark.parametrize("example", [example for _, _, example in FAMILIES])
def test_a_named_network_gives_no_field_that_its_block_does_not_read(example: str) -> None:
    architecture = named(example).architecture
    assert architecture == architecture.canonical()


@pytest.mark.parametrize("name", ["WRN-28-10", " wrn-28-10 ", "Wide-ResNet-28-10", "wrn-28-10.0", "WRN-28-10-B(3,3)"])
def test_a_name_may_be_written_as_papers_do(name: str) -> None:
    assert named(name).architecture.digest == named("wrn-28-10").architecture.digest


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("wrn-27-10", "WRN depth must be 6N+4: 27 is not"),
        ("wrn-4-10", "WRN depth must be 6N+4: 4 is not"),
        ("resnet-57", "ResNet depth must be 6n+2: 57 is not"),
        ("resnet-2", "ResNet depth must be 6n+2: 2 is not"),
        ("plain-21", "plain network depth must be 6n+2: 21 is not"),
        ("preact-resnet-111", "pre-activation ResNet depth must be 6n+2: 111 is not"),
        ("resnext-30-8x64d", "ResNeXt depth must be 9n+2: 30 is not"),
        ("densenet-41-12", "DenseNet depth must be 3n+4: 41 is not"),
        ("densenet-bc-101-12", "DenseNet-BC depth must be 6n+4: 101 is not"),
        ("dfn-mr-57", "DFN-MR depth must be 2B+2 for B blocks, at least 3: 57 is not"),
        ("dfn-il-6", "DFN-IL depth must be 2B+2 for B blocks, at least 3: 6 is not"),
        (
            "resnet40",
            "ResNet for ImageNet has 18, 34, 50, 101, 152 layers: 40 is none of them; "
            "a dash before the layers means the form for small images",
        ),
        ("wrn-50-2", "WRN depth must be 6N+4: 50 is not; wide_resnet50_2 is ImageNet's"),
        ("mobilenet-16", "MobileNet reads images of at least 32 pixels: 16 are fewer"),
        ("resnet-9998", "depths 1666 is above 1,000"),
        ("resnext-29-999999x64d", "cardinality 999999 is above 65,536"),
        ("densenet120", "DenseNet for ImageNet has 121, 161, 169, 201 layers: 120 is none of them"),
        ("allconv6-9", "allconv6 has settings 1 to 8 and a baseline, 0: 9 is none of them"),
        ("wrn-40-2-l5", "WRN deepening factor must divide 12, the convolutions of a stage: 5 does not"),
        ("wrn-28-0", "a network cannot be widened by 0"),
        ("resnext-29-0x64d", "cardinality 0 is not a whole number of at least 1"),
    ],
)
def test_a_name_that_cannot_be_built_says_which_rule_it_breaks(name: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        named(name)
    assert str(refused.value) == said


def test_an_unknown_name_is_refused_with_the_nearest_known_one() -> None:
    with pytest.raises(
        InputError, match=r"unknown network 'wrm-28-10' \(did you mean 'wrn-28-10'\?\); known are resnet"
    ):
        named("wrm-28-10")


@pytest.mark.parametrize("layers", [18, 34, 50, 101, 152])
def test_the_depths_that_mean_imagenet_mean_it_with_a_dash_too(layers: int) -> None:
    assert named(f"resnet-{layers}").architecture == named(f"resnet{layers}").architecture
    assert named(f"resnet-{layers}").image == ImageSpec(height=224, width=224, classes=1000)


@pytest.mark.parametrize(
    ("name", "block"),
    [("110", "basic"), ("164", "bottleneck"), ("200", "basic"), ("1001", "bottleneck"), ("1202", "basic")],
)
def test_authors_build_the_very_deep_small_networks_of_bottlenecks(name: str, block: str) -> None:
    assert named(f"resnet-{name}").architecture.block == block


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("resnet_56", "resnet-56"),
        ("ResNet-50", "resnet50"),
        ("wrn28-10", "wrn-28-10"),
        ("wideresnet-28-10", "wrn-28-10"),
        ("preact_resnet18", "preact-resnet-18"),
        ("resnext-50-32x4d", "resnext50_32x4d"),
        ("densenet-121", "densenet121"),
        ("densenet-100-12-bc", "densenet-bc-100-12"),
        ("mobilenet_v1", "mobilenet-1.0"),
        ("mobilenet-192", "mobilenet-1.0-192"),
        ("mobilenet-shallow-192", "mobilenet-1.0-shallow-192"),
    ],
)
def test_a_network_is_known_however_people_write_it(written: str, meant: str) -> None:
    assert replace(named(written), name="") == replace(named(meant), name="")


def test_a_small_networks_shortcut_pads_unless_told() -> None:
    assert named("resnet-20").architecture.shortcut == "A"
    assert named("preact-resnet-110").architecture.shortcut == "A"
    assert named("plain-20").architecture.shortcut == "none"


@pytest.mark.parametrize(
    ("name", "depths"),
    [("dfn-mr-56", (9, 9, 9)), ("dfn-mr-28", (4, 4, 5)), ("dfn-mr-10", (1, 1, 2)), ("dfn-il-8", (1, 1, 1))],
)
def test_blocks_left_over_by_three_stages_go_to_the_last(name: str, depths: tuple[int, ...]) -> None:
    assert named(name).architecture.depths == depths


@pytest.mark.parametrize("number", range(1, 4))
def test_the_authors_numbered_networks_are_known(number: int) -> None:
    same = {1: "dfn-mr-56", 2: "dfn-mr-32-4", 3: "dfn-mr-50-4"}[number]
    assert named(f"dfn-mr{number}").architecture == named(same).architecture


def test_mobilenet_is_thinner_and_shallower_as_it_is_told() -> None:
    usual, thin, shallow = (
        named(name).architecture for name in ("mobilenet-1.0", "mobilenet-0.5", "mobilenet-shallow")
    )
    assert [spec.out_width for spec in plan(thin).blocks] == [spec.out_width // 2 for spec in plan(usual).blocks]
    assert (sum(usual.depths), sum(shallow.depths)) == (13, 8)
    assert named("mobilenet-0.5-shallow").architecture == named("mobilenet-shallow-0.5").architecture
    assert named("mobilenet-1.0-192").image.height == 192


@pytest.mark.parametrize("widening_factor", ["0.5", "1.5"])
def test_a_wide_network_may_be_widened_by_a_fraction(widening_factor: str) -> None:
    made = plan(named(f"wrn-16-{widening_factor}").architecture)
    assert [stage[0].out_width for stage in made.stages] == [16 * 2**n * float(widening_factor) for n in range(3)]
    assert made.stem.width == 16


def test_a_bottleneck_network_is_widened_inside_its_blocks_only() -> None:
    made = plan(named("wide_resnet50_2").architecture)
    assert [stage[0].out_width for stage in made.stages] == [256, 512, 1024, 2048]
    assert [stage[0].branch[1].out_width for stage in made.stages] == [128, 256, 512, 1024]
    assert named("wrn-50-2-bottleneck").architecture == named("wide_resnet50_2").architecture
