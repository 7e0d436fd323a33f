"""Count the multiply-accumulates of any module by the operations that it runs: its layers are not ours."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own documentation names it so
from torch import Tensor
from torch.overrides import TorchFunctionMode

from spaces.errors import InputError

Count = Callable[[Any, Any, Tensor], int]  # of the first two arguments and what came out


def _convolution(_x: Tensor, weight: Tensor, out: Tensor) -> int:
    return out.numel() * weight[0].numel()


def _transposed(x: Tensor, weight: Tensor, _out: Tensor) -> int:
    return x.numel() * weight[0].numel()


def _product(x: Tensor, _other: Tensor, out: Tensor) -> int:
    return out.numel() * x.shape[-1]


_COUNTS: dict[Any, Count] = {
    **dict.fromkeys((F.conv1d, F.conv2d, F.conv3d), _convolution),
    **dict.fromkeys((F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d), _transposed),
    **dict.fromkeys(
        (
            F.linear,
            torch.matmul,
            torch.linalg.matmul,
            torch.mm,
            torch.bmm,
            torch.mv,
            torch.inner,
            torch.dot,
            Tensor.matmul,
            Tensor.mm,
            Tensor.bmm,
            Tensor.mv,
            Tensor.inner,
            Tensor.dot,
            Tensor.__matmul__,
        ),
        _product,
    ),
}
_SECOND = ("weight", "other", "mat2", "vec", "tensor")  # what the second argument is called
_UNKNOWN = frozenset({
    "einsum", "scaled_dot_product_attention", "multi_head_attention_forward", "native_multi_head_attention",
    "bilinear", "tensordot", "lstm", "gru", "rnn_tanh", "rnn_relu", "lstm_cell", "gru_cell", "rnn_tanh_cell",
    "rnn_relu_cell", "addmm", "addmv", "baddbmm", "addbmm", "multi_dot", "chain_matmul", "vecdot", "vdot", "cdist",
    "sparse_mm", "convolution", "conv_tbc", "rmatmul",
})  # fmt: skip  # that multiply and accumulate in ways not told here


_BARE = (torch._ops.OpOverload, torch._ops.OpOverloadPacket)  # of torch.ops: by another way than torch's functions


def _first_two(args: Sequence[Any], named: Mapping[str, Any]) -> Sequence[Any]:
    """Return what an operation reads first and second, in whatever order it was given by name."""
    first = [] if args else [named["input"]]
    return [*args, *first, *(named[name] for name in _SECOND if name in named)][:2]


class Operations(TorchFunctionMode):
    """Add up what operations multiply and accumulate, and every number that they put out.

    Raises:
        InputError: an operation multiplies and accumulates in a way that is not known here.
    """

    def __init__(self) -> None:
        super().__init__()
        self.macs = 0
        self.activations = 0  # numbers that they put out which multiply
        self.numbers = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operation and count it."""
        name = getattr(func, "__name__", "").strip("_").removeprefix("linalg_")
        if name in _UNKNOWN or name.startswith("fft_") or isinstance(func, _BARE):
            raise InputError(f"uses {name}, whose multiply-accumulates are not counted; matmul and convolutions are")
        out = func(*args, **(kwargs or {}))
        if isinstance(out, Tensor) and not isinstance(out, torch.nn.Parameter):
            self.numbers += out.numel()
        if (count := _COUNTS.get(func)) is not None:
            first, second = _first_two(args, kwargs or {})
            self.macs += count(first, second, out)
            self.activations += out.numel()
        return out
