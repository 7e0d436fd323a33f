"""Say what comes through each block of a network in training: the gradient, and what its branch adds to its shortcut.

The gradient is the loss' at a block's output, as it is this one that a shortcut hands on to the block before (He et al.
2016, equation 5). Without, it vanishes, or explodes where there are normalisations (Yang et al. 2019). Those of weights
say less, as a normalisation behind a convolution lets them shrink as its weights grow. The branch over the shortcut is
how much of a block is left: in trained networks many change little of what they read (He et al. 2015, figure 7; Greff
et al. 2017).

Both are of whole images that are not changed, nothing dropped and normalised as in training: L2 norms of an image's
numbers, as root mean squares over images. Nothing of the network changes: gradients are asked for by themselves, and
buffers and modes are put back.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from spaces.blocks import Highway, Inception, MergeRun, MultiResidual, Residual
from spaces.layers import Gated
from spaces.network import Network
from spaces.shuffles import Shuffled
from workers.measurement import Flow

Tell = Callable[[Tensor, Tensor], None]  # hears of both terms of an addition: branch, shortcut


def flow(network: nn.Module, losses: Iterable[tuple[int, Callable[[], Tensor]]]) -> tuple[Flow, ...]:
    """Return what comes through each block, in order; nothing of a network whose blocks nobody knows.

    Args:
        network: in whatever mode; it is left as it was.
        losses: by their numbers of images, what passes them through the network and returns their mean loss.
    """
    blocks = dict(_blocks(network))
    if not blocks:
        return ()
    device = next(network.parameters()).device
    sums = torch.zeros(len(blocks), 3, dtype=torch.float64, device=device)  # gradient, branch, shortcut: squares
    images = 0
    with _as_in_training(network), torch.enable_grad():
        for count, loss_of in losses:
            sums += _squares(list(blocks.values()), count, loss_of)
            images += count
    return tuple(_told(name, images, *row) for name, row in zip(blocks, sums.tolist(), strict=True))


def _blocks(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    for stage, blocks in enumerate(network.stages if isinstance(network, Network) else (), start=1):
        assert isinstance(blocks, nn.Sequential)
        for number, block in enumerate(blocks, start=1):
            yield f"{stage}.{number}", block


def _told(name: str, images: int, gradient: float, branch: float, shortcut: float) -> Flow:
    norm = math.sqrt(gradient / images) if images and math.isfinite(gradient) else None
    known = shortcut > 0 and math.isfinite(branch / shortcut)
    return Flow(block=name, gradient=norm, branch=math.sqrt(branch / shortcut) if known else None)


@contextmanager
def _as_in_training(network: nn.Module) -> Iterator[None]:
    """Let normalisations read the batch and nothing be dropped; modes and buffers are put back."""
    modes = [(module, module.training) for module in network.modules()]
    held = [(buffer, buffer.clone()) for buffer in network.buffers()]
    network.eval()
    for module, _ in modes:
        if isinstance(module, nn.BatchNorm2d):
            module.train()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
        with torch.no_grad():
            for buffer, before in held:
                buffer.copy_(before)


def _squares(blocks: Sequence[nn.Module], count: int, loss_of: Callable[[], Tensor]) -> Tensor:
    """Return for each block the sums over images of its squared norms: gradient, branch, shortcut."""
    outputs: list[list[Tensor]] = [[] for _ in blocks]
    terms: list[list[Tensor]] = [[] for _ in blocks]
    with ExitStack() as stack:
        for block, output, found in zip(blocks, outputs, terms, strict=True):
            for hook in (_keeping(block, output), *_listening(block, found)):
                stack.callback(hook.remove)
        loss = loss_of() * count  # of a mean, each image's gradient is that share
    gradients = _gradients(loss, outputs)
    none = loss.new_zeros((), dtype=torch.float64)
    rows = zip(gradients, terms, strict=True)
    return torch.stack([
        torch.stack([none if gradient is None else _square(gradient), *(found or (none, none))])
        for gradient, found in rows
    ])  # fmt: skip


def _gradients(loss: Tensor, outputs: Sequence[Sequence[Tensor]]) -> list[Tensor | None]:
    """Return the gradients at what each block put out last; None where none reaches it. Parameters keep theirs."""
    reached = {place: outs[-1] for place, outs in enumerate(outputs) if outs and outs[-1].requires_grad}
    found = torch.autograd.grad(loss, list(reached.values()), allow_unused=True) if reached else ()
    by_place = dict(zip(reached, found, strict=True))
    return [by_place.get(place) for place in range(len(outputs))]


def _square(values: Tensor) -> Tensor:
    return values.detach().float().square().sum(dtype=torch.float64)


def _keeping(module: nn.Module, outs: list[Tensor]) -> RemovableHandle:
    return module.register_forward_hook(lambda _module, _inputs, out: outs.append(out))


def _listening(block: nn.Module, found: list[Tensor]) -> Iterator[RemovableHandle]:
    """Yield hooks by which both terms of a block's addition are heard; none where its shortcut is not known."""

    def tell(branch: Tensor, shortcut: Tensor) -> None:
        found[:] = [_square(branch), _square(shortcut)]

    listen = TERMS.get(type(block))  # a package's may be one of ours, changed
    return listen(block, tell) if listen else iter(())


def _joined(block: nn.Module, tell: Tell) -> Iterator[RemovableHandle]:
    def heard(join: nn.Module, inputs: tuple[Any, ...]) -> None:
        x, through, added = inputs
        if isinstance(join, Gated):
            with torch.no_grad():
                share = join.gate(x)
                through, added = (1 - share) * through, share * added if join.exclusive else added
        tell(added, through)

    if isinstance(block, Highway) or block.shortcut is not None:
        assert isinstance(block.join, nn.Module)
        yield block.join.register_forward_pre_hook(heard)


def _merged(block: nn.Module, tell: Tell) -> Iterator[RemovableHandle]:
    assert isinstance(block, MergeRun)
    outs = list[Tensor]()

    def heard(_dropout: nn.Module, _inputs: Any, merged: Tensor) -> None:
        if block.streams_out == 1:
            tell(outs[0] + outs[1], merged)
        else:
            tell(torch.cat(outs), torch.cat([merged, merged]))

    if len(block.shortcuts):
        for branch in block.branches:
            yield _keeping(branch, outs)
        yield block.dropout.register_forward_hook(heard)


def _shuffled(block: nn.Module, tell: Tell) -> Iterator[RemovableHandle]:
    assert isinstance(block, Shuffled)
    through = list[Tensor]()
    if not block.beside:  # else nothing is added: what it makes stands beside what it read
        yield _keeping(block.shortcut, through)
        yield block.branch.register_forward_hook(lambda _branch, _inputs, out: tell(out, through[-1]))


TERMS: dict[type[nn.Module], Callable[[nn.Module, Tell], Iterator[RemovableHandle]]] = {
    Residual: _joined, MultiResidual: _joined, Inception: _joined, Highway: _joined, MergeRun: _merged,
    Shuffled: _shuffled,
}  # fmt: skip
