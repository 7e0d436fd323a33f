"""Equal images are found as comparing every pair finds them."""

from itertools import product

import torch
from hypothesis import given
from hypothesis import strategies as st

from workers.duplicates import duplicates

PARTS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=8)  # a picture's number, its class


def part(drawn: list[tuple[int, int]]) -> tuple[torch.Tensor, torch.Tensor]:
    images = torch.zeros(len(drawn), 2, 3, 3, dtype=torch.uint8)
    for place, (number, _) in enumerate(drawn):
        images[place, 1, 2, 2] = number
    return images, torch.tensor([label for _, label in drawn], dtype=torch.int64)


@given(train=PARTS, val=PARTS)
def test_it_is_what_comparing_all_pairs_finds(train: list[tuple[int, int]], val: list[tuple[int, int]]) -> None:
    found = duplicates(*part(train), *part(val))
    pictures = [number for number, _ in train]
    copied = [place for place, (number, _) in enumerate(val) if number in pictures]
    repeated = [place for place, (number, _) in enumerate(val) if number in [each for each, _ in val[:place]]]
    both = [*train, *val]
    odd = [one for one in both if any(one[0] == other[0] and one[1] != other[1] for other in both)]
    assert (found.copied, found.repeated, found.contradicting) == (len(copied), len(repeated), len(odd))
    assert found.first_copied == ((copied[0], pictures.index(val[copied[0]][0])) if copied else None)
    assert found.first_repeated == (
        (repeated[0], [number for number, _ in val].index(val[repeated[0]][0])) if repeated else None
    )
    if found.first_contradicting:
        one, other = (both[place] for place in found.first_contradicting)
        assert one[0] == other[0]
        assert one[1] != other[1]


def test_a_single_pixel_of_any_channel_tells_images_apart() -> None:
    images = torch.zeros(1, 5, 2, 2, dtype=torch.uint8)
    nought = torch.zeros(1, dtype=torch.int64)
    for channel, row, column in product(range(5), range(2), range(2)):
        other = images.clone()
        other[0, channel, row, column] = 1
        assert duplicates(images, nought, other, nought).copied == 0
    assert duplicates(images, nought, images.clone(), nought).copied == 1


def test_images_that_lie_in_memory_in_another_order_are_equal() -> None:
    images = torch.arange(120, dtype=torch.uint8).reshape(2, 5, 3, 4)
    other = images.to(memory_format=torch.channels_last)
    labels = torch.zeros(2, dtype=torch.int64)
    assert duplicates(images, labels, other, labels).copied == 2
