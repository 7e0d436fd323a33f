"""An epoch's batches are each image once, changed and normalised, by a few operations a step."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.workers.counted import counted, launched
from workers import batches as module
from workers.augment import OWN, Augment, augment
from workers.batches import Scale, batches
from workers.datasets import Dataset

ALL = Augment(crop=2, flip=True, cutout=4)


def numbered(count: int = 64, how: Augment | None = None) -> Dataset:
    """Return random images of 8x8 whose label is their place."""
    images = torch.randint(256, (count, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return Dataset(
        name="numbered", train_images=images, train_labels=torch.arange(count), val_images=images[:4],
        val_labels=torch.arange(4), mean=torch.tensor([0.2, 0.5, 0.7]), std=torch.tensor([0.3, 0.2, 0.1]),
        class_names=tuple(map(str, range(count))), augment=how or Augment(),
    )  # fmt: skip


def made(data: Dataset, how: Augment, *, size: int = 8, seed: int = 0) -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    return list(batches(data, Scale.of(data, torch.channels_last), how, generator, size=size))


def normalised(data: Dataset, images: Tensor) -> Tensor:
    return (images / 255 - data.mean.reshape(1, -1, 1, 1)) / data.std.reshape(1, -1, 1, 1)


def test_without_changes_every_image_comes_once_and_normalised() -> None:
    data = numbered(67)
    found = made(data, Augment())
    assert [len(labels) for _, labels in found] == [8] * 8  # three wait for another epoch
    labels = torch.cat([labels for _, labels in found])
    assert len(set(labels.tolist())) == 64
    torch.testing.assert_close(torch.cat([images for images, _ in found]), normalised(data, data.train_images[labels]))


@pytest.mark.parametrize("how", [Augment(), Augment(crop=2, pad="reflect"), Augment(cutout=3), ALL])
def test_what_is_made_does_not_hang_on_how_much_is_made_at_a_time(
    how: Augment, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {}
    for numbers in (1, 5 * 8 * 192, 2**30):
        monkeypatch.setitem(module.AT_ONCE, "cpu", numbers)
        found[numbers] = made(numbered(), how)
    one, *others = found.values()
    for other in others:
        assert all(torch.equal(a, b) for pair in zip(one, other, strict=True) for a, b in zip(*pair, strict=True))


def test_what_is_blank_is_the_mean_and_everything_else_a_pixel_of_its_image() -> None:
    data = numbered()
    for images, labels in made(data, ALL):
        assert images.is_contiguous(memory_format=torch.channels_last)
        own = normalised(data, data.train_images[labels])
        for image, before in zip(images.flatten(0, 1), own.flatten(0, 1), strict=True):
            assert image.unique().numel() > 2
            assert (
                torch.isclose(image.flatten()[:, None], torch.cat([before.flatten(), torch.zeros(1)]), atol=1e-5)
                .any(1)
                .all()
            )


def test_a_cutout_blanks_a_square_and_leaves_the_rest() -> None:
    data = numbered(8)
    ((images, labels),) = made(data, Augment(cutout=3))
    blank = images == 0
    torch.testing.assert_close(images[~blank], normalised(data, data.train_images[labels])[~blank], rtol=0, atol=1e-5)
    assert set(blank.sum(dim=(2, 3)).flatten().tolist()) <= {4, 6, 9}  # in a corner, at an edge, within


def test_a_package_changes_each_batch_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setitem(OWN, "halve", lambda images, _generator: (seen.append(len(images)), images / 2)[1])
    data = numbered()
    whole, halved = made(data, Augment()), made(data, Augment(own="halve"))
    assert seen == [8] * 8
    assert all(torch.equal(one / 2, other) for (one, _), (other, _) in zip(whole, halved, strict=True))


@pytest.mark.parametrize("how", [Augment(), Augment(crop=2, flip=True), ALL])
def test_a_step_of_small_images_costs_at_most_four_operations(how: Augment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(module.AT_ONCE, "cpu", module.AT_ONCE["cuda"])
    data = numbered(1200)
    with counted() as seen:
        steps = len(made(data, how, size=64))
    assert steps == 18
    assert launched(seen) <= 4 * steps
    with counted() as alone:  # what a batch by itself takes
        augment(data.train_images[:64].float(), ALL, torch.Generator())
    assert launched(alone) > 20


def test_the_same_generator_gives_the_same_epoch_and_another_another() -> None:
    data = replace(numbered(), augment=ALL)
    one, again, other = (made(data, ALL, seed=seed) for seed in (1, 1, 2))
    assert all(torch.equal(a[0], b[0]) for a, b in zip(one, again, strict=True))
    assert not any(torch.equal(a[0], b[0]) for a, b in zip(one, other, strict=True))
