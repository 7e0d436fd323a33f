"""What torch holds once for a process and a training depends on: taken along by each training as turns are taken."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class ProcessState:
    """Generators of random numbers, and how convolutions are computed.

    Precision of autocast, gradients and streams are each thread's own; how float32 is multiplied on a GPU is set alike
    by all (`workers.numerics.set_cuda`).
    """

    drawn: Tensor  # state of the processor's generator
    drawn_there: Tensor | None  # and of the GPU's
    onednn: bool
    autotuned: bool  # cuDNN tries its routines

    @classmethod
    def now(cls, device: torch.device) -> "ProcessState":
        """Return what holds now."""
        there = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
        onednn = bool(torch.backends.mkldnn.enabled)
        return cls(torch.get_rng_state(), there, onednn, torch.backends.cudnn.benchmark)

    def put_back(self, device: torch.device) -> None:
        """Let it hold again."""
        torch.set_rng_state(self.drawn)
        if self.drawn_there is not None:
            torch.cuda.set_rng_state(self.drawn_there, device)
        torch.backends.mkldnn.set_flags(self.onednn)  # type: ignore[no-untyped-call]  # torch's own
        torch.backends.cudnn.benchmark = self.autotuned
