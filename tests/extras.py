"""What the tests can use beyond what README names: each is found, or skipped with the way to get it."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from workers.sources import DEBIAN_FASHION


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """Something that may be on a machine."""

    place: Path | None
    install: str

    @property
    def missing(self) -> str:
        """How to get it, or nothing where it is here."""
        return "" if self.place and self.place.exists() else f"not on this machine: {self.install}"


def _chromium() -> Path | None:
    found = filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
    return next(map(Path, found), None)


EXTRAS = {
    "chromium": Extra(place=_chromium(), install="apt-get install chromium"),
    "fashion-mnist": Extra(place=DEBIAN_FASHION, install="apt-get install dataset-fashion-mnist"),
}
