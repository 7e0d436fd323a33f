"""Name the fields of an architecture, and refuse what is wrong with one of them alone.

The symbols are the papers': k widens, C groups, d is the width of one group, theta compresses.
"""

import math
import re
from dataclasses import dataclass, fields
from typing import Any

from spaces.errors import InfeasibleArchitecture, InputError, unknown

OPTIONS: dict[str, tuple[str, ...]] = {
    "shortcut": ("A", "B", "C", "pool", "identity", "none", "conv", "3x3", "scaled", "gated", "exclusive"),
    "stride_in": ("first", "3x3"),
    "order": ("original", "bn_after_addition", "relu_before_addition", "relu_only", "full"),
    "activation": ("relu", "crelu"),
    "attention": ("none", "squeeze_excite"),
    "downsampling": ("stride", "max", "overlap"),
    "doubling": ("columns", "pointwise"),
    "dropout": ("none", "between", "after", "shortcut", "branch", "swapout", "path", "head"),
    "drop_decay": ("linear", "uniform"),
    "drop_unit": ("batch", "sample"),
    "fusion": ("add", "concatenate"),
    "stem": ("small", "strided", "large", "large_bare", "biased", "small_biased", "huge", "strided_pool", "none"),
    "head": ("linear", "cosine", "pointwise", "layers", "dropped_layers"),
}
LAYERED = ("layers", "dropped_layers")  # heads with layers before the classifier
MIXED = ("scaled", "gated", "exclusive")  # shortcuts that weigh what is added
GATED = MIXED[1:]
REAL = ("widening_factor", "head_scale", "compression", "dropout_rate", "drop_global", "unit_rate", "gate_bias")
LISTS = ("depths", "widths", "strides", "kernels", "stage_kernels")
UNSAID = ("base_width", "strides", "stage_kernels")  # what may be None
PRESERVED = "preserved"
MOST = {
    "depth": 1_000, "depths": 1_000, "strides": 8, "kernels": 31, "stage_kernels": 31, "widening_factor": 1_000,
    "head_scale": 1_000, "branches": 100, "levels": 3, "columns": 8, "head_map": 64,
}  # fmt: skip
MOST_BIAS = 20  # beyond which a sigmoid is nothing but open or closed
MOST_CHANNELS = 65_536  # of what else is counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """Name a residual network by the fields that papers name it by.

    A list may be given as text, `3,4,6,3`, since a sampler's choices are single values.

    Raises:
        InputError: one field alone is wrong.
        InfeasibleArchitecture: depths, widths and strides do not name the same stages.
    """

    block: str = "basic"
    depths: tuple[int, ...] = (1, 1, 1)  # blocks in each stage
    widths: tuple[int, ...] = (16, 32, 64)  # channels of each stage before widening
    strides: tuple[int, ...] | None = None  # of each stage's first block; without it, 1 and then 2
    kernels: tuple[int, ...] = (3, 3)  # B(M) of wide residual networks: the convolutions of basic and preact
    stage_kernels: tuple[int, ...] | None = None  # of each stage's convolutions in a chain; without it, 3
    widening_factor: float = 1.0  # k: multiplies stage widths and growth; the stem's where the family does so
    cardinality: int = 1  # C: groups of the 3x3 in a resnext block, of the 1x1s in a shuffled one
    branches: int = 1  # residual functions of one shape that a block adds to its shortcut, each its own
    levels: int = 1  # of shortcuts: 2 adds one from stem to head, 3 one around each stage too
    columns: int = 3  # C: of a fractal block, of 1, 2, 4, ... convolutions
    doubling: str = "columns"  # where a fractal block's channels change: in the first convolution of each column, or in
    #                            a 1x1 before all of them
    base_width: int | str | None = None  # d: a bottleneck's inner width is floor(width d / 64) C; without it, the
    #                                      width; `preserved`: the d at which C groups cost what one of 64 does
    growth: int = 12  # channels that each dense layer adds
    compression: float = 1.0  # theta: share of its channels that a dense transition keeps
    shortcut: str = "B"  # where the shape changes: A pads, pool averages and pads, B projects; C projects always;
    #                      identity has none there; none has none anywhere (a plain network); conv is C without BN;
    #                      3x3 projects by one where the shape changes, and in the network's first block;
    #                      scaled halves shortcut and branch; gated closes the shortcut by a gate of 1x1, exclusive
    #                      closes it as the branch opens; where the shape changes, these three pad
    gate_bias: float = -2.0  # that gates begin with: the lower, the more of the shortcut is let through
    stride_in: str = "3x3"  # which convolution of a bottleneck strides: first (He 2015) or 3x3 (torchvision)
    order: str = "original"  # of normalisation, ReLU and addition (He et al. 2016, figure 4)
    activation: str = "relu"  # crelu: after a convolution of half the width, and after its normalisation
    attention: str = "none"  # squeeze_excite: a residual branch's channels are weighed by a network of their means
    reduction: int = 16  # of the channels between that network's two layers
    downsampling: str = "stride"  # how a chain of convolutions strides; max: by a max-pool before the first of them;
    #                               overlap: whose windows are a pixel larger than their stride
    dropout: str = "none"  # swapout: units of shortcut and branch, each by itself; path: columns that meet
    dropout_rate: float = 0.0  # of the last block, where branches or both terms are dropped with linear decay
    drop_decay: str = "linear"  # how the rate of dropped branches, or of swapout, grows with depth
    drop_unit: str = "batch"  # what a branch is dropped for
    drop_global: float = 0.5  # share of batches for which paths are dropped but for one column, the same in all blocks
    unit_rate: float = 0.0  # of units that a fractal block's convolutions drop beside its paths: 0 in the first block,
    #                         growing evenly up to this in the last
    fusion: str = "add"  # how merge-and-run's two streams become one at the end
    stem: str = "small"  # small: 3x3; strided: 3x3 of stride 2; large: 7x7 of stride 2 and a 3x3 max-pool of stride 2;
    #                      large_bare: that without normalisation and ReLU; biased: 3x3 of stride 2, bias, ReLU;
    #                      small_biased: 3x3, bias, ReLU; huge: 11x11 of stride 4, bias, ReLU and a 3x3
    #                      max-pool of stride 2, with narrow borders; strided_pool: strided and a 3x3 max-pool of
    #                      stride 2; none: the columns of fractal blocks read the image
    stem_width: int = 16
    head: str = "linear"  # cosine: |cos| to fixed orthogonal directions, times head_scale; pointwise: a 1x1 of
    #                       head_width, bias and ReLU before the mean; layers: max-pool, mean
    #                       over head_map by head_map pixels, two layers of head_width, with ReLU and dropout;
    #                       dropped_layers: dropout before each of them, and a max-pool that overlaps
    head_width: int = 128
    head_map: int = 1
    head_scale: float = 16.0

    def __post_init__(self) -> None:
        for name in LISTS:
            object.__setattr__(self, name, listed(name, getattr(self, name)))
        _check_options(self)
        _check_whole(self)
        _check_ranges(self)
        _check_stages(self)


def listed(name: str, given: Any) -> tuple[int, ...] | None:
    """Return a list of whole numbers given as one, as text (`3,1,3`, `B(3,1,3)`) or as one number.

    Raises:
        InputError: the text names none.
    """
    if given is None or isinstance(given, (tuple, list)):
        return None if given is None else tuple(given)
    if isinstance(given, int) and not isinstance(given, bool):
        return (given,)
    try:
        return tuple(int(part) for part in re.sub(r"^[Bb](?=\()", "", str(given)).strip("()[] ").split(","))
    except ValueError:
        raise InputError(f"{name} {given!r} is not a list of whole numbers such as 3,3") from None


def _check_options(given: Fields) -> None:
    for name, options in OPTIONS.items():
        value = getattr(given, name)
        if value not in options:
            raise InputError(unknown(name, value, options))


def _check_stages(given: Fields) -> None:
    depths = given.depths
    if len(depths) != len(given.widths):
        raise InfeasibleArchitecture(f"depths {list(depths)} and widths {list(given.widths)} must name the same stages")
    for name in ("strides", "stage_kernels"):
        value = getattr(given, name)
        if value is not None and len(value) != len(depths):
            text = f"depths {list(depths)} and {name} {list(value)} must name the same stages"
            raise InfeasibleArchitecture(text)


def _check_whole(given: Fields) -> None:
    for name in (
        *LISTS,
        "cardinality",
        "branches",
        "levels",
        "columns",
        "growth",
        "reduction",
        "stem_width",
        "head_width",
        "head_map",
        "base_width",
    ):
        value = getattr(given, name)
        if type(value) is int and 1 <= value <= MOST.get(name, MOST_CHANNELS):
            continue  # at once, as sampling checks thousands of networks
        if (name in UNSAID and value is None) or (name == "base_width" and value == PRESERVED):
            continue
        numbers = value if isinstance(value, tuple) else (value,)
        if not numbers or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in numbers):
            what = "a list of whole numbers" if name in LISTS else "a whole number"
            kept = f" or '{PRESERVED}'" if name == "base_width" else ""
            raise InputError(f"{name} {_shown(value)} is not {what} of at least 1{kept}")
        check_most(name, max(numbers))
    for name in ("kernels", "stage_kernels"):
        if any(kernel % 2 == 0 for kernel in getattr(given, name) or ()):
            raise InputError(f"{name} {_shown(getattr(given, name))} are not odd sizes such as 3,3")


def check_most(name: str, number: float) -> None:
    """Raise InputError where a number is beyond that of any network: a slip of the finger."""
    most = MOST.get(name, MOST_CHANNELS)
    if number > most:
        raise InputError(f"{name} {number} is above {most:,}")


def _check_ranges(given: Fields) -> None:
    for name in REAL:
        value = getattr(given, name)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise InputError(f"{name} {value!r} is not a number")
    for name in ("widening_factor", "head_scale"):
        if not 0 < getattr(given, name) < math.inf:
            raise InputError(f"{name} {getattr(given, name)} is not a number above 0")
        check_most(name, getattr(given, name))
    if not -MOST_BIAS <= given.gate_bias <= MOST_BIAS:
        raise InputError(f"gate_bias {given.gate_bias} is not in [-{MOST_BIAS}, {MOST_BIAS}]")
    _check_shares(given)


def _check_shares(given: Fields) -> None:
    if not 0 < given.compression <= 1:
        raise InputError(f"compression {given.compression} is not in (0, 1]")
    for name in ("dropout_rate", "unit_rate"):
        if not 0 <= getattr(given, name) < 1:
            raise InputError(f"{name} {getattr(given, name)} is not in [0, 1)")
    if not 0 <= given.drop_global <= 1:
        raise InputError(f"drop_global {given.drop_global} is not in [0, 1]")


def _shown(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) and value else repr(value)


FIELDS = tuple(item.name for item in fields(Fields))
DEFAULTS: dict[str, Any] = {item.name: item.default for item in fields(Fields)}
