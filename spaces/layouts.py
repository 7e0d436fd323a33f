"""Lay out blocks: which convolutions stand where, with every width worked out.

Sources: He et al. 2015 and 2016, Zagoruyko & Komodakis 2016 (section 2), Xie et al. 2017 (section 3.1 and the authors'
width rule), Zhao et al. 2016 (merge-and-run, Inception-like), Huang et al. 2017 (DenseNet), Howard et al. 2017
(MobileNet, table 1), Srivastava et al. 2015 (highway), Simonyan & Zisserman 2015 (VGG), Hu et al. 2018 (squeeze and
excitation), Shang et al. 2016 (CReLU), Abdi & Nahavandi 2016 (multi-residual networks), Larsson et al. 2017
(FractalNet), Zhang et al. 2018 (ShuffleNet, figure 2).
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from spaces.errors import InfeasibleArchitecture
from spaces.fields import GATED, MIXED, PRESERVED, Fields
from spaces.plan import BlockSpec, Conv

MOST_WIDENED = 2**17
BOTTLENECK = 4  # the expansion of residual bottlenecks, and what a dense one makes of its growth


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where a block stands."""

    stage: int  # from 1
    in_width: int  # channels that reach it, of all streams
    streams: int  # that reach it
    width: int  # channels of the stage, widened
    stride: int
    kernel: int  # of convolutions in a chain
    begins: bool  # the first block of the network
    opens: bool  # the first block of a stage other than the first
    last: bool  # of the network
    share: float  # of the network's blocks that stand before it: 0 of the first, 1 of the last or only one


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockKind:
    """How a named block is laid out, and which fields it reads."""

    lay: "Callable[[BlockKind, Fields, Site], tuple[BlockSpec, ...]]"
    makes: str  # a key of `spaces.blocks.BLOCKS`
    expansion: int = 1  # output width over stage width; above 1 the branch is a bottleneck
    grouped: bool = False  # cardinality matters
    order: str | None = "original"  # None: as the field says
    shortcuts: bool = True
    norm: bool = True
    bias: bool = False  # beside the normalisation
    sequence: bool = False  # the field kernels says which convolutions the branch has
    strides_last: bool = False  # a stage strides in its last block
    widens_stem: bool = False  # k multiplies the stem's width too


def scaled(width: int, fields: Fields, what: str) -> int:
    """Return a width times k, to the nearest whole number.

    Raises:
        InfeasibleArchitecture: nothing is left of it, or more than any network has.
    """
    found = round(width * fields.widening_factor)
    if found < 1:
        raise InfeasibleArchitecture(f"widening_factor {fields.widening_factor} leaves no channel of {what}")
    if found > MOST_WIDENED:
        raise InfeasibleArchitecture(f"widening_factor {fields.widening_factor} makes {found:,} channels of {what}")
    return found


def residual(kind: BlockKind, fields: Fields, site: Site) -> tuple[BlockSpec, ...]:
    """Lay out shortcut(x) + f(x), with one branch, two, or as many as the field says."""
    in_width, out = site.in_width // site.streams, site.width * kind.expansion
    convs = _bottleneck(kind, fields, site, in_width) if kind.expansion > 1 else _sequence(kind, fields, site, in_width)
    order = kind.order or fields.order
    _check_mixed(kind, fields)
    shortcut = _shortcut(fields.shortcut, in_width, out, site, order)
    activated = len(convs) if order == "relu_before_addition" else len(convs) - 1
    branches = fields.branches if kind.makes == "residual" else 1
    spec = BlockSpec(
        kind="multi_residual" if branches > 1 else kind.makes,
        in_width=site.in_width,
        out_width=out,
        stride=site.stride,
        branch=_halved(convs, fields, site, range(activated)),
        order=order,
        shortcut=shortcut,
        mix=fields.shortcut if fields.shortcut in MIXED else "sum",
        gate_bias=float(fields.gate_bias) if fields.shortcut in GATED else 0.0,
        branches=branches,
        squeeze=_squeezed(kind, fields, out),
    )
    return (spec,)


def _squeezed(kind: BlockKind, fields: Fields, width: int) -> int:
    """Return the channels that the means of a branch's channels are squeezed to: at least one."""
    excites = kind.makes == "residual" and fields.attention == "squeeze_excite"
    return max(1, width // fields.reduction) if excites else 0


def merge_and_run(kind: BlockKind, fields: Fields, site: Site) -> tuple[BlockSpec, ...]:
    """Lay out m + f(x1), m + g(x2), m the mean of both shortcuts; one tensor begins both streams."""
    if fields.shortcut == "none":
        raise InfeasibleArchitecture(f"block {fields.block} merges its streams on shortcuts, and shortcut is none")
    (spec,) = residual(kind, fields, site)
    streams_out = 1 if site.last and fields.fusion == "add" else 2
    return (replace(spec, streams_in=site.streams, streams_out=streams_out, out_width=spec.out_width * streams_out),)


def _sequence(kind: BlockKind, fields: Fields, site: Site, in_width: int) -> tuple[Conv, ...]:
    """Lay out B(M): convolutions of one width, the first of which strides."""
    kernels = fields.kernels if kind.sequence else (3, 3)
    first = Conv(in_width=in_width, out_width=site.width, kernel=kernels[0], stride=site.stride)
    return (first, *(Conv(in_width=site.width, out_width=site.width, kernel=kernel) for kernel in kernels[1:]))


def _bottleneck(kind: BlockKind, fields: Fields, site: Site, in_width: int) -> tuple[Conv, ...]:
    """Lay out 1x1, 3x3 in groups, 1x1."""
    groups = fields.cardinality if kind.grouped else 1
    inner = _inner_width(fields, site, groups)
    first, second = (site.stride, 1) if fields.stride_in == "first" else (1, site.stride)
    return (
        Conv(in_width=in_width, out_width=inner, kernel=1, stride=first),
        Conv(in_width=inner, out_width=inner, kernel=3, stride=second, groups=groups),
        Conv(in_width=inner, out_width=site.width * kind.expansion, kernel=1),
    )


def _inner_width(fields: Fields, site: Site, groups: int) -> int:
    base_width = preserved_base_width(groups) if fields.base_width == PRESERVED else fields.base_width
    if base_width is not None:
        group_width = site.width * int(base_width) // 64
        if group_width < 1:
            raise InfeasibleArchitecture(
                f"base_width {base_width} leaves no channel of width {site.width} (stage {site.stage})"
            )
        if group_width * groups > MOST_WIDENED:
            raise InfeasibleArchitecture(
                f"cardinality {groups} of base_width {base_width} makes {group_width * groups:,} channels"
            )
        return group_width * groups
    if site.width % groups:
        raise InfeasibleArchitecture(
            f"cardinality {groups} does not divide width {site.width} (block {fields.block}, stage {site.stage})"
        )
    return site.width


def preserved_base_width(cardinality: int) -> int:
    """Return the base width at which C groups cost what one of 64 channels does, to the nearest whole number.

    C (256 d + 9 d^2 + 256 d) is held at its value for C = 1, d = 64 (Xie et al. 2017, equation 4 and table 2).
    """
    target = 64 * (512 + 9 * 64)
    width: float = (-512 + (512**2 + 36 * target / cardinality) ** 0.5) / 18
    return max(1, round(width))


def _check_mixed(kind: BlockKind, fields: Fields) -> None:
    """Refuse shortcuts that a block of two streams, or of a person's own, does not know."""
    option, own = fields.shortcut, "@" in kind.makes
    if (option in MIXED and kind.makes not in ("residual", "inception")) or (option in ("conv", "3x3") and own):
        what = "is a package's" if own else "has two streams"
        raise InfeasibleArchitecture(
            f"shortcut {option} is of one stream in blocks of ours; block {fields.block} {what}"
        )


def _shortcut(option: str, in_width: int, out_width: int, site: Site, order: str) -> str:
    changes = site.stride > 1 or in_width != out_width
    if option == "none" or (option == "identity" and changes):
        return "none"
    if option == "conv" and order not in ("full", "bn_after_addition"):  # which normalise no projection in any case
        return "conv"
    if option in ("C", "conv") or (option == "B" and changes):
        return "project"
    if option == "3x3" and (changes or site.begins):
        return "project3x3"
    if not changes:
        return "identity"
    if in_width > out_width:
        raise InfeasibleArchitecture(f"shortcut {option} cannot pad {in_width} channels down to {out_width}")
    return "pool" if option == "pool" and site.stride > 1 else "pad"


def dense(kind: BlockKind, fields: Fields, site: Site) -> tuple[BlockSpec, ...]:
    """Lay out x, f(x) side by side, f = 3x3 or 1x1, 3x3; at the head of a later stage a transition comes first."""
    if site.stride > 1 and not site.opens:
        raise InfeasibleArchitecture(
            f"strides {site.stride} needs a transition, and the first stage of {fields.block} has none"
        )
    transitions = (_transition(fields, site),) if site.opens else ()
    reads = transitions[-1].out_width if transitions else site.in_width
    growth = scaled(fields.growth, fields, f"growth {fields.growth}")
    if kind.expansion == 1:
        convs: tuple[Conv, ...] = (Conv(in_width=reads, out_width=growth, kernel=3),)
    else:
        inner = BOTTLENECK * growth
        convs = (Conv(in_width=reads, out_width=inner, kernel=1), Conv(in_width=inner, out_width=growth, kernel=3))
    layer = BlockSpec(
        kind="dense",
        in_width=reads,
        out_width=reads + growth,
        stride=1,
        branch=_halved(convs, fields, site, range(len(convs) - 1)),
        order="full",
    )
    return (*transitions, layer)


def _transition(fields: Fields, site: Site) -> BlockSpec:
    out = int(site.in_width * fields.compression + 1e-9)
    if out < 1:
        raise InfeasibleArchitecture(f"compression {fields.compression} leaves none of {site.in_width} channels")
    conv = Conv(in_width=site.in_width, out_width=out, kernel=1)
    return BlockSpec(
        kind="transition", in_width=site.in_width, out_width=out, stride=site.stride, branch=(conv,), order="full"
    )


def chain(kind: BlockKind, fields: Fields, site: Site) -> tuple[BlockSpec, ...]:
    """Lay out f(x) alone, each convolution activated: one 3x3, or as large as its stage's are."""
    pool, stride = _pooled(kind, fields, site)
    conv = Conv(in_width=site.in_width, out_width=site.width, kernel=site.kernel, stride=stride)
    return _chained(kind, fields, site, _halved((conv,), fields, site, (0,)), pool)


def separable(kind: BlockKind, fields: Fields, site: Site) -> tuple[BlockSpec, ...]:
    """Lay out f(x) alone, each convolution activated: 3x3 of one channel each, then 1x1; CReLU follows the latter."""
    pool, stride = _pooled(kind, fields, site)
    reads = site.in_width
    depthwise = Conv(in_width=reads, out_width=reads, kernel=site.kernel, stride=stride, groups=reads)
    pointwise = Conv(in_width=reads, out_width=site.width, kernel=1)
    return _chained(kind, fields, site, _halved((depthwise, pointwise), fields, site, (1,)), pool)


def _pooled(kind: BlockKind, fields: Fields, site: Site) -> tuple[int, int]:
    """Return the stride of a max-pool before a chain, and that of its first convolution."""
    pools = kind.makes == "chain" and fields.downsampling != "stride"
    return (site.stride, 1) if pools else (1, site.stride)


def _chained(kind: BlockKind, fields: Fields, site: Site, convs: tuple[Conv, ...], pool: int) -> tuple[BlockSpec, ...]:
    spec = BlockSpec(
        kind=kind.makes,
        in_width=site.in_width,
        out_width=site.width,
        stride=site.stride,
        branch=convs,
        norm=kind.norm,
        bias=kind.bias,
        pool=pool,
        overlaps=pool > 1 and kind.makes == "chain" and fields.downsampling == "overlap",
    )
    return (spec,)


def highway(kind: BlockKind, fields: Fields, site: Site) -> tuple[BlockSpec, ...]:
    """Lay out h(x) t(x) + x (1 - t(x)), h and t a 3x3; where the shape changes, max-pool and plain 3x3 come first."""
    plain: tuple[BlockSpec, ...] = ()
    if site.stride > 1 or site.in_width != site.width:
        first = Conv(in_width=site.in_width, out_width=site.width, kernel=3)
        (made,) = _chained(kind, fields, site, _halved((first,), fields, site, (0,)), site.stride)
        plain = (replace(made, kind="chain"),)
    conv = Conv(in_width=site.width, out_width=site.width, kernel=3)
    layer = BlockSpec(
        kind="highway",
        in_width=site.width,
        out_width=site.width,
        stride=1,
        branch=_halved((conv,), fields, site, (0,)),
        norm=False,
        shortcut="identity",
        mix="exclusive",
        gate_bias=float(fields.gate_bias),
    )
    return (*plain, layer)


def fractal(kind: BlockKind, fields: Fields, site: Site) -> tuple[BlockSpec, ...]:
    """Lay out f_C, f_(c+1)(x) = f_c(f_c(x)) joined with 3x3(x), f_1 = 3x3; where told, a 1x1 changes the channels."""
    doubles = fields.doubling == "pointwise" and site.in_width != site.width
    reads = site.width if doubles else site.in_width
    convs = tuple(
        Conv(in_width=site.width if number else reads, out_width=site.width, kernel=3)
        for column in range(fields.columns)
        for number in range(2**column)
    )
    columns = BlockSpec(
        kind=kind.makes,
        in_width=reads,
        out_width=site.width,
        stride=site.stride,
        branch=_halved(convs, fields, site, range(len(convs))),
        columns=fields.columns,
        unit_rate=fields.unit_rate * site.share or 0.0,
    )
    if not doubles:
        return (columns,)
    pointwise = Conv(in_width=site.in_width, out_width=site.width, kernel=1)
    doubler = replace(
        columns, in_width=site.in_width, stride=1, branch=_halved((pointwise,), fields, site, (0,)), columns=1,
        unit_rate=0.0,
    )  # fmt: skip
    return (doubler, columns)


def shuffled(kind: BlockKind, fields: Fields, site: Site) -> tuple[BlockSpec, ...]:
    """Lay out f = 1x1 in C groups, shuffled, 3x3 of one channel each, 1x1 in C groups, added to x.

    Where the shape changes it adds the channels that are wanting beside x, which is averaged where it strides.
    The first 1x1 of all is in one group, as few channels reach it.
    """
    groups, added = fields.cardinality, site.width - site.in_width
    if added < 0:
        raise InfeasibleArchitecture(
            f"block {fields.block} keeps the channels that reach it: {site.in_width} are more than width {site.width} "
            f"(stage {site.stage})"
        )
    puts_out = added or site.width
    first = 1 if site.begins else groups
    for width, of in ((site.in_width, first), (puts_out, groups)):
        if width % of:
            raise InfeasibleArchitecture(
                f"cardinality {groups} does not divide {width} channels (block {fields.block}, stage {site.stage})"
            )
    step = groups * (2 if fields.activation == "crelu" else 1)  # what the inner width is a multiple of
    inner = max(1, site.width // BOTTLENECK // step) * step
    convs = (
        Conv(in_width=site.in_width, out_width=inner, kernel=1, groups=first),
        Conv(in_width=inner, out_width=inner, kernel=3, stride=site.stride, groups=inner),
        Conv(in_width=inner, out_width=puts_out, kernel=1, groups=groups),
    )
    spec = BlockSpec(
        kind=kind.makes,
        in_width=site.in_width,
        out_width=site.width,
        stride=site.stride,
        branch=_halved(convs, fields, site, (0,)),
    )
    return (spec,)


def _halved(convs: tuple[Conv, ...], fields: Fields, site: Site, activated: Collection[int]) -> tuple[Conv, ...]:
    """Return the convolutions with the width of the activated ones halved where a CReLU doubles it again."""
    if fields.activation == "relu":
        return convs
    return tuple(_half(conv, fields, site) if index in activated else conv for index, conv in enumerate(convs))


def _half(conv: Conv, fields: Fields, site: Site) -> Conv:
    if conv.out_width % (2 * conv.groups):
        of = f" in {conv.groups} groups" if conv.groups > 1 else ""
        raise InfeasibleArchitecture(
            f"activation crelu cannot halve width {conv.out_width}{of} (block {fields.block}, stage {site.stage})"
        )
    return replace(conv, out_width=conv.out_width // 2)
