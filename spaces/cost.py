"""Hold what a network costs before it is trained. `spaces.counting` finds it out."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Count one network, for one image.

    Normalisation, activation functions and pooling are left out of `macs` and `activations`, as the papers do.
    """

    params: int  # trainable numbers
    macs: int  # multiply-accumulates of convolutions and linear layers; papers call them FLOPs
    activations: int  # numbers that convolutions and linear layers put out
    weight_bytes: int  # parameters and buffers as float32

    def __add__(self, other: "Cost") -> "Cost":
        """Return the cost of both together."""
        return Cost(
            params=self.params + other.params,
            macs=self.macs + other.macs,
            activations=self.activations + other.activations,
            weight_bytes=self.weight_bytes + other.weight_bytes,
        )

    def to_json(self) -> dict[str, int]:
        """Return the fields as plain numbers."""
        return asdict(self)
