"""Test `spaces.published`: the table is true of networks that can be built."""

from collections import Counter
from dataclasses import replace

import pytest
from torchvision.models import get_model_weights

from spaces.architecture import ImageSpec
from spaces.counting import cost
from spaces.names import named
from spaces.published import nearest, results, same_network
from spaces.settings import read_settings


def test_every_published_network_can_be_built_and_has_the_parameters_written_beside_it() -> None:
    for found in results():
        image = replace(named(found.network).image, classes=found.classes)
        assert cost(found.architecture, image).params == found.params, found.network
        assert 0 < found.error_percent < 60
        assert found.source


def test_no_result_stands_twice() -> None:
    assert len(set(results())) == len(results())


def published(name: str, *settings: str, classes: int | None = None) -> list[tuple[str, float]]:
    known = named(name)
    architecture = replace(known.architecture, **read_settings(settings))
    image = replace(known.image, classes=classes or known.image.classes)
    return [(each.data, each.error_percent) for each in same_network(architecture, image, cost(architecture, image))]


def test_a_network_is_known_by_what_it_is_and_not_by_its_name() -> None:
    assert ("CIFAR-10", 6.97) in published("resnet-56")
    assert ("CIFAR-10", 6.97) not in published("resnet-56", "shortcut=B")
    assert published("wrn-50-2-bottleneck") == published("wide_resnet50_2") != []


def test_results_are_those_for_as_many_classes() -> None:
    assert {data for data, _ in published("wrn-28-10", classes=100)} == {"CIFAR-100"}
    assert {data for data, _ in published("wrn-28-10")} == {"CIFAR-10"}


def test_dropout_makes_another_network() -> None:
    with_dropout = published("wrn-28-10", "dropout=between", "dropout_rate=0.3")
    assert ("CIFAR-10", 3.89) in with_dropout
    assert ("CIFAR-10", 3.89) not in published("wrn-28-10")


def test_the_nearest_result_is_of_the_same_kind_and_about_as_large() -> None:
    known = named("wrn-34-10")
    found = nearest(known.architecture, known.image, cost(known.architecture, known.image))
    assert found is not None
    assert found.network.startswith("wrn-")
    assert found.params == pytest.approx(46_160_474, rel=0.25)


def test_nothing_is_near_a_network_of_another_size_or_for_other_classes() -> None:
    tiny = named("wrn-10-0.125").architecture
    assert nearest(tiny, ImageSpec(), cost(tiny, ImageSpec())) is None
    seven = ImageSpec(classes=7)
    usual = named("wrn-28-10").architecture
    assert nearest(usual, seven, cost(usual, seven)) is None


def test_one_source_has_one_result_of_a_network_for_the_same_images() -> None:
    known = Counter((each.architecture.digest, each.image, each.data, each.source) for each in results())
    assert [key[-1] for key, count in known.items() if count > 1] == []


def test_a_note_and_the_settings_beside_it_say_the_same() -> None:
    for found in results():
        assert ("without shortcuts" in found.source) == (found.architecture.shortcut == "none" and found.network in (
            "resnet50", "resnext50_32x4d",
        )), found  # fmt: skip
        assert found.architecture == found.architecture.canonical(), found  # no setting is dead


def test_a_result_of_torchvision_is_that_of_the_weights_it_names() -> None:
    for found in results():
        if found.source.startswith("torchvision"):
            name = found.source.partition("(")[2].removesuffix(")")
            accuracy = get_model_weights(found.network)[name].meta["_metrics"]["ImageNet-1K"]["acc@1"]
            assert found.error_percent == pytest.approx(100 - accuracy), found
