"""Test `spaces.paths` against what the papers say of paths."""

import math
from collections import Counter
from itertools import product

import pytest

from spaces.architecture import Architecture, plan
from spaces.names import named
from spaces.paths import Paths, paths


def of(block: str, *depths: int, **fields: object) -> Paths:
    return paths(plan(Architecture(block=block, depths=depths, **fields)))  # type: ignore[arg-type]  # as given


@pytest.mark.parametrize("blocks", [3, 9, 18])
def test_a_residual_network_is_an_ensemble_of_two_to_the_blocks(blocks: int) -> None:
    found = of("basic", *(blocks * 2 // 3,) * 3)
    assert found.count == 2 ** (2 * blocks)
    assert found.mean == pytest.approx(2 * blocks + 2)
    assert found.std == pytest.approx(math.sqrt(2 * blocks))


@pytest.mark.parametrize("blocks", [3, 9, 27])
def test_an_inception_like_network_has_three_ways_through_each_block(blocks: int) -> None:
    found = of("inception", *(blocks // 3,) * 3)
    assert found.count == 3**blocks
    assert found.mean == pytest.approx(4 * blocks / 3 + 2)
    assert found.std == pytest.approx(math.sqrt(8 * blocks / 9))


def test_an_outer_shortcut_is_one_way_more_around_what_it_spans() -> None:
    assert of("basic", 2, 2, 2, levels=2).count == 2**6 + 1
    found = of("basic", 2, 2, 2, levels=3)
    assert found.count == (2**2 + 1) ** 3 + 1
    assert (found.shortest, found.longest) == (2, 14)


def test_a_line_of_a_3x3_is_a_convolution_too() -> None:
    found = paths(plan(named("dfn-fuse3-26").architecture))
    assert found.lengths == {2 + 3: 1, 2 + 2 + 8: 3, 2 + 1 + 16: 3, 2 + 24: 1}
    assert of("basic", 1, 1, 1, shortcut="3x3", kernels=(3,)).lengths == {5: 8}


@pytest.mark.parametrize("branches", [2, 3, 5])
def test_several_branches_are_as_many_ways_through_each_block(branches: int) -> None:
    found = of("preact", 3, 3, 3, branches=branches)
    assert found.count == (branches + 1) ** 9
    assert found.longest == 20


@pytest.mark.parametrize(("columns", "ways"), [(1, 1), (2, 2), (3, 5), (4, 26)])
def test_a_column_more_brings_the_square_of_the_paths_and_one(columns: int, ways: int) -> None:
    found = of("fractal", 1, 2, 1, columns=columns)
    assert found.count == sum(found.lengths.values()) == ways**4
    assert (found.shortest, found.longest) == (2 + 4, 2 + 4 * 2 ** (columns - 1))
    assert of("fractal", 1, 2, 1, columns=columns, stem="none", doubling="pointwise").longest == found.longest - 1


@pytest.mark.parametrize("blocks", [3, 9, 27])
def test_a_merge_and_run_network_has_shorter_paths_and_more_of_them(blocks: int) -> None:
    found, alike = of("merge_run", *(blocks // 3,) * 3), of("inception", *(blocks // 3,) * 3)
    assert found.count == 4 * 3 ** (blocks - 1) > alike.count
    assert sum(found.lengths.values()) == 3**blocks  # to one stream
    assert found.mean == pytest.approx(2 * blocks / 3 + 2)
    assert found.std == pytest.approx(math.sqrt(8 * blocks / 9))


def test_nine_merge_and_run_blocks_have_the_papers_mean_and_deviation() -> None:
    found = of("merge_run", 3, 3, 3)
    assert (round(found.mean, 2), round(found.std, 2)) == (8.0, 2.83)


def test_two_streams_that_stay_apart_bring_twice_the_paths_of_one() -> None:
    found = of("merge_run", 1, 1, 1, fusion="concatenate")
    assert found.count == 2 * 3**3


def test_lengths_are_those_of_every_path_walked_one_by_one() -> None:
    walked = Counter(2 + sum(choice) for choice in product((0, 3), repeat=4))
    assert of("bottleneck", 2, 2, widths=(16, 32)).lengths == walked


def test_a_plain_network_has_one_path() -> None:
    found = of("basic", 3, 3, 3, shortcut="none")
    assert (found.count, found.shortest, found.longest) == (1, 20, 20)


def test_a_layer_that_hands_on_what_it_reads_can_be_gone_around() -> None:
    found = of("dense", 2, 3, widths=(16, 32))
    assert found.count == 2**5
    assert (found.shortest, found.longest) == (3, 8)  # the transition lies on every path


def test_blocks_without_a_shortcut_where_the_shape_changes_must_be_gone_through() -> None:
    found = of("basic", 2, 2, 2, shortcut="identity")
    assert found.count == 2**4
    assert found.shortest == 2 + 2 * 2


@pytest.mark.parametrize(("low", "high", "percent"), [(5, 17, 0.454), (19, 35, 98.0)])
def test_the_shares_of_the_lesion_study_are_those_of_54_modules(low: int, high: int, percent: float) -> None:
    found = paths(plan(named("resnet-110").architecture))
    assert found.count == 2**54
    layers = [2 + 2 * modules for modules in (low, high)]  # stem and classifier, and two for each module
    assert 100 * found.share(*layers) == pytest.approx(percent, abs=0.05 if percent > 1 else 0.0005)


@pytest.mark.parametrize(
    ("name", "longest"),
    [
        ("resnet-56", 56),
        ("preact-resnet-164", 164),
        ("dfn-mr-32-4", 32),
        ("densenet-bc-100-12", 100),
        ("mobilenet-1.0", 28),
        ("allconv6", 6),
        ("highway-19", 19),
        ("dfn-fuse6", 26),
        ("fractalnet-20", 21),  # whose authors count convolutions alone
        ("vgg11", 11),
        ("alexnet", 8),
        ("shufflenet-g3", 50),
        ("vgg19_bn", 19),
        ("se_resnet50", 50),
    ],
)
def test_the_longest_path_is_what_a_name_counts(name: str, longest: int) -> None:
    assert paths(plan(named(name).architecture)).longest == longest


def test_more_paths_than_a_number_can_hold_are_still_counted() -> None:
    found = paths(plan(named("resnet-1202").architecture))
    assert found.count == 2**600
    assert found.mean == pytest.approx(602)
    assert found.std == pytest.approx(math.sqrt(600))
