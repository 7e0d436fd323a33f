"""Say what stands between a picture and the numbers that a network reads: enough to use its weights anywhere."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from spaces.architecture import ImageSpec
from spaces.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocess:
    """Stretch a picture to `height` by `width`, make it grey or RGB; on a scale of 0 to 1, (x - mean) / deviation.

    Pictures are stretched as `workers.pictures` does it: by Pillow's bilinear filter, after EXIF rotation, each channel
    alone. Of other numbers of channels there are arrays alone, of the network's own size.
    """

    channels: int  # 1: grey; 3: RGB; 4: RGB and transparency, or of an array as it was
    height: int  # pixels
    width: int  # pixels
    mean: tuple[float, ...]  # of each channel
    deviation: tuple[float, ...]  # of each channel; 1 where it is constant
    class_names: tuple[str, ...]  # in the order of the outputs
    white: float | None = None  # in grey of 16 bits, where the training pictures were of that kind
    scale: float | None = None  # the value that is white in arrays, where it is not 255

    @property
    def image(self) -> ImageSpec:
        """Return what the network reads and tells apart."""
        classes = len(self.class_names)
        return ImageSpec(channels=self.channels, height=self.height, width=self.width, classes=classes)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values, tuples as lists."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, described: Mapping[str, Any]) -> "Preprocess":
        """Return what `to_json` described.

        Raises:
            InputError: a field is missing, unknown, or does not fit the others.
        """
        given: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in described.items()
        }
        try:
            made = cls(**given)
            fits = len(made.mean) == len(made.deviation) == made.channels and min(made.image.height, made.width) > 0
        except TypeError as error:
            raise InputError(f"is no description of images: {error}") from error
        if not fits:
            raise InputError(f"a mean and a deviation for each of {made.channels} channels are required")
        return made
