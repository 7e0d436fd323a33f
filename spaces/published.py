"""Find what was published of a network: `published.csv` holds errors of known ones, as their papers print them.

What papers print wrongly is not in it: ResNet-1202 has 19.4 M parameters and ResNet-1001 10.3 M, which a table of the
wide residual networks mixes up; DFN-MR3 has 24.2 M, not 24.8 M; a depth label of a wide network with three
convolutions in a block is not its number of layers.
"""

import csv
import math
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files

from spaces.architecture import Architecture, ImageSpec
from spaces.cost import Cost
from spaces.kinds import KINDS
from spaces.names import named
from spaces.settings import read_settings

ALIKE = ("attention", "branches", "levels")  # fields that a network called near has too
NEAR = 1.5  # times as many parameters, or as few, that a network called near may have


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One published result; the error is in percent, as it was printed."""

    network: str
    settings: str  # fields that differ from the name's, as `--set` takes them
    data: str
    classes: int
    params: int
    error_percent: float
    source: str

    @property
    def architecture(self) -> Architecture:
        """Return what was trained."""
        return replace(named(self.network).architecture, **read_settings(self.settings.split()))

    @property
    def image(self) -> ImageSpec:
        """Return what it was trained on."""
        return replace(named(self.network).image, classes=self.classes)


@lru_cache(maxsize=1)
def results() -> tuple[Result, ...]:
    """Return every result there is."""
    text = (files("spaces") / "published.csv").read_text(encoding="utf-8")
    return tuple(
        Result(
            network=row["network"],
            settings=row["settings"],
            data=row["data"],
            classes=int(row["classes"]),
            params=int(row["params"]),
            error_percent=float(row["error_percent"]),
            source=row["source"],
        )
        for row in csv.DictReader(text.splitlines())
    )


def same_network(architecture: Architecture, image: ImageSpec, counted: Cost) -> list[Result]:
    """Return the results of exactly this network for the same images."""
    alike = [found for found in results() if found.params == counted.params and found.image == image]
    return [found for found in alike if found.architecture.digest == architecture.digest]


def nearest(architecture: Architecture, image: ImageSpec, counted: Cost) -> Result | None:
    """Return the result of the network nearest in parameters, of the same kind of block and the same images."""
    makes = KINDS[architecture.block]
    alike = [
        found
        for found in results()
        if abs(math.log(found.params / counted.params)) <= math.log(NEAR)
        and found.image == image
        and KINDS[found.architecture.block] == makes
        and all(getattr(found.architecture, name) == getattr(architecture, name) for name in ALIKE)
    ]
    return min(alike, key=lambda found: abs(math.log(found.params / counted.params)), default=None)
