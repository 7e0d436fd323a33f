"""Name the precisions and memory layouts that a network can train in, and which of them a recipe allows."""

import warnings
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, replace

import torch
from torch import nn

from spaces.layers import Gate, StridedPointwise
from spaces.packed import PackedLinear
from workers.device import has_bfloat16
from workers.recipe import Recipe

LAYOUTS = {"channels_first": torch.contiguous_format, "channels_last": torch.channels_last}
PRECISIONS = {"float32": False, "bfloat16": True}
CAST = (nn.Conv2d, nn.Linear, StridedPointwise, Gate, PackedLinear)
PLAIN = "without oneDNN"  # the last resort of a processor on which its library is wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class Numerics:
    """In which precision and memory layout a network trains, and whether by a processor's fast library."""

    bfloat16: bool
    memory_format: torch.memory_format
    onednn: bool = True

    @property
    def name(self) -> str:
        """The words that a file has for it, such as `bfloat16 channels_last`."""
        precision = next(name for name, value in PRECISIONS.items() if value is self.bfloat16)
        layout = next(name for name, value in LAYOUTS.items() if value is self.memory_format)
        return " ".join((precision, layout, *(() if self.onednn else (PLAIN,))))

    @classmethod
    def named(cls, name: str) -> "Numerics":
        """Return what a name stands for.

        Raises:
            KeyError: it is none.
        """
        precision, layout, *rest = name.split(" ", 2)
        return cls(bfloat16=PRECISIONS[precision], memory_format=LAYOUTS[layout], onednn=rest != [PLAIN])

    def apply(self) -> None:
        """Let this process compute by the library, or without it."""
        torch.backends.mkldnn.set_flags(self.onednn)  # type: ignore[no-untyped-call]  # torch's own


CANDIDATES = tuple(
    Numerics.named(name)
    for name in (
        "bfloat16 channels_last", "float32 channels_last", "float32 channels_first", "bfloat16 channels_first",
        f"float32 channels_first {PLAIN}",
    )
)  # fmt: skip


AUTOTUNED_STEPS = 2000  # of a training from which trying cuDNN's routines pays: that takes it a second or two


def set_cuda(device: torch.device, steps: int) -> dict[str, bool]:
    """Set how a GPU may compute, on purpose and alike in every process, and return what was set; not on a processor.

    Float32 is multiplied with what is rounded to ten bits (TF32), in convolutions, where torch does so by itself, as in
    matrix products. cuDNN tries its routines for each shape and takes the fastest where a training has many steps.

    Args:
        device: what computes.
        steps: of the whole training.
    """
    if device.type != "cuda":
        return {}
    told = {"tf32": True, "autotuned": steps >= AUTOTUNED_STEPS}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some versions of torch call it old
        # Not by matmul.fp32_precision: afterwards torch refuses to tell what is set to whoever asks as most code does,
        # its own compiler among it.
        torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.conv.fp32_precision = "tf32"  # type: ignore[attr-defined]  # torch's own stub
    torch.backends.cudnn.benchmark = told["autotuned"]
    return told


def casts(network: nn.Module) -> bool:
    """Whether autocast has every parameter of several axes read in its lower precision, and nothing else reads it.

    A layer of a person's own may read its weights otherwise, so the layers are those whose code is known.
    """
    weights = [layer.weight for layer in network.modules() if type(layer) in CAST]
    several = [p for p in network.parameters() if p.ndim > 1]
    return len(several) > 0 and len(weights) == len(several) and {*map(id, weights)} == {*map(id, several)}


def allowed(recipe: Recipe) -> list[Numerics]:
    """Return the candidates that a recipe leaves open, the usual ones first."""
    return [
        each
        for each in CANDIDATES
        if recipe.precision in ("auto", each.name.split()[0]) and recipe.memory_format in ("auto", each.name.split()[1])
    ]


def recipe_with(recipe: Recipe, numerics: Numerics) -> Recipe:
    """Return a recipe that names its precision and layout."""
    precision, layout, *_ = numerics.name.split()
    return replace(recipe, precision=precision, memory_format=layout)


def usual(recipe: Recipe, device: torch.device, before: str | None = None) -> Numerics:
    """Return what a network trains in where nothing was measured: what it was trained in before, else by the recipe.

    On a GPU bfloat16 is asked of the device. On a processor nobody but a measurement can tell which instructions its
    library uses (`workers.probe`), and float32 in channels_last is right on all.
    """
    if before is not None:
        with suppress(KeyError, ValueError):  # a name of another version
            return Numerics.named(before)
    fast = has_bfloat16(device)
    return next((each for each in allowed(recipe) if each.bfloat16 is fast), allowed(recipe)[0])


def pick(recipe: Recipe, step_ms: dict[str, float], wrong: Collection[str], before: str | None = None) -> Numerics:
    """Return the fastest that is right and that a recipe allows; one that was used before stays, if it is right.

    Where nothing that the recipe allows is right here, it is the fastest right one of all: slower, but no refusal.

    Args:
        recipe: of the study.
        step_ms: by name, what a step took in each that is right.
        wrong: names of those that are not.
        before: the name of what the trial, or the study on this kind of machine, was trained in before.
    """
    if (before is not None and before not in wrong) or not step_ms:  # nothing was measured: the probe could not run
        return usual(recipe, torch.device("cpu"), before)
    open_ = [each.name for each in allowed(recipe) if each.name in step_ms and each.onednn]
    names = open_ or list(step_ms)
    return Numerics.named(min(names, key=lambda name: step_ms[name]))
