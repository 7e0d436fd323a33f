"""How a network is trained, apart from what it is and what it sees."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from spaces.domains import Scalar
from spaces.errors import InputError, unknown

PRECISIONS = ("auto", "float32", "bfloat16")
MEMORY_FORMATS = ("auto", "channels_first", "channels_last")
COMPILES = ("auto", "never", "always")
MOST_PASSES = 1000
BALANCES = ("none", "weights", "sampling")  # how classes of unequal size come to count alike
OPTIMIZERS = ("sgd", "adamw")
SCHEDULES = ("cosine", "linear", "constant")
# What a study can search beside the network, in the order in which it is chosen. No field of a network has such a name.
SEARCHED = (
    "optimizer",
    "schedule",
    "batch_size",
    "learning_rate",
    "momentum",
    "weight_decay",
    "warmup_epochs",
    "label_smoothing",
    "crop",
    "cutout",
)

OPTIONS = {
    "balance": BALANCES, "optimizer": OPTIMIZERS, "schedule": SCHEDULES, "precision": PRECISIONS,
    "memory_format": MEMORY_FORMATS, "compile": COMPILES,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Train with SGD and Nesterov momentum, a linear warm-up and half a cosine, label smoothing, decay on weights only.

    Or with AdamW (Loshchilov & Hutter 2019: decay apart from the gradient), and down to zero on a line or not at all.

    `auto` takes what was measured to be faster on the device (see `workers.device`).
    """

    epochs: int = 9  # full fidelity: the length of the schedule, whether or not a trial reaches its end
    batch_size: int = 64
    learning_rate: float = 0.1  # at its peak
    momentum: float = 0.9  # of adamw, its first beta
    weight_decay: float = 5e-4  # not on norms and biases
    warmup_epochs: float = 1.0
    label_smoothing: float = 0.1
    balance: str = "none"  # weights: the loss weighs classes; sampling: an epoch draws them equally often
    optimizer: str = "sgd"
    schedule: str = "cosine"  # of the learning rate after the warm-up
    crop: int | None = None  # pixels; nothing: as the data say (`workers.augment`)
    cutout: int | None = None  # pixels; nothing: as the data say
    precision: str = "auto"
    memory_format: str = "auto"
    compile: str = "auto"  # steps by torch.compile: where it saves more than it takes (`workers.compiling`)
    monte_carlo: int = 0  # passes with dropout on whose probabilities evaluation averages; 0: one pass without dropout

    def __post_init__(self) -> None:
        for name, least in (("epochs", 1), ("batch_size", 2)):  # normalisations need two images to tell apart
            if getattr(self, name) < least:
                raise InputError(f"{getattr(self, name)} is below {least}", place=name)
        self._check_numbers()
        for name, options in OPTIONS.items():
            if getattr(self, name) not in options:
                raise InputError(unknown(name, getattr(self, name), options), place=name)

    def _check_numbers(self) -> None:
        for name in ("learning_rate", "momentum", "weight_decay", "warmup_epochs", "label_smoothing"):
            most = 1 if name in ("momentum", "label_smoothing") else math.inf
            if not 0 <= getattr(self, name) < most:
                asked = "at least 0 and below 1" if most == 1 else "a number of at least 0"
                raise InputError(f"{getattr(self, name)} is not {asked}", place=name)
        if not _is_whole(self.monte_carlo, MOST_PASSES):
            raise InputError(f"{self.monte_carlo!r} is not a whole number from 0 to {MOST_PASSES}", place="monte_carlo")
        for name in ("crop", "cutout"):
            if (pixels := getattr(self, name)) is not None and not _is_whole(pixels):
                raise InputError(f"{pixels!r} is not a whole number of pixels, 0 or more", place=name)

    def chosen(self, params: Mapping[str, Scalar]) -> "Recipe":
        """Return it with what a trial has chosen: a trial's parameters name network and recipe together.

        Raises:
            InputError: a value is none of a recipe's.
        """
        return replace(self, **chosen(params))  # type: ignore[arg-type]  # checked by the recipe itself

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Recipe":
        """Return the recipe that `to_json` described."""
        return cls(**fields)


def _is_whole(value: object, most: float = math.inf) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most


def chosen(params: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Return those of a trial's values that are its recipe's."""
    return {name: params[name] for name in SEARCHED if name in params}


def identity(digest: str, params: Mapping[str, Scalar]) -> str:
    """Return what equal networks share that are trained by equal recipes: where none is searched, the digest alone.

    Numbers are compared as numbers, since a file may say 1 today and 1.0 tomorrow.
    """
    return " ".join([digest, *(f"{name}={_plain(value)}" for name, value in chosen(params).items())])


def _plain(value: Scalar) -> Scalar:
    return value if isinstance(value, (bool, str)) else float(value)
