"""What a training does for others in its process: alone nothing, while in `workers.engine` it takes turns."""

from typing import Any

import torch
from torch import Tensor

from spaces.errors import TrialFailure
from workers.device import peak_bytes, start_peak
from workers.failures import classify


class Company:
    """Nobody else: each question is answered as for a process of its own."""

    alone = True  # nobody waits while this training compiles

    def passes(self, phase: str) -> None:
        """Let others go on, perhaps, between two pieces of work; called as `workers.pulse.Beat` is, behind it."""

    def waits(self, device: torch.device) -> None:
        """Let others go on until a device has done what this training gave it; called before it is waited for."""

    def steps(self, trainer: Any, images: Tensor, labels: Tensor, rate: float) -> Tensor | None:  # noqa: ARG002
        """Return the loss of a step that was taken in another way; None: it is taken as it is.

        Args:
            trainer: a `workers.trainer.Trainer`.
            images: `n c h w`.
            labels: `n`.
            rate: of learning.
        """
        return None

    def start_peak(self, device: torch.device) -> None:
        """Begin to measure this training's peak memory anew."""
        start_peak(device)

    def peak_bytes(self, device: torch.device) -> int:
        """Return the most bytes that this training held since: see `workers.device.peak_bytes`."""
        return peak_bytes(device)

    def judges(self, error: Exception) -> TrialFailure:
        """Return the failure that an exception is of a training with this company."""
        return classify(error)


NOBODY = Company()
