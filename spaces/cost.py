"""Hold what a network costs before it is trained. `spaces.counting` finds it out."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Count one network, for one image.

    Normalisation, activation functions and pooling are left out of `macs` and `activations`, as the papers do.
    """

    params: int  # trainable numbers
    macs: int  # multiply-accumulates of convolutions and linear layers; papers call them FLOPs
    activations: int  # numbers that convolutions and linear layers put out
    weight_bytes: int  # parameters and buffers as float32
    training_bytes: int = 0  # held at most while a batch is trained on: see `spaces.counting`

    def to_json(self) -> dict[str, int]:
        """Return the fields as plain numbers."""
        return asdict(self)


NAMES = tuple(item.name for item in fields(Cost))


def sum_costs(parts: Iterable[Cost]) -> Cost:
    """Return the cost of all parts together."""
    listed = list(parts)
    return Cost(**{name: sum(getattr(part, name) for part in listed) for name in NAMES})
