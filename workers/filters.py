"""Say what the first convolution of a network has learned: which of its filters are Gabor's, and which are negatives.

A Gabor filter is a wave under a Gaussian window. A filter is compared with every one of a grid, of any phase and of any
weight for each of the channels read; the share explained is that of its energy (its sum of squares). Small filters
resemble some Gabor filter by chance, so the same is told of random ones. CReLU was argued for by filters that come in
pairs of opposite sign (Shang et al. 2016).
"""

import math
from collections.abc import Iterator
from itertools import product
from typing import Any

import torch
from torch import Tensor

ANGLES = 36  # from 0 to 175 degrees
FREQUENCIES = 11  # from 0 to 0.5 cycles a pixel
WINDOWS = (1 / 6, 1 / 4, 1 / 3, 1 / 2)  # deviations of the window, in sides of the filter
ALIKE = 0.9  # cosine from which two filters are near copies, or below whose negative they are near negatives
RANDOM = 200  # filters that chance is told by
TINY = 1e-9
SEEN = (1, 3)  # channels of pictures: grey, or colours


def filters(weight: Tensor) -> Iterator[dict[str, Any]]:
    """Yield a row of chance, one for each filter, and one for each pair that is nearly equal or opposite.

    Args:
        weight: `o c k k`, of the convolution; with the signs that a normalisation gives them.
    """
    held = weight.detach().cpu().double()
    drawn = torch.randn(RANDOM, *held.shape[1:], generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    explained = _matches(drawn)[0]
    yield {
        "what": "chance", "explained": float(explained.median()), "explained_95": float(explained.quantile(0.95)),
        "opposite_cosine": _opposite_by_chance(held),
    }  # fmt: skip
    cosines = _cosines(held)
    yield from _channels(held, cosines)
    for one, other in product(range(len(held)), repeat=2):
        if one < other and abs(cosines[one, other]) >= ALIKE:
            yield {"what": "pair", "channel": one, "other": other, "cosine": float(cosines[one, other])}


def _channels(weight: Tensor, cosines: Tensor) -> Iterator[dict[str, Any]]:
    shares, places = _matches(weight)
    grid = _grid(weight.shape[-1])
    for channel in range(len(weight)):
        angle, frequency, window = grid[int(places[channel])]
        dead = float(weight[channel].abs().max()) < TINY
        others = [place for place in range(len(weight)) if place != channel]
        nearest = max(others, key=lambda place: float(cosines[channel, place]), default=None)
        opposite = min(others, key=lambda place: float(cosines[channel, place]), default=None)
        yield {
            "what": "channel", "channel": channel,
            "orientation_deg": None if dead or not frequency else math.degrees(angle),
            "frequency": None if dead else frequency, "window_px": None if dead else window,
            "explained": None if dead else float(shares[channel]),
            "nearest": nearest, "nearest_cosine": None if nearest is None else float(cosines[channel, nearest]),
            "opposite": opposite, "opposite_cosine": None if opposite is None else float(cosines[channel, opposite]),
            "channels": weight.shape[1], "weight": _seen(weight[channel]),
        }  # fmt: skip


def _seen(weight: Tensor) -> list[list[list[float]]]:
    """Return a filter `c k k` in three digits, to be seen: where nobody sees its channels, their mean."""
    shown = weight if len(weight) in SEEN else weight.mean(dim=0, keepdim=True)
    return [[[float(f"{each:.3g}") for each in row] for row in plane] for plane in shown.tolist()]


def _grid(side: int) -> list[tuple[float, float, float]]:
    """Return angles in radians, cycles a pixel, and deviations of the window in pixels; without a wave, one angle."""
    angles = [math.pi * place / ANGLES for place in range(ANGLES)]
    frequencies = [0.5 * place / (FREQUENCIES - 1) for place in range(FREQUENCIES)]
    every = product(angles, frequencies, (share * side for share in WINDOWS))
    return [(angle, frequency, window) for angle, frequency, window in every if frequency or not angle]


def gabor(side: int, angle: float, frequency: float, window: float) -> Tensor:
    """Return the two filters of one wave, a quarter of it apart, orthonormal `2 k*k`; the second may be nothing.

    Args:
        side: pixels.
        angle: of the direction in which it changes, from rightwards to downwards, in radians.
        frequency: cycles a pixel.
        window: the Gaussian's deviation, in pixels.
    """
    along = torch.arange(side, dtype=torch.float64) - (side - 1) / 2
    down, right = torch.meshgrid(along, along, indexing="ij")
    phase = 2 * math.pi * frequency * (right * math.cos(angle) + down * math.sin(angle))
    bell = torch.exp(-(right**2 + down**2) / (2 * window**2))
    even, odd = ((bell * wave(phase)).flatten() for wave in (torch.cos, torch.sin))
    even = even / even.norm().clamp_min(TINY)
    odd = odd - (odd @ even) * even
    return torch.stack([even, odd / odd.norm() if odd.norm() > 1e-6 else torch.zeros_like(odd)])


def _matches(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return the largest share of each filter's energy that a Gabor filter explains, and its place in the grid."""
    side = weight.shape[-1]
    atoms = torch.stack([gabor(side, *each) for each in _grid(side)])  # g 2 k*k
    flat = weight.flatten(2)
    energy = flat.square().sum(dim=(1, 2)).clamp_min(TINY)
    shares = torch.zeros(len(flat), len(atoms), dtype=torch.float64)
    for channel in range(flat.shape[1]):  # one by one: images may have hundreds
        shares += torch.einsum("ok,gpk->ogp", flat[:, channel], atoms).square().sum(dim=2)
    best, places = (shares / energy[:, None]).max(dim=1)
    return best, places


def _cosines(weight: Tensor) -> Tensor:
    flat = torch.nn.functional.normalize(weight.flatten(1), dim=1)
    return flat @ flat.T


def _opposite_by_chance(weight: Tensor) -> float | None:
    """Return the median, over random filters of this number and shape, of each one's lowest cosine to another."""
    if len(weight) < 2:
        return None
    drawn = torch.randn(weight.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return float(_cosines(drawn).min(dim=1).values.median())
