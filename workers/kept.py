"""Take up weights that a study has kept, beside the validation images that they were measured on."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from spaces.errors import StudyError
from workers.checkpoint import Checkpoint
from workers.datasets import Dataset
from workers.numerics import usual
from workers.trainer import Trainer, TrialSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Where the weights of a trial are, and what they were trained as."""

    trial: int
    address: str  # of the checkpoint: a path or URL
    spec: TrialSpec
    weights: str  # their SHA-256, as `digest_of` tells it
    cost: float = 0.0  # of the network, where costs are added up

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return {
            "trial": self.trial, "address": self.address, "spec": self.spec.to_json(), "weights": self.weights,
            "cost": self.cost,
        }  # fmt: skip

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "Kept":
        """Return what `to_json` described."""
        return cls(**{**told, "spec": TrialSpec.from_json(told["spec"])})

    def state(self) -> dict[str, Any]:
        """Return what the checkpoint holds.

        Raises:
            StudyError: it is gone, or holds other weights than those that were meant.
            OSError: it cannot be reached.
        """
        state = Checkpoint(self.address).load()
        if state is None or digest_of(state["network"]) != self.weights:
            raise StudyError(f"the weights of trial {self.trial} have changed or gone meanwhile; try it again")
        return state

    def take_up(self, data: Dataset) -> Trainer:
        """Return the trained network, ready to be looked at; its normalisations as training left them.

        Args:
            data: on the device that computes; its validation images are what the network is asked of.
        """
        state = self.state()
        trainer = Trainer(
            self.spec, data, numerics=usual(self.spec.recipe, data.train_images.device, state.get("numerics"))
        )
        trainer.resume({**state, "optimizer": None})
        return trainer


def digest_of(network: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of weights by name, equal wherever the same ones are."""
    digest = hashlib.sha256()
    for name in sorted(network):
        held = network[name].detach().cpu().contiguous()
        digest.update(f"{name} {held.dtype} {tuple(held.shape)} ".encode())
        digest.update(held.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
