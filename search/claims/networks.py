"""Build what claims name for the images at hand, and count what is exact of it."""

from collections.abc import Callable
from dataclasses import dataclass

from search.core.claims import Claim
from spaces.architecture import Architecture, ImageSpec, plan
from spaces.counting import cost
from spaces.errors import InputError
from spaces.names import Named, asked
from spaces.paths import paths

SMALL = 32  # pixels of the shorter side, below which stages of usual networks would have maps of a pixel or none


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A network as a claim names it."""

    text: str
    architecture: Architecture


def is_small(image: ImageSpec) -> bool:
    """Return whether claims take their form for small images."""
    return min(image.height, image.width) < SMALL


def networks_of(claim: Claim, image: ImageSpec) -> tuple[Network, ...]:
    """Return the networks of a claim: the first, and the second if it has one.

    Raises:
        InputError: one of them cannot read such images; placed at the claim.
    """
    try:
        return tuple(_built(text, image) for text in claim.networks(small=is_small(image)))
    except InputError as error:
        raise error.at(claim.id) from error


def named(text: str) -> Named:
    """Return the network that a text such as `wrn-16-2 dropout=between` names.

    Raises:
        InputError: nobody knows it, or it cannot have such fields.
    """
    name, *settings = text.split() or [""]
    try:
        return asked(name, settings)
    except InputError as error:
        raise InputError(error.message, place=text) from error


def _built(text: str, image: ImageSpec) -> Network:
    architecture = named(text).architecture
    cost(architecture, image)  # refuses what cannot read it
    return Network(text=text, architecture=architecture)


def counted(claim: Claim, text: str) -> float:
    """Return the quantity of a claim for a network on the images that it is known for: nothing else is exact.

    Raises:
        InputError: nobody knows the network.
    """
    return COUNTS[claim.of](named(text), claim.lengths)


def _cost(name: str) -> Callable[[Named, tuple[int, int]], float]:
    return lambda given, _lengths: float(getattr(cost(given.architecture, given.image), name))


COUNTS: dict[str, Callable[[Named, tuple[int, int]], float]] = {
    "params": _cost("params"),
    "macs": _cost("macs"),
    "activations": _cost("activations"),
    "paths": lambda given, _lengths: float(paths(plan(given.architecture)).count),
    "path_mean": lambda given, _lengths: paths(plan(given.architecture)).mean,
    "path_longest": lambda given, _lengths: float(paths(plan(given.architecture)).longest),
    "path_share": lambda given, lengths: paths(plan(given.architecture)).share(*lengths),
}
