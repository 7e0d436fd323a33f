"""What a network costs before it is trained. `spaces.counting` finds it out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields


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
    more: Mapping[str, float] = field(default_factory=dict)  # what else is known before training, by name

    def value(self, name: str) -> float:
        """Return a cost by its name.

        Raises:
            KeyError: it is not known of this network.
        """
        return float(self.more[name] if name in self.more or name not in NAMES else getattr(self, name))

    def to_json(self) -> dict[str, int]:
        """Return what is counted of every network as plain numbers."""
        return {name: getattr(self, name) for name in NAMES}


NAMES = tuple(item.name for item in fields(Cost) if item.name != "more")


def sum_costs(parts: Iterable[Cost]) -> Cost:
    """Return the cost of all parts together."""
    listed = list(parts)
    return Cost(**{name: sum(getattr(part, name) for part in listed) for name in NAMES})
