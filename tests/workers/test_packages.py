"""What a package brings to training is taken up by name, and only from the source that is meant."""

import pytest
import torch

from spaces.architecture import Architecture, ImageSpec
from spaces.errors import InputError
from spaces.packages import source_of
from tests.own_packages import Own, own
from workers.augment import OWN, Augment, augment
from workers.objectives import OBJECTIVES, counted, finite
from workers.packages import load_parts, require
from workers.sources import DATASETS

__all__ = ["own"]

OBJECTIVE = """
from workers.objectives import Objective
OBJECTIVES = {'calm': Objective(name='calm', title='calm', unit='1', direction='minimize', static=False, measure=len)}
"""
OTHERS = """
from workers.sources import Source
DATASETS = {'nothing': Source(read=lambda spec, train: None)}
AUGMENTATIONS = {'darker': lambda images, generator: images / 2, 'smaller': lambda images, generator: images[:1]}
"""


def test_every_table_is_taken_up_and_a_second_time_changes_nothing(own: Own) -> None:
    own.write(OBJECTIVE + OTHERS)
    for _ in range(2):
        load_parts("own")
        assert OBJECTIVES["calm"].title == "calm"
        assert "nothing" in DATASETS
        assert set(OWN) == {"darker", "smaller"}


def test_images_are_changed_as_a_package_says(own: Own) -> None:
    own.write(OTHERS)
    load_parts("own")
    images, generator = torch.ones(2, 1, 4, 4), torch.Generator()
    assert torch.equal(augment(images, Augment(own="darker"), generator), images / 2)
    with pytest.raises(InputError, match=r"augmentation smaller makes \(1, 1, 4, 4\) torch.float32 of \(2, 1, 4, 4\)"):
        augment(images, Augment(own="smaller"), generator)
    with pytest.raises(InputError, match="unknown augmentation 'brighter'"):
        Augment(own="brighter")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (OBJECTIVE.replace("{'calm'", "{'accuracy'"), "objective 'accuracy' of own has the name 'calm'"),
        (OBJECTIVE.replace("'calm'", "'accuracy'"), "objectives of own: 'accuracy' has the name of another"),
        (OBJECTIVE.replace(", measure=len", ""), "objective 'calm' of own has no measure"),
        (OBJECTIVE.replace("static=False", "static=True"), "objective 'calm' of own has no count"),
        (OBJECTIVE.replace("'minimize'", "'down'"), "minimize or maximize is wanted"),
        (OBJECTIVE.replace("title='calm'", "title='x' * 101"), "title 'xxx.* is no text of at most 100 characters"),
        (OBJECTIVE.replace("unit='1'", "unit='\\x1b[2J'"), "unit .* that can be seen"),
        (OBJECTIVE.replace("unit='1'", "unit=' '"), "objective 'calm' has no unit"),
        (OTHERS.replace("'nothing'", "'digits'"), "datasets of own: 'digits' has the name of another"),
        ("AUGMENTATIONS = {'darker': 3}", r"own.AUGMENTATIONS\['darker'\] is no Callable"),
    ],
)
def test_a_part_that_is_none_or_has_the_name_of_another_is_refused(own: Own, text: str, said: str) -> None:
    own.write(text)
    with pytest.raises(InputError, match=said):
        load_parts("own")


@pytest.mark.parametrize(
    ("count", "said"),
    [
        ("lambda *_: 1 / 0", "objective calm fails: ZeroDivisionError: division by zero"),
        ("lambda only: 1.0", "objective calm fails: TypeError"),
        ("lambda *_: None", "objective calm counts None: no finite number from 0 on"),
        ("lambda *_: '3'", "objective calm counts '3': no finite number"),
        ("lambda *_: float('nan')", "objective calm counts nan: no finite number"),
        ("lambda *_: 10**400", "objective calm counts 10+.*: no finite number"),
        ("lambda *_: -1.0", "objective calm counts -1.0: no finite number from 0 on"),
    ],
)
def test_what_an_objective_counts_is_a_number_or_refused(own: Own, count: str, said: str) -> None:
    own.write(OBJECTIVE.replace("static=False, measure=len", f"static=True, count={count}"))
    load_parts("own")
    with pytest.raises(InputError, match=said):
        counted(Architecture(), ImageSpec())


def test_a_tensor_of_one_number_is_a_number(own: Own) -> None:
    own.write(
        "import torch" + OBJECTIVE.replace("static=False, measure=len", "static=True, count=lambda *_: torch.ones(1)")
    )
    load_parts("own")
    assert counted(Architecture(), ImageSpec())["calm"] == 1.0
    assert isinstance(counted(Architecture(), ImageSpec())["calm"], float)


@pytest.mark.parametrize("found", [float("nan"), "0.5", None, torch.ones(2), float("inf"), "x" * 10_000])
def test_what_an_objective_measures_is_a_finite_number_or_the_trials_failure(found: object) -> None:
    with pytest.raises(InputError, match=r"objective accuracy measures .* in epoch 3: no finite number") as told:
        finite(OBJECTIVES["accuracy"], found, 3)
    assert len(str(told.value)) < 200


def test_nobody_runs_a_source_that_is_not_the_one_that_is_meant(own: Own) -> None:
    marker = own.folder / "ran"
    own.write(f"open({str(marker)!r}, 'w').close()\n")
    with pytest.raises(InputError, match=f"package own has source {source_of('own')} here; 0123 is wanted"):
        require({"own": "0123"})
    assert not marker.exists()
    require({"own": source_of("own")})
    assert marker.exists()
    with pytest.raises(InputError, match="are no mapping"):
        require(["own"])  # type: ignore[arg-type]
