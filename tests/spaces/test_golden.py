"""Hold the counts of known networks to the digit: parameters and multiply-accumulates, as published or logged.

Sources: He et al. 2015 (tables 1 and 6), He et al. 2016, Zagoruyko & Komodakis 2016 (tables 4, 6 and 7 and the
authors' logs), Xie et al. 2017 (tables 3, 4 and 7), torchvision's documented counts.
"""

import pytest

from spaces.architecture import Architecture, ImageSpec
from spaces.counting import cost

CIFAR10 = ImageSpec(classes=10)
CIFAR100 = ImageSpec(classes=100)
IMAGENET = ImageSpec(height=224, width=224, classes=1000)


def resnet(layers: int, shortcut: str = "A") -> Architecture:
    """6n + 2 layers."""
    return Architecture(depths=((layers - 2) // 6,) * 3, shortcut=shortcut)


def bottlenecked(layers: int, block: str = "bottleneck") -> Architecture:
    """9n + 2 layers."""
    return Architecture(block=block, depths=((layers - 2) // 9,) * 3, stride_in="first")


def preact(layers: int, shortcut: str) -> Architecture:
    """6n + 2 layers."""
    return Architecture(block="preact", depths=((layers - 2) // 6,) * 3, shortcut=shortcut)


def wrn(layers: int, k: float) -> Architecture:
    """6n + 4 layers, the three projections among them."""
    return Architecture(block="preact", depths=((layers - 4) // 6,) * 3, widening_factor=k)


def resnext29(cardinality: int, base_width: int) -> Architecture:
    return Architecture(
        block="resnext", depths=(3, 3, 3), widths=(64, 128, 256), stem_width=64,
        cardinality=cardinality, base_width=base_width,
    )  # fmt: skip


def large(block: str, *depths: int, k: float = 1.0, c: int = 1, d: int | None = None, **fields: str) -> Architecture:
    return Architecture(
        block=block, depths=depths, widths=(64, 128, 256, 512), stem="large", stem_width=64,
        widening_factor=k, cardinality=c, base_width=d, **fields,  # type: ignore[arg-type]  # names only
    )  # fmt: skip


EXACT = [
    ("ResNet-56 A", resnet(56), CIFAR10, 853_018, 125_485_696),
    ("ResNet-110 A", resnet(110), CIFAR10, 1_727_962, 252_887_680),
    ("PreAct-164", bottlenecked(164, "preact_bottleneck"), CIFAR10, 1_703_258, 244_500_992),
    ("WRN-28-10", wrn(28, 10), CIFAR10, 36_479_194, 5_243_328_768),
    ("ResNeXt-29 8x64d", resnext29(8, 64), CIFAR10, 34_426_698, 5_387_266_048),
    ("resnet50", large("bottleneck", 3, 4, 6, 3), IMAGENET, 25_557_032, 4_089_184_256),
    ("resnext50_32x4d", large("resnext", 3, 4, 6, 3, c=32, d=4), IMAGENET, 25_028_904, 4_230_479_872),
    ("wide_resnet50_2", large("bottleneck", 3, 4, 6, 3, d=128), IMAGENET, 68_883_240, 11_398_021_120),
]

ROUNDED = [  # multiply-accumulates in G, to five decimals
    ("ResNet-20 A", resnet(20), CIFAR10, 269_722, 0.04055),
    ("ResNet-20 B", resnet(20, "B"), CIFAR10, 272_474, 0.04081),
    ("ResNet-20 C", resnet(20, "C"), CIFAR10, 283_962, 0.04265),
    ("ResNet-26 B", resnet(26, "B"), CIFAR10, 369_690, 0.05497),
    ("ResNet-32 A", resnet(32), CIFAR10, 464_154, 0.06886),
    ("ResNet-44 A", resnet(44), CIFAR10, 658_586, 0.09717),
    ("ResNet-110 A, 100 classes", resnet(110), CIFAR100, 1_733_812, 0.25289),
    ("ResNet-110 B", resnet(110, "B"), CIFAR10, 1_730_714, 0.25315),
    ("ResNet-110 C", resnet(110, "C"), CIFAR10, 1_826_202, 0.26678),
    ("ResNet-1202 A", resnet(1202), CIFAR10, 19_421_274, 2.82924),
    ("PreAct-110 A", preact(110, "A"), CIFAR10, 1_727_962, 0.25289),
    ("PreAct-110 B", preact(110, "B"), CIFAR10, 1_730_522, 0.25315),
    ("PreAct-164, 100 classes", bottlenecked(164, "preact_bottleneck"), CIFAR100, 1_726_388, 0.24452),
    ("PreAct-1001", bottlenecked(1001, "preact_bottleneck"), CIFAR10, 10_327_706, 1.48785),
    ("PreAct-1001, 100 classes", bottlenecked(1001, "preact_bottleneck"), CIFAR100, 10_350_836, 1.48787),
    ("WRN-40-1", wrn(40, 1), CIFAR10, 563_930, 0.08328),
    ("WRN-40-1, 100 classes", wrn(40, 1), CIFAR100, 569_780, 0.08329),
    ("WRN-52-1", wrn(52, 1), CIFAR10, 758_362, 0.11159),
    ("WRN-28-2", wrn(28, 2), CIFAR10, 1_467_610, 0.21435),
    ("WRN-40-2", wrn(40, 2), CIFAR10, 2_243_546, 0.32760),
    ("WRN-16-4", wrn(16, 4), CIFAR10, 2_748_890, 0.39261),
    ("WRN-40-4", wrn(40, 4), CIFAR10, 8_949_210, 1.29858),
    ("WRN-40-4, 100 classes", wrn(40, 4), CIFAR100, 8_972_340, 1.29861),
    ("WRN-16-8", wrn(16, 8), CIFAR10, 10_961_370, 1.54815),
    ("WRN-22-8", wrn(22, 8), CIFAR10, 17_158_106, 2.45412),
    ("WRN-40-8", wrn(40, 8), CIFAR10, 35_748_314, 5.17202),
    ("WRN-16-10", wrn(16, 10), CIFAR10, 17_116_634, 2.41217),
    ("WRN-22-10", wrn(22, 10), CIFAR10, 26_797_914, 3.82775),
    ("WRN-28-10, 100 classes", wrn(28, 10), CIFAR100, 36_536_884, 5.24339),
    ("WRN-40-10", wrn(40, 10), CIFAR10, 55_841_754, 8.07448),
    ("WRN-28-12", wrn(28, 12), CIFAR10, 52_517_850, 7.54391),
    ("ResNeXt-29 1x64d", resnext29(1, 64), CIFAR10, 4_914_250, 0.74837),
    ("ResNeXt-29 2x64d", resnext29(2, 64), CIFAR10, 9_130_314, 1.41107),
    ("ResNeXt-29 4x64d", resnext29(4, 64), CIFAR10, 17_562_442, 2.73647),
    ("ResNeXt-29 8x64d, 100 classes", resnext29(8, 64), CIFAR100, 34_518_948, 5.38736),
    ("ResNeXt-29 16x64d", resnext29(16, 64), CIFAR10, 68_155_210, 10.68887),
    ("ResNeXt-29 32x64d", resnext29(32, 64), CIFAR10, 135_612_234, 21.29207),
    ("ResNeXt-29 1x128d", resnext29(1, 128), CIFAR10, 13_775_178, 2.09054),
    ("ResNeXt-29 1x256d", resnext29(1, 256), CIFAR10, 45_431_626, 6.81333),
    ("ResNeXt-29 32x4d", resnext29(32, 4), CIFAR10, 4_775_754, 0.77406),
    ("resnet18", large("basic", 2, 2, 2, 2), IMAGENET, 11_689_512, 1.81407),
    ("resnet34", large("basic", 3, 4, 6, 3), IMAGENET, 21_797_672, 3.66376),
    ("WRN-18 x1.5", large("basic", 2, 2, 2, 2, k=1.5), IMAGENET, 25_875_816, 3.86633),
    ("WRN-18 x2", large("basic", 2, 2, 2, 2, k=2), IMAGENET, 45_618_216, 6.69571),
    ("WRN-18 x3", large("basic", 2, 2, 2, 2, k=3), IMAGENET, 101_783_976, 14.72438),
    ("WRN-34 x1.5", large("basic", 3, 4, 6, 3, k=1.5), IMAGENET, 48_613_608, 8.02813),
    ("WRN-34 x2", large("basic", 3, 4, 6, 3, k=2), IMAGENET, 86_036_008, 14.09446),
    ("ResNet-34 A", large("basic", 3, 4, 6, 3, shortcut="A"), IMAGENET, 21_623_848, 3.64449),
    ("ResNet-34 C", large("basic", 3, 4, 6, 3, shortcut="C"), IMAGENET, 22_716_840, 3.83075),
    ("ResNet-50 He", large("bottleneck", 3, 4, 6, 3, stride_in="first"), IMAGENET, 25_557_032, 3.85797),
    ("resnet101", large("bottleneck", 3, 4, 23, 3), IMAGENET, 44_549_160, 7.80141),
    ("ResNet-101 He", large("bottleneck", 3, 4, 23, 3, stride_in="first"), IMAGENET, 44_549_160, 7.57019),
    ("resnet152", large("bottleneck", 3, 8, 36, 3), IMAGENET, 60_192_808, 11.514),
    ("ResNet-152 He", large("bottleneck", 3, 8, 36, 3, stride_in="first"), IMAGENET, 60_192_808, 11.28242),
    ("ResNeXt-50 2x40d", large("resnext", 3, 4, 6, 3, c=2, d=40), IMAGENET, 25_425_000, 4.12451),
    ("ResNeXt-50 4x24d", large("resnext", 3, 4, 6, 3, c=4, d=24), IMAGENET, 25_292_968, 4.15983),
    ("ResNeXt-50 8x14d", large("resnext", 3, 4, 6, 3, c=8, d=14), IMAGENET, 25_603_016, 4.26741),
    ("ResNeXt-101 32x4d", large("resnext", 3, 4, 23, 3, c=32, d=4), IMAGENET, 44_177_704, 7.97000),
    ("ResNeXt-101 2x64d", large("resnext", 3, 4, 23, 3, c=2, d=64), IMAGENET, 84_198_184, 15.12309),
    ("resnext101_64x4d", large("resnext", 3, 4, 23, 3, c=64, d=4), IMAGENET, 83_455_272, 15.46027),
    ("resnext101_32x8d", large("resnext", 3, 4, 23, 3, c=32, d=8), IMAGENET, 88_791_336, 16.414),
    ("ResNet-101 1x100d", large("bottleneck", 3, 4, 23, 3, d=100), IMAGENET, 85_611_336, 15.27286),
    ("wide_resnet101_2", large("bottleneck", 3, 4, 23, 3, d=128), IMAGENET, 126_886_696, 22.753),
]


def with_names(rows: list[tuple[str, Architecture, ImageSpec, int, float]]) -> pytest.MarkDecorator:
    values = [pytest.param(*row[1:], id=row[0]) for row in rows]
    return pytest.mark.parametrize(("architecture", "image", "params", "macs"), values)


@with_names(EXACT)  # type: ignore[arg-type]  # whole numbers are numbers
def test_a_known_network_costs_what_is_known_to_the_digit(
    architecture: Architecture, image: ImageSpec, params: int, macs: int
) -> None:
    counted = cost(architecture, image)
    assert (counted.params, counted.macs) == (params, macs)


@with_names(ROUNDED)
def test_a_known_network_costs_what_is_published(
    architecture: Architecture, image: ImageSpec, params: int, macs: float
) -> None:
    counted = cost(architecture, image)
    decimals = len(str(macs).partition(".")[2])
    assert counted.params == params
    assert round(counted.macs / 1e9, decimals) == macs


@pytest.mark.parametrize(
    ("layers", "classes", "params"), [(164, 10, 1_704_154), (164, 100, 1_727_284), (1001, 10, 10_328_602)]
)
def test_a_post_activated_bottleneck_network_has_the_published_parameters(
    layers: int, classes: int, params: int
) -> None:
    assert cost(bottlenecked(layers), ImageSpec(classes=classes)).params == params


def test_ten_times_the_classes_cost_a_larger_head_only() -> None:
    ten, hundred = cost(wrn(40, 4), CIFAR10), cost(wrn(40, 4), CIFAR100)
    assert hundred.params - ten.params == 90 * (256 + 1)
    assert hundred.macs - ten.macs == 90 * 256
    assert hundred.activations - ten.activations == 90


def test_where_a_bottleneck_strides_costs_no_parameter() -> None:
    first, late = (cost(large("bottleneck", 3, 4, 6, 3, stride_in=where), IMAGENET) for where in ("first", "3x3"))
    assert first.params == late.params
    assert first.macs < late.macs
    assert first.activations < late.activations
