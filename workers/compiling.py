"""Compile the steps of a network where that pays, and train without where it does not work.

What is compiled adds up in another order, so it is not equal to the bit; a training that was compiled stays so when it
goes on.
"""

import hashlib
import logging
import os
import platform
import shutil
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from spaces.errors import first_line
from workers.device import cache_folder
from workers.memory import text
from workers.pulse import COMPILING, Beat

COST_S = 85.0  # that compiling a network took here, on one core: 80 to 90 for residual networks of CIFAR-10
SAVED = 0.25  # of a step, at least, where it helps
# Of what the kernel says of processors: what differs from core to core or hour to hour.
CHANGES = (
    "processor", "core id", "apicid", "initial apicid", "physical id", "siblings", "cpu cores", "cpu MHz", "bogomips",
    "BogoMIPS", "microcode",
)  # fmt: skip
Run = Callable[[nn.Module], Tensor]


class Compiling:
    """Whether the steps of a training are compiled, decided epoch by epoch."""

    def __init__(self, how: str, *, before: bool = False) -> None:
        """Take what a recipe says, and whether the training was compiled before it was interrupted."""
        self.how = how
        self.on = how == "always" or (before and how == "auto")
        self.failed = ""  # why it did not work; it is not tried again
        self._compiled: nn.Module | None = None

    def consider(self, steps: int, step_s: float) -> None:
        """Begin to compile where so many steps, which will be trained in any case, save more than it costs."""
        if self.how == "auto" and not self.failed:
            self.on = self.on or steps * step_s * SAVED > COST_S

    def step(self, network: nn.Module, run: Run, beat: Beat) -> Tensor:
        """Return what a step comes to: of the network compiled, or as it is where that is not wanted or fails.

        Args:
            network: in training.
            run: computes the step by a network that it is given, from its beginning.
            beat: hears that the first one takes long.
        """
        if not self.on or self.failed:
            return run(network)
        drawn = torch.get_rng_state() if self._compiled is None else None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if self._compiled is None:
                    beat(COMPILING)
                return run(self._begin(network) if self._compiled is None else self._compiled)
        except (MemoryError, torch.OutOfMemoryError):  # the step's own
            raise
        except Exception as error:  # of many kinds: there is no compiler, or it refuses
            self.failed, self._compiled = first_line(error), None
        if drawn is not None:
            torch.set_rng_state(drawn)
        return run(network)

    def _begin(self, network: nn.Module) -> nn.Module:
        if missing := _missing():
            raise RuntimeError(missing)
        with suppress(OSError):  # else where torch puts it
            os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache_folder() / f"inductor-{processor()}"))
        os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", str(torch.get_num_threads()))  # no more than its share
        for name in ("torch._dynamo", "torch._inductor"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        made: nn.Module = torch.compile(network, dynamic=False)  # type: ignore[assignment]  # torch's own stub
        self._compiled = made
        return made

    def to_json(self) -> dict[str, Any]:
        """Return what a checkpoint says of it."""
        return {"on": self.on and not self.failed, "failed": self.failed}


def processor(told: Path = Path("/proc/cpuinfo")) -> str:
    """Return a name for what this processor can do.

    Torch compiles for the very processor and keeps what it made by its source alone, so that another machine which
    reads the same folder could take up code that crashes there.

    Args:
        told: where the kernel says it.
    """
    lines = [platform.machine(), platform.processor(), *text(told).splitlines()]
    kept = {line for line in lines if not line.startswith(CHANGES)}
    return hashlib.sha256("\n".join(sorted(kept)).encode()).hexdigest()[:12]


def _missing() -> str:
    """Return what is not here and always needed, so that nobody waits for the import of torch's compiler in vain."""
    name = os.environ.get("CXX") or ("clang++" if sys.platform == "darwin" else "g++")
    return "" if shutil.which(name) else f"there is no C++ compiler {name} here"
