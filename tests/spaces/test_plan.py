"""Test `spaces.plan`."""

from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given

from spaces.architecture import Architecture, ImageSpec, plan
from tests.spaces.grammar import architectures, ready, relaxed


@pytest.mark.parametrize(
    ("stem", "strides", "stride"),
    [("small", (1, 2, 2), 4), ("small", (1, 1, 1), 1), ("strided", (1, 2, 2), 8), ("biased", (2, 2, 2), 16),
     ("large", (1, 2, 2), 16), ("huge", (1, 2, 2), 32), ("strided_pool", (1, 1, 2), 8),
     ("large_bare", (2, 1, 3), 24)],
)  # fmt: skip
def test_the_stride_of_a_plan_is_that_of_stem_pool_and_stages(stem: str, strides: tuple[int, ...], stride: int) -> None:
    assert plan(Architecture(stem=stem, strides=strides, depths=(1, 2, 3))).stride == stride


@relaxed
@given(drawn=architectures())
def test_a_map_of_one_pixel_is_what_the_smallest_image_becomes(drawn: Architecture) -> None:
    described = plan(drawn)
    network, images = ready(drawn, ImageSpec(height=described.least, width=described.least, classes=3))
    out = network.eval().stages(network.stem(images))
    assert out.shape == (4, described.head.width, 1, 1)


def test_the_blocks_of_a_plan_are_those_of_all_stages_in_order() -> None:
    described = plan(Architecture(depths=(3, 1, 2)))
    assert [len(stage) for stage in described.stages] == [3, 1, 2]
    assert [spec.out_width for spec in described.blocks] == [16, 16, 16, 32, 64, 64]
    assert [spec.stride for spec in described.blocks] == [1, 1, 1, 2, 2, 1]


def test_a_plan_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        plan(Architecture()).stages = ()  # type: ignore[misc]
