"""Reckon how long an epoch takes from a warm part of one."""

from dataclasses import replace

import torch

from workers.datasets import Dataset
from workers.measurement import Measurement
from workers.trainer import RECALIBRATE, Trainer, TrialSpec

TIMED_BATCHES = 16  # of an epoch, at most
TIMED_S = 2.0  # that an epoch of so many batches should not exceed, if one batch does not


def epoch_s(trial: TrialSpec, data: Dataset, device: torch.device, first: Measurement | None = None) -> float:
    """Return the seconds of an epoch of all images, training and validation.

    Args:
        trial: what trains.
        data: need not be on the device.
        device: what computes.
        first: what a warm epoch of one batch revealed, where that is known; a slow network is timed by it alone.
    """
    batch = trial.recipe.batch_size
    one = part(data, batch)
    first = first or second_epoch(trial, one, device)
    batches = max(1, min(TIMED_BATCHES, int(TIMED_S / first.wall_s)))
    if batches == 1:
        return scaled_s(first, one, data, batch=batch)
    timed = part(data, batches * batch)
    return scaled_s(second_epoch(trial, timed, device), timed, data, batch=batch)


def second_epoch(trial: TrialSpec, data: Dataset, device: torch.device) -> Measurement:
    """Return what the second epoch reveals: the first one warms up, and only then is there a momentum."""
    trainer = Trainer(replace(trial, recipe=replace(trial.recipe, epochs=2)), data.to(device))
    trainer.run_epoch()
    return trainer.run_epoch()


def part(data: Dataset, count: int) -> Dataset:
    """Return the first images of a data set, at most `count` to train on and as many to be measured on."""
    return replace(
        data,
        train_images=data.train_images[:count],
        train_labels=data.train_labels[:count],
        val_images=data.val_images[:count],
        val_labels=data.val_labels[:count],
    )


def scaled_s(timed: Measurement, some: Dataset, whole: Dataset, *, batch: int) -> float:
    """Return the seconds of an epoch of the whole data, from those of an epoch of some of them."""
    # A smaller batch at the end is left out; where there is no other, it is the only one.
    steps = [max(1, len(data.train_labels) // batch) for data in (some, whole)]
    # Before images are measured on, others are, for the statistics of normalisations.
    passed = [len(data.val_labels) + min(RECALIBRATE, len(data.train_labels)) for data in (some, whole)]
    return timed.train_s * steps[1] / steps[0] + timed.eval_s * passed[1] / passed[0]
