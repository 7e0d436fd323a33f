"""Know networks of the literature by name: `resnet-56`, `wrn-28-10`, `resnext50_32x4d`, `densenet-bc-100-12`.

A dash before the layers means the form for small images (CIFAR), none the form for ImageNet, as torchvision writes it;
the depths by which everybody means ImageNet's networks (18, 34, 50, 101, 152) mean them with a dash too. A name that
breaks its family's rule is refused with the rule.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from spaces.architecture import Architecture, ImageSpec, usual_widths
from spaces.errors import InputError, unknown
from spaces.settings import load_architecture, with_settings

CIFAR = ImageSpec()
IMAGENET = ImageSpec(height=224, width=224, classes=1000)
GHIM = ImageSpec(height=224, width=224, classes=20)

_LARGE: dict[str, Any] = {"stem": "large", "stem_width": 64, "widths": (64, 128, 256, 512)}
_STAGES = {
    18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3), 200: (3, 24, 36, 3),
}  # fmt: skip
_USUAL = (18, 34, 50, 101, 152)
_DENSE = {121: (6, 12, 24, 16), 161: (6, 12, 36, 24), 169: (6, 12, 32, 32), 201: (6, 12, 48, 32)}
_VGG = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}  # of each width
_SHUFFLED = {1: 144, 2: 200, 3: 240, 4: 272, 8: 384}  # width of the first stage by the number of groups
_ALLCONV6 = (
    (64, 64, 128, 128, 256), (16, 16, 32, 32, 64), (32, 32, 32, 32, 64), (16, 16, 64, 64, 64), (16, 16, 32, 32, 128),
    (32, 32, 64, 64, 128), (64, 64, 64, 64, 128), (32, 32, 128, 128, 128), (32, 32, 64, 64, 256),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A known network: its fields, the images it is known for, and how its authors count layers."""

    name: str
    architecture: Architecture
    image: ImageSpec = CIFAR
    wide: bool = False  # named as a wide residual network

    @property
    def counts_projections(self) -> bool:
        """Whether layers are counted as for wide residual networks: a projection for each stage, not the head.

        Without a name, that is what widens or has other kernels; WRN-16-1 is a pre-activation ResNet-14 as well.
        """
        given = self.architecture
        widened = (given.widening_factor != 1 or given.kernels != (3, 3)) and given.branches == 1
        return given.block == "preact" and given.stem == "small" and given.shortcut == "B" and (self.wide or widened)

    def layers(self, longest: int) -> int:
        """Return the layers that its authors count, given those of the longest path: of columns convolutions alone."""
        if self.architecture.block == "fractal":
            return longest - 1
        return longest + (len(self.architecture.depths) - 1 if self.counts_projections else 0)


def named(name: str) -> Named:
    """Return the network of that name.

    Raises:
        InputError: nobody knows it, or it breaks a rule of its family, which is said.
    """
    text = name.strip().lower()
    for pattern, make, _ in FAMILIES:
        found = re.fullmatch(pattern, text.replace("_", "-"), re.ASCII)
        if found:
            return replace(make(**found.groupdict()), name=text)
    raise InputError(unknown("network", name, [example for _, _, example in FAMILIES]))


def asked(name: str, settings: Sequence[str] = ()) -> Named:
    """Return the network of a name or of a JSON file, with the fields that `field=value` texts change.

    Raises:
        InputError: as `named`, `load_architecture` and `with_settings` do.
    """
    if name.endswith(".json"):
        architecture, image = load_architecture(Path(name))
        found = Named(name=Path(name).stem, architecture=architecture, image=image)
    else:
        found = named(name)
    return replace(found, architecture=with_settings(found.architecture, settings))


def _each(family: str, layers: int, per_block: int, rest: int, stages: int = 3) -> tuple[int, ...]:
    """Return the blocks of each stage.

    Raises:
        InputError: the layers are not `per_block` n + `rest`.
    """
    blocks, left = divmod(layers - rest, per_block)
    if left or blocks < 1:
        raise InputError(f"{family} depth must be {per_block}n+{rest}: {layers} is not")
    return (blocks,) * stages


def _large_stages(family: str, layers: int, known: tuple[int, ...] = _USUAL) -> tuple[int, ...]:
    if layers not in known:
        raise InputError(
            f"{family} for ImageNet has {', '.join(map(str, known))} layers: {layers} is none of them; "
            f"a dash before the layers means the form for small images"
        )
    return _STAGES[layers]


def _is_bottleneck(layers: int) -> bool:
    """Whether a deep network for small images is of bottlenecks: 164, 1001, and what only they can make."""
    return layers == 164 or (layers > 164 and (layers - 2) % 9 == 0 and (layers - 2) % 6 != 0)


def _resnet(layers: str, dash: str, plain: str | None = None) -> Named:
    count, family = int(layers), "plain network" if plain else "ResNet"
    if not dash or count in _USUAL:
        depths = _large_stages(family, count)
        block = "basic" if count < 50 else "bottleneck"
        shortcut = {"shortcut": "none"} if plain else {}
        return _named(IMAGENET, block=block, depths=depths, **_LARGE, **shortcut)
    if _is_bottleneck(count) and not plain:
        return _named(CIFAR, block="bottleneck", depths=_each(family, count, 9, 2), stride_in="first")
    return _named(CIFAR, depths=_each(family, count, 6, 2), shortcut="none" if plain else "A")


def _se_resnet(layers: str, dash: str) -> Named:
    """Return a ResNet whose branches weigh their channels; on small images it projects where the shape changes."""
    made = _resnet(layers, dash)
    shortcut = "B" if made.architecture.shortcut == "A" else made.architecture.shortcut
    return replace(made, architecture=replace(made.architecture, attention="squeeze_excite", shortcut=shortcut))


def _se_resnext(layers: str, dash: str, cardinality: str, base_width: str) -> Named:
    made = _resnext(layers, dash, cardinality, base_width)
    return replace(made, architecture=replace(made.architecture, attention="squeeze_excite"))


def _vgg(layers: str, norm: str | None = None) -> Named:
    """Return VGG: the first convolution is the stem, and each later stage begins with a max-pool."""
    count = int(layers)
    if count not in _VGG:
        raise InputError(f"VGG has {', '.join(map(str, _VGG))} layers: {count} is none of them")
    first, *later = _VGG[count]
    depths = (*((first - 1,) if first > 1 else ()), *later)
    return _named(
        IMAGENET,
        block="biased_norm_conv" if norm else "biased_conv",
        depths=depths,
        widths=(64, 128, 256, 512, 512)[-len(depths) :],
        strides=None if first > 1 else (2,) * 4,
        stem="small" if norm else "small_biased",
        stem_width=64,
        downsampling="max",
        head="layers",
        head_width=4096,
        head_map=7,
        dropout="head",
        dropout_rate=0.5,
    )


def _alexnet() -> Named:
    """Return AlexNet as torchvision has it (Krizhevsky 2014): the first convolution is the stem."""
    return _named(
        IMAGENET, block="biased_conv", depths=(1, 1, 2), widths=(192, 384, 256), strides=(1, 2, 1),
        stage_kernels=(5, 3, 3), stem="huge", stem_width=64, downsampling="overlap", head="dropped_layers",
        head_width=4096, head_map=6, dropout="head", dropout_rate=0.5,
    )  # fmt: skip


def _preact(layers: str, dash: str) -> Named:
    count = int(layers)
    if not dash or count in _USUAL:
        depths = _large_stages("pre-activation ResNet", count, (*_USUAL, 200))
        return _named(IMAGENET, block="preact" if count < 50 else "preact_bottleneck", depths=depths, **_LARGE)
    if _is_bottleneck(count):
        depths = _each("pre-activation ResNet", count, 9, 2)
        return _named(CIFAR, block="preact_bottleneck", depths=depths, stride_in="first")
    return _named(CIFAR, block="preact", depths=_each("pre-activation ResNet", count, 6, 2), shortcut="A")


def _multi(layers: str, branches: str, k: str | None = None) -> Named:
    """Return a pre-activation network with several residual functions in each block, of basic blocks where widened."""
    count, family = int(layers), "multi-residual network"
    given: dict[str, Any] = {"branches": int(branches)}
    if k:
        depths = _each(family, count, 6, 2)
        return _named(CIFAR, block="preact", depths=depths, widening_factor=_factor(k), **given)
    return _named(CIFAR, block="preact_bottleneck", depths=_each(family, count, 9, 2), stride_in="first", **given)


def _ror(levels: str, layers: str) -> Named:
    """Return a residual network of residual networks; on small images blocks project where the shape changes."""
    made = _resnet(layers, "-")
    return replace(made, architecture=replace(made.architecture, levels=int(levels), shortcut="B"))


def _ror_wrn(levels: str, layers: str, k: str) -> Named:
    made = _wrn(layers, k)
    return replace(made, architecture=replace(made.architecture, levels=int(levels)))


def _swapout(layers: str, k: str) -> Named:
    """Return a pre-activation network (its authors' v2) that is as wide everywhere, with the linear schedule to .5."""
    width = round(16 * _factor(k))
    return _named(
        CIFAR, block="preact", depths=_each("swapout network", int(layers), 6, 2), widths=(width, 2 * width, 4 * width),
        stem_width=width, dropout="swapout", dropout_rate=0.5,
    )  # fmt: skip


def _wrn(layers: str, k: str, kernels: str | None = None, deepening: str | None = None) -> Named:
    count = int(layers)
    if (count - 4) % 6 or count < 10:
        large = f"; wide_resnet{count}_{k} is ImageNet's" if count in _USUAL else ""
        raise InputError(f"WRN depth must be 6N+4: {count} is not{large}")
    sequence: tuple[int, ...] = (3, 3)
    blocks = (count - 4) // 6
    if kernels:
        sequence = tuple(int(kernel) for kernel in re.findall(r"\d", kernels))
    if deepening:  # l convolutions in a block, and so many fewer blocks (Zagoruyko & Komodakis 2016, table 3)
        length = int(deepening)
        if length < 1 or 2 * blocks % length:
            raise InputError(
                f"WRN deepening factor must divide {2 * blocks}, the convolutions of a stage: {length} does not"
            )
        sequence, blocks = (3,) * length, 2 * blocks // length
    made = _named(CIFAR, block="preact", depths=(blocks,) * 3, widening_factor=_factor(k), kernels=sequence)
    return replace(made, wide=True)


def _wide_resnet(layers: str, k: str) -> Named:
    """Widen a basic network everywhere, a bottleneck one inside its blocks only (section 3, ImageNet)."""
    count, factor = int(layers), _factor(k)
    depths = _large_stages("wide ResNet", count)
    if count < 50:
        return _named(IMAGENET, block="basic", depths=depths, widening_factor=factor, **_LARGE)
    return _named(IMAGENET, block="bottleneck", depths=depths, base_width=round(64 * factor), **_LARGE)


def _resnext(layers: str, dash: str, cardinality: str, base_width: str) -> Named:
    count = int(layers)
    grouped: dict[str, Any] = {"block": "resnext", "cardinality": int(cardinality), "base_width": int(base_width)}
    if not dash or count in (50, 101, 152):
        return _named(IMAGENET, depths=_large_stages("ResNeXt", count, (50, 101, 152)), **grouped, **_LARGE)
    widths = {"widths": (64, 128, 256), "stem_width": 64}
    return _named(CIFAR, depths=_each("ResNeXt", count, 9, 2), **grouped, **widths)


def _dfn(kind: str, layers: str, k: str | None = None) -> Named:
    block = {"mr": "merge_run", "il": "inception"}[kind]
    count = int(layers)
    if count % 2 or count < 8:
        raise InputError(f"DFN-{kind.upper()} depth must be 2B+2 for B blocks, at least 3: {count} is not")
    blocks = (count - 2) // 2
    first = blocks // 3
    second = (blocks - first) // 2  # the authors' division: what is over goes to the last stages
    factor = _factor(k) if k else 1.0
    return _named(CIFAR, block=block, depths=(first, second, blocks - first - second), widening_factor=factor)


def _dfn_numbered(number: str) -> Named:
    layers, k = {"1": ("56", "1"), "2": ("32", "4"), "3": ("50", "4")}[number]
    return _dfn("mr", layers, k)


def _fuse(fusions: str, layers: str | None = None, k: str | None = None) -> Named:
    """Return a deeply-fused net: a plain network with a line beside every third, or sixth, of its convolutions."""
    count, width = int(layers or 26), round(16 * (_factor(k) if k else 1.0))
    blocks = _each("fused network", count, int(fusions), 2, 1)[0]  # convolutions of a block, here
    return _named(
        CIFAR, kernels=(3,) * blocks, depths=(int(fusions) // 3,) * 3, widths=(width, 2 * width, 4 * width),
        stem_width=width, shortcut="3x3",
    )  # fmt: skip


def _dfn_large(kind: str) -> Named:
    """Return the authors' networks for ImageNet: no shortcut where the shape changes, no BN after the stem."""
    large = {**_LARGE, "stem": "large_bare", "shortcut": "identity"}
    if kind == "resnet-98":
        return _named(IMAGENET, block="bottleneck", depths=(2, 4, 22, 4), **large)
    block = {"mr-50": "merge_run_bottleneck", "il-50": "inception_bottleneck"}[kind]
    return _named(IMAGENET, block=block, depths=(1, 2, 11, 2), fusion="concatenate", **large)


def _densenet(layers: str, growth: str, bc: str | None = None) -> Named:
    k = int(growth)
    if bc:
        depths = _each("DenseNet-BC", int(layers), 6, 4)
        return _named(CIFAR, block="dense_bottleneck", depths=depths, growth=k, compression=0.5, stem_width=2 * k)
    return _named(CIFAR, block="dense", depths=_each("DenseNet", int(layers), 3, 4), growth=k, stem_width=16)


def _densenet_large(layers: str) -> Named:
    count = int(layers)
    if count not in _DENSE:
        raise InputError(f"DenseNet for ImageNet has {', '.join(map(str, _DENSE))} layers: {count} is none of them")
    growth = 48 if count == 161 else 32
    large: dict[str, Any] = {"stem": "large", "stem_width": 2 * growth, "widths": usual_widths(4)}
    return _named(IMAGENET, block="dense_bottleneck", depths=_DENSE[count], growth=growth, compression=0.5, **large)


def _highway(layers: str) -> Named:
    """Return highway B, whose authors give 32 layers as well, but not how they are shared out."""
    if layers != "19":
        raise InputError(f"highway networks of known structure have 19 layers: {layers} is not")
    return _named(
        CIFAR, block="highway", depths=(4, 5, 5), widths=(32, 80, 128), stem="small_biased", stem_width=32,
        head="pointwise", head_width=100,
    )  # fmt: skip


def _fractalnet(layers: str) -> Named:
    """Return a fractal network of five blocks, whose deepest column has all layers; a 1x1 doubles the channels."""
    count = int(layers)
    blocks = 5
    columns = (count // blocks).bit_length()
    if columns < 1 or count != blocks * 2 ** (columns - 1):
        raise InputError(f"FractalNet depth must be {blocks} times 1, 2, 4, ...: {count} is not")
    return _named(
        CIFAR, block="fractal", columns=columns, doubling="pointwise", depths=(1,) * blocks,
        widths=(64, 128, 256, 512, 512), strides=(2,) * blocks, stem="none",
    )  # fmt: skip


def _mobilenet(
    alpha: str | None = None, shallow: str | None = None, conv: str | None = None, side: str | None = None
) -> Named:
    """Return MobileNet; the shallow form leaves out the five layers of its fourth stage that do not stride."""
    size = int(side) if side else 224
    if size < 32:
        raise InputError(f"MobileNet reads images of at least 32 pixels: {size} are fewer")
    return _named(
        replace(IMAGENET, height=size, width=size),
        block="conv" if conv else "separable",
        depths=(1, 2, 2, 1 if shallow else 6, 2),
        widths=(64, 128, 256, 512, 1024),
        stem="strided",
        stem_width=32,
        widening_factor=_factor(alpha) if alpha else 1.0,
    )


def _shufflenet(groups: str, k: str | None = None) -> Named:
    """Return ShuffleNet, as wide at any number of groups as costs about the same (table 1), all widths times k."""
    count = int(groups)
    if count not in _SHUFFLED:
        raise InputError(f"ShuffleNet has {', '.join(map(str, _SHUFFLED))} groups: {count} is none of them")
    width = _SHUFFLED[count]
    return _named(
        IMAGENET, block="shuffle", cardinality=count, depths=(4, 8, 4), widths=(width, 2 * width, 4 * width),
        strides=(2, 2, 2), stem="strided_pool", stem_width=24, widening_factor=_factor(k) if k else 1.0,
    )  # fmt: skip


def _allconv6(number: str | None = None) -> Named:
    index = int(number) if number and number != "baseline" else 0
    if index >= len(_ALLCONV6):
        raise InputError(f"allconv6 has settings 1 to {len(_ALLCONV6) - 1} and a baseline, 0: {index} is none of them")
    stem, *widths = _ALLCONV6[index]
    return _named(
        GHIM, block="biased_conv", depths=(1, 1, 1, 1), widths=tuple(widths), strides=(2, 2, 2, 2), stem="biased",
        stem_width=stem,
    )  # fmt: skip


def _factor(text: str) -> float:
    factor = float(text)
    if factor <= 0:
        raise InputError(f"a network cannot be widened by {text}")
    return factor


def _named(image: ImageSpec, **fields: Any) -> Named:
    return Named(name="", architecture=Architecture(**fields), image=image)


_COUNT = r"\d{1,6}"
_NUMBER = r"\d{1,4}(?:\.\d{1,6})?"
_LAYERS = rf"(?P<dash>-?)(?P<layers>{_COUNT})"
_K = rf"(?P<k>{_NUMBER})"
_ALPHA = r"(?P<alpha>\d(?:\.\d{1,6})?)"  # a larger number is a resolution
_SIDE = r"(?:-(?P<side>\d{2,4}))?"

# Pattern of a name in small letters with every underscore a dash, what makes it, an example.
FAMILIES: tuple[tuple[str, Callable[..., Named], str], ...] = (
    (rf"resnet{_LAYERS}", _resnet, "resnet-56"),
    (rf"(?P<plain>plain){_LAYERS}", _resnet, "plain-20"),
    (rf"pre(?:act)?-?resnet{_LAYERS}", _preact, "preact-resnet-164"),
    (rf"multi-?resnet-(?P<layers>{_COUNT})-(?P<branches>[1-9]\d?)(?:-{_K})?", _multi, "multi-resnet-200-5"),
    (rf"ror-(?P<levels>[23])-(?P<layers>{_COUNT})", _ror, "ror-3-110"),
    (rf"ror-(?P<levels>[23])-wrn-?(?P<layers>{_COUNT})-{_K}", _ror_wrn, "ror-3-wrn-40-2"),
    (rf"swapout-(?P<layers>{_COUNT})-{_K}", _swapout, "swapout-20-4"),
    (
        rf"(?:wrn-?|wide-?resnet-)(?P<layers>{_COUNT})-{_K}"
        r"(?:-b(?P<kernels>\(\d(?:,\d){0,7}\)|\d{1,8})|[- ]l=?(?P<deepening>\d{1,3}))?",
        _wrn,
        "wrn-28-10",
    ),
    (rf"wide-?resnet(?P<layers>{_COUNT})-{_K}", _wide_resnet, "wide_resnet50_2"),
    (rf"wrn-(?P<layers>{_COUNT})-{_K}-bottleneck", _wide_resnet, "wrn-50-2-bottleneck"),
    (rf"resnext{_LAYERS}-(?P<cardinality>{_COUNT})x(?P<base_width>{_COUNT})d?", _resnext, "resnext-29-8x64d"),
    (rf"se-?resnet{_LAYERS}", _se_resnet, "se_resnet50"),
    (rf"se-?resnext{_LAYERS}-(?P<cardinality>{_COUNT})x(?P<base_width>{_COUNT})d?", _se_resnext, "se_resnext50_32x4d"),
    (rf"dfn-(?P<kind>mr|il)-(?P<layers>{_COUNT})(?:-{_K})?", _dfn, "dfn-mr-56"),
    (r"dfn-mr(?P<number>[123])", _dfn_numbered, "dfn-mr1"),
    (rf"dfn-fuse(?P<fusions>3|6)(?:-(?P<layers>{_COUNT})(?:-{_K})?)?", _fuse, "dfn-fuse6"),
    (r"dfn-imagenet-(?P<kind>mr-50|il-50|resnet-98)", _dfn_large, "dfn-imagenet-mr-50"),
    (rf"densenet-(?P<layers>{_COUNT})-(?P<growth>{_COUNT})(?P<bc>-bc)?", _densenet, "densenet-40-12"),
    (rf"densenet-(?P<bc>bc)-(?P<layers>{_COUNT})-(?P<growth>{_COUNT})", _densenet, "densenet-bc-100-12"),
    (rf"densenet-?(?P<layers>{_COUNT})", _densenet_large, "densenet121"),
    (rf"mobilenet(?:-?v1)?(?:-{_ALPHA})?{_SIDE}", _mobilenet, "mobilenet-0.5"),
    (rf"mobilenet-(?P<shallow>shallow)(?:-{_ALPHA})?{_SIDE}", _mobilenet, "mobilenet-shallow"),
    (rf"mobilenet-{_ALPHA}-(?P<shallow>shallow){_SIDE}", _mobilenet, "mobilenet-0.5-shallow"),
    (r"mobilenet-(?P<conv>conv)", _mobilenet, "mobilenet-conv"),
    (rf"shufflenet(?:-v1)?-g(?P<groups>\d)(?:-{_K})?", _shufflenet, "shufflenet-g3"),
    (rf"vgg-?(?P<layers>{_COUNT})(?P<norm>-bn)?", _vgg, "vgg16_bn"),
    (r"alexnet", _alexnet, "alexnet"),
    (rf"highway-(?P<layers>{_COUNT})", _highway, "highway-19"),
    (rf"fractalnet-(?P<layers>{_COUNT})", _fractalnet, "fractalnet-20"),
    (r"allconv6(?:-(?P<number>\d|baseline))?", _allconv6, "allconv6-3"),
)
