"""Test `workers.timing`: an epoch is reckoned from a part of it."""

import pytest
import torch

from spaces.architecture import ImageSpec
from workers.measure import noise
from workers.measurement import Measurement
from workers.timing import part, scaled_s


def toy_measurement(train_s: float, eval_s: float) -> Measurement:
    return Measurement(epoch=2, metrics={"train_loss": 1.0, "peak_bytes": 2.0**20}, train_s=train_s, eval_s=eval_s)


def test_an_epoch_is_so_many_times_its_part_as_it_has_steps_and_images_to_pass() -> None:
    whole = noise(ImageSpec(channels=1, height=2, width=2), 1050)
    whole = part(whole, 1050)
    some = part(whole, 40)
    # 105 steps of 10 instead of 4; 1 + 512 images to pass instead of 1 + 40
    assert scaled_s(toy_measurement(4.0, 0.0), some, whole, batch=10) == pytest.approx(105.0)
    assert scaled_s(toy_measurement(0.0, 41.0), some, whole, batch=10) == pytest.approx(513.0)
    assert scaled_s(toy_measurement(4.0, 41.0), whole, whole, batch=10) == 45.0


def test_a_smaller_batch_at_the_end_takes_no_time_as_it_is_not_trained_on() -> None:
    whole = noise(ImageSpec(channels=1, height=2, width=2), 49)
    assert scaled_s(toy_measurement(2.0, 0.0), part(whole, 20), whole, batch=10) == pytest.approx(4.0)


def test_a_part_is_the_first_images_with_their_labels() -> None:
    whole = noise(ImageSpec(channels=1, height=2, width=2), 50)
    some = part(whole, 20)
    assert torch.equal(some.train_images, whole.train_images[:20])
    assert torch.equal(some.train_labels, whole.train_labels[:20])
    assert len(some.val_images) == len(some.val_labels) == 1
    assert some.classes == whole.classes


def test_of_fewer_images_than_a_batch_the_one_batch_is_the_epoch() -> None:
    whole = noise(ImageSpec(channels=1, height=2, width=2), 8)
    assert scaled_s(toy_measurement(2.0, 1.0), part(whole, 100), whole, batch=100) == pytest.approx(3.0)
