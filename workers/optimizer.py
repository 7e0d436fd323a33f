"""Step the weights of a network: SGD with Nesterov momentum, or AdamW, on one flat buffer for all parameters.

Parameters and their gradients are views of two buffers, those that decay first, so that a step is four operations (SGD)
however many layers there are. Each number is computed as torch.optim computes it on a CPU, one parameter at a time:
equal to the last bit, and a checkpoint's momenta are kept in the layout that torch.optim gives them, so that either
reads the other's. torch.optim itself is left alone, as the first optimizer made there imports torch's compiler: about
900 modules, which no training needs.
"""

import math
from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn

SECOND_BETA = 0.999  # of AdamW (Loshchilov & Hutter 2019), as torch.optim has it
EPSILON = 1e-8
ALIGNED = 16  # numbers: a parameter begins where 64 bytes do, as one of its own would, since some kernels ask for it


class Flat:
    """The parameters of a network in one buffer, with their gradients in another.

    Weights decay; norms and biases, the parameters of one axis, do not. A parameter that a step's loss does not hang on
    has the gradient 0 there, so that its momentum and its decay go on.
    """

    kinds: tuple[str, ...] = ()  # what is kept for each number between steps, by its name in torch.optim

    def __init__(self, network: nn.Module, *, weight_decay: float) -> None:
        """Move the parameters into the buffer; where they were before holds nothing of the network any more.

        Raises:
            ValueError: they are of several types or devices, or there are none.
        """
        given = sorted(network.parameters(), key=lambda p: p.ndim <= 1)
        if len({(p.dtype, p.device) for p in given}) != 1:
            raise ValueError("the parameters of a network are of one type, on one device")
        self.parameters = given
        self.weight_decay = weight_decay
        self.sizes = [-(-p.numel() // ALIGNED) * ALIGNED for p in given]  # what fills a part is 0 and stays 0
        self.decaying = sum(size for p, size in zip(given, self.sizes, strict=True) if p.ndim > 1)
        self.values = torch.zeros(sum(self.sizes), dtype=given[0].dtype, device=given[0].device)
        self.gradients = torch.zeros_like(self.values)
        self.kept = {kind: torch.zeros_like(self.values) for kind in self.kinds}
        self.steps = 0
        for p, value, gradient in zip(given, self._views(self.values), self._views(self.gradients), strict=True):
            value.copy_(p.detach())
            p.data = value
            p.grad = gradient

    def _views(self, buffer: Tensor) -> list[Tensor]:
        """Return each parameter's part of a buffer, in its shape and layout."""
        begins = accumulate(self.sizes, initial=0)
        return [buffer.as_strided(p.shape, p.stride(), at) for p, at in zip(self.parameters, begins, strict=False)]

    def zero(self) -> None:
        """Forget the gradients: to be called before each step's backward pass."""
        self.gradients.zero_()

    def largest(self) -> Tensor:
        """Return the largest magnitude of a gradient: a scalar on the device, not finite where one of them is not."""
        return self.gradients.abs().max()

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Change the parameters by what their gradients say, which are used up."""
        self.steps += 1
        self._step(rate)

    def _step(self, rate: float) -> None:
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        """Return what the next step needs, as torch.optim's optimizers of two groups return it."""
        kept = {kind: self._views(buffer) for kind, buffer in self.kept.items()}
        state = {index: {**self._counted(), **{kind: views[index].clone() for kind, views in kept.items()}}
                 for index in range(len(self.parameters))}  # fmt: skip
        count = sum(p.ndim > 1 for p in self.parameters)
        groups = [range(count), range(count, len(self.parameters))]
        return {
            "state": state if self.steps else {},
            "param_groups": [
                {"params": list(members), "weight_decay": decay, **self._settings()}
                for members, decay in zip(groups, (self.weight_decay, 0.0), strict=True)
            ],
        }

    def _counted(self) -> dict[str, Tensor]:
        """Return what a parameter keeps beside the buffers."""
        return {}

    def _settings(self) -> dict[str, Any]:
        raise NotImplementedError

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up what `state_dict` returned, here or of torch.optim; one without a momentum for a parameter has 0.

        Raises:
            ValueError: it is of another network.
        """
        for kind, buffer in self.kept.items():
            buffer.zero_()
            views = self._views(buffer)
            for index, held in state["state"].items():
                if kind in held and held[kind] is not None:
                    _copy(views, int(index), held[kind])
        self.steps = _steps(state["state"].values())


class Sgd(Flat):
    """SGD with Nesterov momentum (Sutskever et al. 2013), or none where the momentum is 0."""

    kinds = ("momentum_buffer",)

    def __init__(self, network: nn.Module, *, weight_decay: float, momentum: float) -> None:
        """Take the parameters of a network."""
        super().__init__(network, weight_decay=weight_decay)
        self.momentum = momentum

    def _step(self, rate: float) -> None:
        gradients, velocity = self.gradients, self.kept["momentum_buffer"]
        if self.weight_decay:
            gradients[: self.decaying].add_(self.values[: self.decaying], alpha=self.weight_decay)
        if self.momentum:
            velocity.mul_(self.momentum).add_(gradients)
            gradients.add_(velocity, alpha=self.momentum)
        self.values.add_(gradients, alpha=-rate)

    def _settings(self) -> dict[str, Any]:
        return {"momentum": self.momentum, "nesterov": self.momentum > 0, "dampening": 0}


class AdamW(Flat):
    """Adam with decay apart from the gradient (Loshchilov & Hutter 2019)."""

    kinds = ("exp_avg", "exp_avg_sq")

    def __init__(self, network: nn.Module, *, weight_decay: float, first_beta: float) -> None:
        """Take the parameters of a network."""
        super().__init__(network, weight_decay=weight_decay)
        self.betas = (first_beta, SECOND_BETA)

    def _step(self, rate: float) -> None:
        first, second = self.betas
        mean, square = (self.kept[kind] for kind in self.kinds)
        if self.weight_decay:
            self.values[: self.decaying].mul_(1 - rate * self.weight_decay)
        mean.lerp_(self.gradients, 1 - first)
        square.mul_(second).addcmul_(self.gradients, self.gradients, value=1 - second)
        spread = square.sqrt().div_(math.sqrt(1 - second**self.steps)).add_(EPSILON)
        self.values.addcdiv_(mean, spread, value=-rate / (1 - first**self.steps))

    def _counted(self) -> dict[str, Tensor]:
        return {"step": torch.tensor(float(self.steps))}

    def _settings(self) -> dict[str, Any]:
        return {"betas": self.betas, "eps": EPSILON}


def _copy(views: list[Tensor], index: int, held: Tensor) -> None:
    if not index < len(views) or views[index].shape != held.shape:
        raise ValueError("the optimizer's state is of another network")
    views[index].copy_(held)


def _steps(kept: Iterable[Mapping[str, Any]]) -> int:
    """Return how many steps a state tells of; one that does not count them tells that there were any."""
    return max((int(held.get("step", 1)) for held in kept), default=0)
