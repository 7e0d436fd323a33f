"""Test `workers.augment`."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from spaces.errors import InputError
from workers.augment import Augment, augment

HOWS = st.builds(
    Augment,
    crop=st.integers(0, 3),
    flip=st.booleans(),
    cutout=st.integers(0, 4),
    pad=st.sampled_from(["zeros", "reflect"]),
)


def numbered(n: int = 1, c: int = 1, h: int = 6, w: int = 6, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return images in which every pixel of a channel is another number, from 1 on."""
    return (torch.arange(c * h * w) % 255 + 1).reshape(1, c, h, w).expand(n, c, h, w).contiguous().to(dtype)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def windows(image: Tensor, crop: int, mode: str) -> list[Tensor]:
    """Return every window that a crop can cut out of one image `1 c h w`, by padding it for real."""
    h, w = image.shape[2:]
    padded = torch.nn.functional.pad(image, (crop,) * 4, mode=mode)
    reach = range(2 * crop + 1)
    return [padded[0, :, top : top + h, left : left + w] for top in reach for left in reach]


@given(how=HOWS, n=st.integers(0, 5), c=st.sampled_from([1, 3]), h=st.integers(4, 9), w=st.integers(4, 9))
def test_shape_type_and_device_stay(how: Augment, n: int, c: int, h: int, w: int) -> None:
    for dtype in (torch.uint8, torch.float32, torch.bfloat16):
        images = numbered(n, c, h, w, dtype)
        changed = augment(images, how, seeded())
        assert (changed.shape, changed.dtype, changed.device) == (images.shape, dtype, images.device)


@given(how=HOWS, seed=st.integers(0, 2**31))
def test_the_same_generator_state_gives_the_same_images(how: Augment, seed: int) -> None:
    images = numbered(8, 3)
    assert torch.equal(augment(images, how, seeded(seed)), augment(images, how, seeded(seed)))


@given(how=HOWS)
def test_the_given_images_and_the_global_generator_are_left_as_they_are(how: Augment) -> None:
    images, state = numbered(8, 3), torch.random.get_rng_state()
    augment(images, how, seeded())
    assert torch.equal(images, numbered(8, 3))
    assert torch.equal(torch.random.get_rng_state(), state)


@given(how=HOWS)
def test_every_pixel_of_the_result_is_one_of_its_own_image_and_channel_or_blank(how: Augment) -> None:
    offset = 1000.0 * torch.arange(4).reshape(4, 1, 1, 1) + 100.0 * torch.arange(2).reshape(1, 2, 1, 1)
    images = numbered(4, 1) + offset
    changed = augment(images, how, seeded())
    for image, result in zip(images.flatten(0, 1), changed.flatten(0, 1), strict=True):
        assert set(result.flatten().tolist()) <= set(image.flatten().tolist()) | {0.0}


def test_nothing_asked_changes_nothing_and_draws_nothing() -> None:
    images, generator = numbered(4), seeded()
    before = generator.get_state()
    assert torch.equal(augment(images, Augment(), generator), images)
    assert torch.equal(generator.get_state(), before)


@pytest.mark.parametrize(("pad", "mode"), [("zeros", "constant"), ("reflect", "reflect")])
def test_a_crop_is_a_window_of_the_padded_image_and_every_window_comes_up(pad: str, mode: str) -> None:
    images = numbered(2000, 3, 5, 7)
    cropped = augment(images, Augment(crop=2, pad=pad), seeded())
    found = [sum(torch.equal(result, window) for window in windows(images[:1], 2, mode)) for result in cropped[:200]]
    assert found == [1] * 200
    assert len({tuple(result.flatten().tolist()) for result in cropped}) == 25


def test_every_crop_offset_is_about_as_frequent() -> None:
    n, crop = 25_000, 2
    corner = augment(numbered(n, 1, 5, 5), Augment(crop=crop, pad="reflect"), seeded())[:, 0, 2, 2]
    counts = torch.unique(corner, return_counts=True)[1]
    assert len(counts) == 25
    assert (counts - n / 25).abs().max() < 5 * (n / 25) ** 0.5


def test_a_flip_mirrors_left_to_right_about_half_of_the_images() -> None:
    images = numbered(4000)
    flipped = augment(images, Augment(flip=True), seeded())
    mirrored = (flipped == images.flip(3)).flatten(1).all(dim=1)
    kept = (flipped == images).flatten(1).all(dim=1)
    assert (mirrored ^ kept).all()
    assert 0.45 < mirrored.float().mean() < 0.55


def test_flipping_twice_with_the_same_draws_gives_the_image_back() -> None:
    images, how = numbered(64, 3), Augment(flip=True)
    assert torch.equal(augment(augment(images, how, seeded()), how, seeded()), images)


def test_an_image_that_is_cropped_and_flipped_is_the_mirror_of_a_window() -> None:
    images = numbered(200, 1, 5, 5)
    expected = [other for window in windows(images[:1], 1, "constant") for other in (window, window.flip(2))]
    changed = augment(images, Augment(crop=1, flip=True), seeded())
    assert all(any(torch.equal(result, window) for window in expected) for result in changed)
    assert len({tuple(result.flatten().tolist()) for result in changed}) == 18


@given(side=st.integers(1, 6), seed=st.integers(0, 1000))
def test_cutout_blanks_one_square_cut_by_the_edges_alike_in_every_channel(side: int, seed: int) -> None:
    images = numbered(16, 3)
    changed = augment(images, Augment(cutout=side), seeded(seed))
    blank = changed == 0
    assert torch.equal(changed[~blank], images[~blank])
    assert (blank == blank[:, :1]).all()
    for mask in blank[:, 0]:
        rows, cols = mask.any(dim=1), mask.any(dim=0)
        assert torch.equal(mask, rows[:, None] & cols[None, :])
        for along in (rows, cols):
            places = along.nonzero().flatten()
            assert 1 <= len(places) <= side
            assert len(places) == places[-1] - places[0] + 1
            assert len(places) == side or along[0] or along[-1]


def test_every_pixel_can_be_the_centre_of_a_cutout() -> None:
    changed = augment(numbered(2000), Augment(cutout=1), seeded())
    assert (changed == 0).any(dim=0).all()


def test_two_images_of_a_batch_are_changed_independently() -> None:
    for how in (Augment(crop=2), Augment(flip=True), Augment(cutout=2)):
        changed = augment(numbered(64), how, seeded())
        assert len({tuple(result.flatten().tolist()) for result in changed}) > 1


@given(how=HOWS, c=st.sampled_from([1, 3]))
def test_the_memory_format_stays_and_changes_no_value(how: Augment, c: int) -> None:
    images = numbered(4, c)
    for form in (torch.contiguous_format, torch.channels_last):
        changed = augment(images.contiguous(memory_format=form), how, seeded())
        assert changed.is_contiguous(memory_format=form)
        assert torch.equal(changed, augment(images, how, seeded()))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_the_draws_come_from_its_own_generator() -> None:
    images = numbered(64, 3).cuda().contiguous(memory_format=torch.channels_last)
    how = Augment(crop=2, flip=True, cutout=3)
    first, again = (augment(images, how, torch.Generator("cuda").manual_seed(0)) for _ in range(2))
    assert first.is_cuda
    assert torch.equal(first, again)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"crop": -1}, "crop: -1 is not a whole number of pixels, 0 or more"),
        ({"crop": True}, "crop: True is not a whole number"),
        ({"crop": 1.5}, "crop: 1.5 is not a whole number"),
        ({"cutout": "8"}, "cutout: '8' is not a whole number"),
        ({"flip": 1}, "flip: 1 is neither true nor false"),
        ({"pad": "mean"}, "pad: unknown padding 'mean'; known are zeros, reflect"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Augment(**fields)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (Augment(crop=4), "crop: 4 is not below the side of 4x9 images"),
        (Augment(cutout=5), "cutout: 5 is above the side of 4x9 images"),
    ],
)
def test_images_that_are_too_small_are_refused(how: Augment, message: str) -> None:
    with pytest.raises(InputError, match=message):
        augment(numbered(1, 1, 4, 9), how, seeded())


def test_equal_augmentations_are_equal_keys() -> None:
    assert {Augment(crop=2): 1}[Augment(crop=2)] == 1
