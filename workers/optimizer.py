"""Step the weights of a network: SGD with Nesterov momentum, or AdamW, on one flat buffer for all parameters.

Parameters and their gradients are views of two buffers, those that decay first, so that a step is four operations (SGD)
however many layers there are. Each number is computed as torch.optim computes it on a CPU, one parameter at a time:
equal to the last bit, and a checkpoint's momenta are kept in the layout that torch.optim gives them, so that either
reads the other's. torch.optim itself is left alone, as the first optimizer made there imports torch's compiler: about
900 modules, which no training needs.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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
    has the gradient 0 there, so that its momentum and its decay go on. One that no loss may change stays as it is.
    """

    kinds: tuple[str, ...] = ()  # what is kept for each number between steps, by its name in torch.optim

    def __init__(self, network: nn.Module, *, weight_decay: float) -> None:
        """Move the parameters into the buffer; where they were before holds nothing of the network any more.

        Raises:
            ValueError: they are of several types or devices, or there are none.
        """
        told = sorted(network.parameters(), key=lambda p: p.ndim <= 1)  # as torch.optim numbers them
        given = sorted(told, key=lambda p: not _decays(p))
        if len({(p.dtype, p.device) for p in given}) != 1:
            raise ValueError("the parameters of a network are of one type, on one device")
        self.parameters = given
        places = {id(p): place for place, p in enumerate(given)}
        self.places = [places[id(p)] for p in told]
        self.strides = [torch.empty_like(p).stride() for p in given]  # of a slice of something larger: its own alone
        self.weight_decay = weight_decay
        self.sizes = [-(-p.numel() // ALIGNED) * ALIGNED for p in given]  # what fills a part is 0 and stays 0
        self.decaying = sum(size for p, size in zip(given, self.sizes, strict=True) if _decays(p))
        self.values = torch.zeros(sum(self.sizes), dtype=given[0].dtype, device=given[0].device)
        self.gradients = torch.zeros_like(self.values)
        self.kept = {kind: torch.zeros_like(self.values) for kind in self.kinds}
        self.steps = 0
        self.parts = self.views(self.gradients)  # each parameter's gradient
        self.halves: Halves | None = None
        self._halves: Halves | None = None  # kept between epochs
        # A backward pass adds to each gradient that is there by an operation of its own. A GPU is spared them: what the
        # pass leaves is copied by one. On a processor they cost less than looking after them (5 % of a small step).
        self.collects = self.values.is_cuda
        self.paces: Tensor | None = None  # of each number: by how many times the rate it steps
        for p, value, gradient in zip(given, self.views(self.values), self.parts, strict=True):
            value.copy_(p.detach())
            p.data = value
            p.grad = gradient

    def views(self, buffer: Tensor) -> list[Tensor]:
        """Return each parameter's part of a buffer, in its shape and layout; of a shorter one, of those within it."""
        begins = accumulate(self.sizes, initial=0)
        return [
            buffer.as_strided(p.shape, stride, at)
            for p, stride, at in zip(self.parameters, self.strides, begins, strict=False)
            if at < len(buffer)
        ]

    def zero(self) -> None:
        """Forget the gradients: to be called before each step's backward pass."""
        if self.collects:
            for p in self.parameters:
                p.grad = None
            return
        self.gradients.zero_()
        if self.halves is not None:
            self.halves.gradients.zero_()

    def _collect(self) -> None:
        """Bring the gradients of a backward pass into the buffer; of what the loss does not hang on they are 0."""
        halves = self.halves
        parts = self.parts if halves is None else [*halves.parts, *self.parts[len(halves.parts) :]]
        if self.collects:
            _gather(self.parameters, parts)
        if halves is not None:
            self.gradients[: self.decaying].copy_(halves.gradients)

    def largest(self, part: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        """Return the largest magnitude of a gradient: a scalar on the device, not finite where one of them is not.

        Args:
            part: returns of each parameter's gradients those that are asked for; nothing: all.
        """
        if part is None:
            return self.gradients.abs().max()
        return torch.stack([part(each).abs().max() for each in self.parts]).max()

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Change the parameters by what their gradients say, which are used up."""
        self.steps += 1
        self.apply(self.factors(rate))

    @torch.no_grad()
    def apply(self, factors: Sequence[float | Tensor]) -> None:
        """Change the parameters by a step that is counted already: see `step`.

        Args:
            factors: as `factors` returns them, or scalars on the device, as a captured step reads them.
        """
        self._collect()
        self._step(factors)
        if self.halves is not None:
            self.halves.values.copy_(self.values[: self.decaying])

    def factors(self, rate: float) -> tuple[float, ...]:
        """Return all numbers of the latest step that are others in the next one."""
        raise NotImplementedError

    @contextmanager
    def in_bfloat16(self) -> Iterator[None]:
        """Let the network read its weights from copies in bfloat16 that each step brings up to date in one operation.

        Autocast would cast each weight at each step, and each gradient back: to the same numbers. It is for networks
        whose parameters of several axes are all read by layers that autocast lets compute in bfloat16
        (`workers.numerics.casts`).
        """
        self.halves = self._halves = self._halves or Halves(self)  # where they were: a captured step reads them there
        self.halves.values.copy_(self.values[: self.decaying].detach())
        weights = self.parameters[: len(self.halves.parts)]
        for p, value, part in zip(weights, self.views(self.halves.values), self.halves.parts, strict=False):
            p.grad, p.data, p.grad = None, value, part
        try:
            yield
        finally:
            self.halves = None
            for p, value, part in zip(weights, self.views(self.values), self.parts, strict=False):
                p.grad, p.data, p.grad = None, value, part

    def set_paces(self, paces: Sequence[float]) -> None:
        """Let parts of each parameter, equal ones along its first axis, step by so many times the rate from now on."""
        self.paces = torch.ones_like(self.values)
        for each in self.views(self.paces):
            for part, pace in zip(each.chunk(len(paces)), paces, strict=True):
                part.fill_(pace)

    def _step(self, factors: Sequence[float | Tensor]) -> None:
        raise NotImplementedError

    def state_dict(self, part: Callable[[Tensor], Tensor] = lambda held: held) -> dict[str, Any]:
        """Return what the next step needs, as torch.optim's optimizers of two groups return it.

        Args:
            part: returns what is wanted of what is kept for a parameter.
        """
        kept = {kind: [part(each) for each in self.views(buffer)] for kind, buffer in self.kept.items()}
        state = {index: {**self._counted(), **{kind: views[place].clone() for kind, views in kept.items()}}
                 for index, place in enumerate(self.places)}  # fmt: skip
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
            views = self.views(buffer)
            told = [views[place] for place in self.places]
            for index, held in state["state"].items():
                if kind in held and held[kind] is not None:
                    _copy(told, int(index), held[kind])
        self.steps = _steps(state["state"].values())


class Halves:
    """Copies in bfloat16 of the parameters that decay, and their gradients."""

    def __init__(self, flat: Flat) -> None:
        """Take what the parameters are now."""
        self.values = flat.values[: flat.decaying].to(torch.bfloat16)
        self.gradients = torch.zeros_like(self.values)
        self.parts = flat.views(self.gradients)


class Sgd(Flat):
    """SGD with Nesterov momentum (Sutskever et al. 2013), or none where the momentum is 0."""

    kinds = ("momentum_buffer",)

    def __init__(self, network: nn.Module, *, weight_decay: float, momentum: float) -> None:
        """Take the parameters of a network."""
        super().__init__(network, weight_decay=weight_decay)
        self.momentum = momentum

    def factors(self, rate: float) -> tuple[float, ...]:
        """Return by what gradients are added to weights."""
        return (-rate,)

    def _step(self, factors: Sequence[float | Tensor]) -> None:
        gradients, velocity = self.gradients, self.kept["momentum_buffer"]
        if self.weight_decay:
            gradients[: self.decaying].add_(self.values[: self.decaying], alpha=self.weight_decay)
        if self.momentum:
            velocity.mul_(self.momentum).add_(gradients)
            gradients.add_(velocity, alpha=self.momentum)
        if self.paces is not None:
            gradients.mul_(self.paces)
        (rate,) = factors
        if isinstance(rate, Tensor):
            self.values.addcmul_(gradients, rate)
        else:
            self.values.add_(gradients, alpha=rate)

    def _settings(self) -> dict[str, Any]:
        return {"momentum": self.momentum, "nesterov": self.momentum > 0, "dampening": 0}


class AdamW(Flat):
    """Adam with decay apart from the gradient (Loshchilov & Hutter 2019)."""

    kinds = ("exp_avg", "exp_avg_sq")

    def __init__(self, network: nn.Module, *, weight_decay: float, first_beta: float) -> None:
        """Take the parameters of a network."""
        super().__init__(network, weight_decay=weight_decay)
        self.betas = (first_beta, SECOND_BETA)

    def factors(self, rate: float) -> tuple[float, ...]:
        """Return what a weight loses, what spreads are divided by, and by what means are added to weights."""
        first, second = self.betas
        lost = rate * self.weight_decay
        return lost, math.sqrt(1 - second**self.steps), -rate / (1 - first**self.steps)

    def _step(self, factors: Sequence[float | Tensor]) -> None:
        lost, spreading, rate = factors
        first, second = self.betas
        mean, square = (self.kept[kind] for kind in self.kinds)
        if self.weight_decay:
            decays = self.values[: self.decaying]
            paces = 1.0 if self.paces is None else self.paces[: self.decaying]
            decays.mul_(1 - lost * paces)
        mean.lerp_(self.gradients, 1 - first)
        square.mul_(second).addcmul_(self.gradients, self.gradients, value=1 - second)
        spread = square.sqrt().div_(spreading).add_(EPSILON)
        if self.paces is not None:
            spread.div_(self.paces)
        if isinstance(rate, Tensor):
            self.values.addcmul_(mean / spread, rate)
        else:
            self.values.addcdiv_(mean, spread, value=rate)

    def _counted(self) -> dict[str, Tensor]:
        return {"step": torch.tensor(float(self.steps))}

    def _settings(self) -> dict[str, Any]:
        return {"betas": self.betas, "eps": EPSILON}


def _decays(parameter: nn.Parameter) -> bool:
    return parameter.ndim > 1 and parameter.requires_grad


def _gather(parameters: list[nn.Parameter], parts: list[Tensor]) -> None:
    """Copy gradients into their parts of a buffer, and let them be there: one operation for each type."""
    found = [(part, p.grad) for part, p in zip(parts, parameters, strict=True) if p.grad is not part]
    without = [part for part, gradient in found if gradient is None]
    if without:
        torch._foreach_zero_(without)
    for dtype in {part.dtype for part, _ in found}:
        pairs = [(part, gradient) for part, gradient in found if gradient is not None and part.dtype is dtype]
        if pairs:
            torch._foreach_copy_([part for part, _ in pairs], [gradient for _, gradient in pairs])
    for p, part in zip(parameters, parts, strict=True):
        p.grad = part


class Part(Flat):
    """What one member of a pack has of the optimizer of all of them, which alone steps."""

    def __init__(self, whole: Flat, part: Callable[[Tensor], Tensor]) -> None:
        """Take the optimizer, and what returns a member's part of what belongs to a parameter."""
        self.whole = whole
        self.part = part

    def largest(self, part: Callable[[Tensor], Tensor] | None = None) -> Tensor:  # noqa: ARG002
        """Return the largest magnitude of a gradient of the member."""
        return self.whole.largest(self.part)

    def state_dict(self, part: Callable[[Tensor], Tensor] = lambda held: held) -> dict[str, Any]:  # noqa: ARG002
        """Return what the member's next step needs, alone or in another pack."""
        return self.whole.state_dict(self.part)


def joined(states: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the state of the optimizer of a pack, of its members' own, which have made equally many steps."""
    first, *others = (each["state"] for each in states)

    def behind(index: int, kind: str, held: Tensor) -> Tensor:
        return torch.cat([held, *(each[index][kind] for each in others)]) if held.ndim else held

    state = {index: {kind: behind(index, kind, held) for kind, held in kept.items()} for index, kept in first.items()}
    return {**states[0], "state": state}


def _copy(views: list[Tensor], index: int, held: Tensor) -> None:
    if not index < len(views) or views[index].shape != held.shape:
        raise ValueError("the optimizer's state is of another network")
    views[index].copy_(held)


def _steps(kept: Iterable[Mapping[str, Any]]) -> int:
    """Return how many steps a state tells of; one that does not count them tells that there were any."""
    return max((int(held.get("step", 1)) for held in kept), default=0)
