"""Write out a network: every block, every convolution, every width. What is built is a function of this alone."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Conv:
    """Write out one convolution, which keeps the map's size at stride 1."""

    in_width: int  # 0: as many as the image has
    out_width: int  # half of what is read next, where a CReLU stands between
    kernel: int
    stride: int = 1
    groups: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockSpec:
    """Write out one block: the convolutions of a branch, and how branches and shortcut are put together."""

    kind: str  # a key of `spaces.blocks.BLOCKS`
    in_width: int  # channels read, of all streams; 0: as many as the image has
    out_width: int  # channels put out, of all streams
    stride: int
    branch: tuple[Conv, ...]
    order: str = "original"
    norm: bool = True  # false: convolutions have a bias instead
    bias: bool = False  # convolutions have a bias beside their normalisation
    squeeze: int = 0  # channels that a branch's means are squeezed to, where they weigh its channels
    shortcut: str = "none"  # none, identity, pad, pool, project, project3x3 or conv (never normalised)
    mix: str = "sum"  # of shortcut and branch: sum, scaled, gated or exclusive
    gate_bias: float = 0.0  # where there is a gate
    pool: int = 1  # a chain begins with a max-pool over so many pixels along a side
    overlaps: bool = False  # its windows are a pixel larger than their stride
    branches: int = 1  # of one shape each, where there may be any number
    columns: int = 1  # that share the convolutions out: one to the first, two to the second, four to the third, ...
    leaves: bool = True  # false: what follows the addition comes after that of an outer shortcut
    streams_in: int = 1
    streams_out: int = 1
    dropout: str = "none"  # none, between, after, shortcut, branch, swapout or path
    dropout_rate: float = 0.0
    drop_unit: str = "batch"
    drop_global: float = 0.0  # share of batches for which one column alone is left
    unit_rate: float = 0.0  # of units that the convolutions of columns drop, whatever else is dropped

    @property
    def projects(self) -> bool:
        """Whether the shortcut is a convolution that the block's order may normalise."""
        return self.shortcut in ("project", "project3x3")

    @property
    def preactivated(self) -> bool:
        """Whether the block normalises and activates what it reads, and leaves its own sum raw."""
        return self.order == "full"


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelSpec:
    """Write out a shortcut around several blocks, a 1x1, and what follows the addition."""

    in_width: int
    out_width: int
    stride: int
    order: str  # the blocks'
    leaves: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StemSpec:
    """Write out the stem: one convolution, and what follows it."""

    kernel: int  # 0: there is no stem
    stride: int
    conv_width: int  # half of the width where a CReLU follows
    width: int  # channels put out
    norm: bool
    bias: bool
    activated: bool
    pool: bool  # a 3x3 max-pool of stride 2 at the end
    narrow: bool = False  # borders: 2 pixels of the image, none of the max-pool


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadSpec:
    """Write out the head: what the last block leaves undone, mean over the map, dropout, classifier."""

    kind: str  # linear, cosine, pointwise, layers or dropped_layers
    width: int
    norm: bool
    activated: bool
    dropout_rate: float
    scale: float
    hidden: int = 0  # channels of each layer before the classifier, where it has any
    map: int = 1  # pixels along a side of the map that such layers read

    @property
    def layers(self) -> int:
        """Return how many layers there are, with the classifier."""
        return 1 + {"pointwise": 1, "layers": 2, "dropped_layers": 2}.get(self.kind, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Write out a whole network."""

    stem: StemSpec
    stages: tuple[tuple[BlockSpec, ...], ...]
    head: HeadSpec
    levels: tuple[LevelSpec, ...] = ()  # around each stage, or around none
    root: LevelSpec | None = None  # around all of them

    @property
    def blocks(self) -> tuple[BlockSpec, ...]:
        """Return the blocks of all stages in order."""
        return tuple(spec for stage in self.stages for spec in stage)

    def reading(self, channels: int) -> "Plan":
        """Return the plan for images of so many channels, which only a block without a stem before it asks for."""
        if self.stem.kernel:
            return self
        (first, *others), *stages = self.stages
        convs = tuple(replace(each, in_width=each.in_width or channels) for each in first.branch)
        opening = (replace(first, in_width=channels, branch=convs), *others)
        return replace(self, stages=(opening, *stages))

    @property
    def stride(self) -> int:
        """Return how many pixels of the image one of the last map stands for, along one side."""
        total = self.stem.stride * (2 if self.stem.pool else 1)
        for spec in self.blocks:
            total *= spec.stride
        return total

    @property
    def least(self) -> int:
        """Return how many pixels along a side an image has at least."""
        return self.stride + (3 if self.stem.narrow else 0)
