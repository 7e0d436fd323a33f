"""Capture a training's step once as a CUDA graph and replay it: forward, backward and optimizer by one call.

Not run on a GPU yet. Each training has a pool of memory of its own: graphs that share one may not be replayed at the
same time, and those of several streams are.
"""

from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn

from spaces.errors import first_line
from spaces.layers import DropBranch, DropPath, Swapout
from workers.trainer import Trainer

WARM_STEPS = 4  # that run as they are first: libraries choose their routines, and memory is given out
OURS = ("spaces.", "torch.nn.")  # modules whose steps hold nothing but operations on the device


def refusal(trainer: Trainer) -> str:
    """Return why a training's steps run as they are; nothing where they may be captured."""
    if trainer.device.type != "cuda":
        return "a processor has no graphs"
    if trainer.compiling.on:
        return "its steps are compiled"
    return network_refusal(trainer.network)


def network_refusal(network: nn.Module) -> str:
    """Return what of a network cannot be captured: what draws, or what may do anything, as a package's blocks may.

    Some draw on the host whether to compute at all. The draws of a graph begin at a number on the device that is one
    for each generator, and graphs that are replayed at once on two streams would each write theirs there.
    """
    for module in network.modules():
        kind = type(module)
        if _draws(module):
            return f"{kind.__name__} draws random numbers"
        if not kind.__module__.startswith(OURS):
            return f"nobody knows what {kind.__name__} of {kind.__module__} does"
    return ""


def _draws(module: nn.Module) -> bool:
    """Whether a module draws in training; a rate of 0 draws nothing, but of paths, where one column may be left."""
    if isinstance(module, nn.modules.dropout._DropoutNd):
        return module.p > 0
    return isinstance(module, DropPath) or (isinstance(module, (DropBranch, Swapout)) and module.rate > 0)


class Graphs:
    """The steps of one training, captured after a few and replayed from then on."""

    def __init__(self) -> None:
        """Capture nothing yet."""
        self.failed: str | None = None  # why not; nobody has looked
        self._seen = 0
        self._graph: Any = None
        self._static: tuple[Tensor, Tensor, Tensor, Tensor] | None = None  # images, labels, factors, loss

    def step(self, trainer: Trainer, images: Tensor, labels: Tensor, rate: float) -> Tensor | None:
        """Return the loss of a step that was replayed, or None where the step is to be taken as it is."""
        if self.failed is None:
            self.failed = refusal(trainer)
        if self.failed:
            return None
        self._seen += 1
        if self._seen <= WARM_STEPS:
            return None
        if self._static is None:
            try:
                self._capture(trainer, images, labels)
            except Exception as error:  # of many kinds; nothing of the step was computed
                self.failed, self._graph, self._static = first_line(error) or "capturing failed", None, None
                return None
        return self._replay(trainer, images, labels, rate)

    def _capture(self, trainer: Trainer, images: Tensor, labels: Tensor) -> None:
        stream = torch.cuda.current_stream(trainer.device)
        static_images, static_labels = images.clone(), labels.clone()
        factors = torch.zeros(len(trainer.optimizer.factors(0.0)), device=trainer.device)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
            loss = trainer.loss(static_images, static_labels)
            trainer.optimizer.apply(factors.unbind())
        self._graph, self._static = graph, (static_images, static_labels, factors, loss)

    def _replay(self, trainer: Trainer, images: Tensor, labels: Tensor, rate: float) -> Tensor:
        assert self._static is not None
        static_images, static_labels, factors, loss = self._static
        static_images.copy_(images)
        static_labels.copy_(labels)
        trainer.optimizer.steps += 1
        factors.copy_(torch.tensor(trainer.optimizer.factors(rate)), non_blocking=True)
        self._graph.replay()
        return loss

    def forget(self) -> None:
        """Give the graph's memory back."""
        with suppress(Exception):  # the context may be broken
            self._graph = self._static = None
