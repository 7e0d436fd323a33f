"""Hold the counts of known networks to the digit: parameters and multiply-accumulates, as published or logged.

`tests/golden/counts.csv` names each network as a person does, with the fields that differ (`settings`). Its counts are
the papers' (He et al. 2015 and 2016, Zagoruyko & Komodakis 2016, Xie et al. 2017, Zhao et al. 2016, Huang et al. 2016
and 2017, Howard et al. 2017), the authors' logs', torchvision's, or those of independent rebuilds.
"""

import csv
import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest

from spaces.architecture import ImageSpec
from spaces.counting import cost
from spaces.describe import main
from spaces.names import named
from spaces.settings import read_settings

ROWS = list(csv.DictReader(Path(__file__, "../../golden/counts.csv").resolve().read_text().splitlines()))
each_row = pytest.mark.parametrize(
    "row", [pytest.param(row, id=f"{row['network']} {row['settings']} {row['classes']}") for row in ROWS]
)


def counted(name: str, *settings: str, **image: int) -> tuple[int, int]:
    known = named(name)
    found = cost(replace(known.architecture, **read_settings(settings)), replace(known.image, **image))
    return found.params, found.macs


@each_row
def test_a_known_network_costs_what_is_known_to_the_digit(row: dict[str, str]) -> None:
    params, macs = counted(row["network"], *row["settings"].split(), classes=int(row["classes"]))
    assert params == int(row["params"])
    if row["macs_giga"]:
        decimals = len(row["macs_giga"].partition(".")[2])
        assert round(macs / 1e9, decimals) == float(row["macs_giga"])


def test_every_family_is_among_the_known() -> None:
    assert len(ROWS) >= 150
    families = (
        "resnet-",
        "resnet5",
        "preact-",
        "wrn-",
        "wide_",
        "resnext-",
        "resnext5",
        "dfn-",
        "densenet-4",
        "densenet1",
    )
    for family in (
        *families,
        "mobilenet-",
        "allconv6",
        "multi-resnet-",
        "highway-",
        "swapout-",
        "ror-",
        "vgg",
        "se_",
        "fractalnet-",
        "alexnet",
        "shufflenet-",
    ):
        assert any(row["network"].startswith(family) for row in ROWS), family


@pytest.mark.parametrize(
    ("name", "macs"),
    [
        ("resnet-56", 125_485_696),
        ("resnet-110", 252_887_680),
        ("preact-resnet-164", 244_500_992),
        ("wrn-28-10", 5_243_328_768),
        ("resnext-29-8x64d", 5_387_266_048),
        ("resnet50", 4_089_184_256),
        ("resnext50_32x4d", 4_230_479_872),
        ("wide_resnet50_2", 11_398_021_120),
        ("mobilenet-1.0", 568_740_352),
        ("highway-19", 330_826_728),
        ("fractalnet-20", 1_129_518_080),
    ],
)
def test_multiply_accumulates_hold_to_the_last_digit(name: str, macs: int) -> None:
    assert counted(name)[1] == macs


@pytest.mark.parametrize(
    ("name", "millions"),  # as papers round them
    [("preact-resnet200", 64.7), ("mobilenet-conv", 29.3), ("resnet-1202", 19.4), ("wrn-40-10", 55.8)],
)
def test_a_network_that_is_known_in_millions_only_rounds_to_them(name: str, millions: float) -> None:
    assert round(counted(name)[0] / 1e6, 1) == millions


def multi_residual_by_hand(blocks: int, k: int) -> int:
    """Add up a pre-activation network of three stages of bottlenecks with k branches each."""
    total, reads = 9 * 3 * 16, 16
    for out in (64, 128, 256):
        inner = out // 4
        for _ in range(blocks):
            enters = 2 * reads if reads != out else k * 2 * reads  # shared with the projection
            total += enters + (reads * out if reads != out else 0)
            total += k * (reads * inner + 2 * inner + 9 * inner**2 + 2 * inner + inner * out)
            reads = out
    return total + 2 * reads + 11 * reads - reads + 10


@pytest.mark.parametrize(("blocks", "params"), [(8, 762_746), (17, 1_637_690), (26, 2_512_634)])
def test_levels_of_shortcuts_cost_what_an_independent_rebuild_counts(blocks: int, params: int) -> None:
    each = f"depths={blocks},{blocks},{blocks}"
    assert counted("ror-3-56", each)[0] == params  # which its author calls 56, 110 and 164
    projections = 16 * 16 + 2 * 16 + 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64 + 16 * 64 + 2 * 64
    assert params == counted("ror-3-56", each, "levels=1")[0] + projections


def test_a_network_cannot_have_fewer_parameters_than_the_one_inside_it() -> None:
    # The paper prints 13.3 M for RoR-3-WRN58-4.
    assert counted("wrn-58-4")[0] == 13_599_450 < counted("ror-3-wrn-58-4")[0]


def test_a_shortcut_costs_what_its_paper_adds() -> None:
    usual, blocks = counted("resnet-110")[0], 18
    weights = blocks * 16**2 + 16 * 32 + (blocks - 1) * 32**2 + 32 * 64 + (blocks - 1) * 64**2
    biases = blocks * (16 + 32 + 64)
    assert counted("resnet-110", "shortcut=scaled")[0] == usual
    assert counted("resnet-110", "shortcut=conv")[0] == usual + weights
    assert counted("resnet-110", "shortcut=C")[0] == usual + weights + 2 * biases
    for gated in ("gated", "exclusive"):
        assert counted("resnet-110", f"shortcut={gated}")[0] == usual + weights + biases


def test_a_highway_network_is_what_its_layers_add_up_to() -> None:
    def conv(reads: int, width: int, kernel: int = 3) -> int:
        return kernel**2 * reads * width + width

    layers = [conv(3, 32), conv(32, 80), conv(80, 128), conv(128, 100, 1), 100 * 10 + 10]
    gated = [count * 2 * conv(width, width) for count, width in ((4, 32), (5, 80), (5, 128))]
    assert counted("highway-19")[0] == sum(layers) + sum(gated)


@pytest.mark.parametrize("columns", [1, 2, 3, 4])
def test_a_fractal_network_is_what_its_columns_add_up_to(columns: int) -> None:
    def layer(reads: int, width: int, kernel: int = 3) -> int:
        return kernel**2 * reads * width + 2 * width

    convs, reads = 2**columns - 1, 3
    bare = doubled = 512 * 10 + 10
    for width in (64, 128, 256, 512, 512):
        bare += columns * layer(reads, width) + (convs - columns) * layer(width, width)
        doubled += (layer(reads, width, 1) if reads != width else 0) + convs * layer(width, width)
        reads = width
    name = f"fractalnet-{5 * 2 ** (columns - 1)}"
    assert counted(name, "doubling=columns")[0] == bare
    assert counted(name)[0] == doubled


@pytest.mark.parametrize(("groups", "mega"), [(1, 143), (2, 140), (3, 137), (4, 133), (8, 137)])
def test_a_shuffled_network_is_what_its_units_add_up_to(groups: int, mega: int) -> None:
    first = {1: 144, 2: 200, 3: 240, 4: 272, 8: 384}[groups]
    total, reads = 27 * 24 + 2 * 24, 24
    for stage, units in enumerate((4, 8, 4)):
        width = first * 2**stage
        inner = width // 4
        for unit in range(units):
            wide = width - reads if unit == 0 else width
            reduces = reads * inner // (1 if stage == unit == 0 else groups)
            total += reduces + 2 * inner + 9 * inner + 2 * inner + inner * wide // groups + 2 * wide
            reads = width
    params, macs = counted(f"shufflenet-g{groups}")
    assert params == total + reads * 1000 + 1000
    assert macs / 1e6 == pytest.approx(mega, abs=1.5)  # the paper's table 1, in which not all seem to be counted


@pytest.mark.parametrize("k", [1, 2, 4])
def test_a_fused_network_is_a_plain_one_and_three_lines(k: int) -> None:
    def layer(reads: int, width: int) -> int:
        return 9 * reads * width + 2 * width

    widths = (16 * k, 16 * k, 32 * k, 64 * k)
    lines = sum(layer(reads, width) for reads, width in itertools.pairwise(widths))
    deep = sum(layer(reads, width) + 7 * layer(width, width) for reads, width in itertools.pairwise(widths))
    by_hand = layer(3, 16 * k) + lines + deep + 64 * k * 10 + 10
    assert counted(f"dfn-fuse3-26-{k}")[0] == counted(f"dfn-fuse6-26-{k}")[0] == by_hand
    assert k > 1 or by_hand == counted("plain-26")[0] + 25_568 == 392_506


@pytest.mark.parametrize(("depth", "k"), [(164, 1), (200, 5), (398, 5)])
def test_a_multi_residual_network_is_what_its_layers_add_up_to(depth: int, k: int) -> None:
    assert counted(f"multi-resnet-{depth}-{k}")[0] == multi_residual_by_hand((depth - 2) // 9, k)


@pytest.mark.parametrize("deepening", [1, 2, 3, 4])
def test_the_deepening_factor_shares_the_same_convolutions_out_to_fewer_blocks(deepening: int) -> None:
    assert counted(f"wrn-40-2-l{deepening}") == (2_243_546, 327_599_360)


@pytest.mark.parametrize("width", [1, 2, 4])
def test_merge_and_run_costs_one_projection_more_at_each_width_change_than_inception(width: int) -> None:
    more = counted(f"dfn-mr-32-{width}")[0] - counted(f"dfn-il-32-{width}")[0]
    assert more == 2560 * width**2 + 192 * width


def test_what_the_literature_prints_wrongly_is_not_imitated() -> None:
    assert counted("dfn-mr3")[0] == 24_151_882  # its README prints 24.8 M
    assert counted("resnet-1001")[0] == 10_328_602  # a table prints its 10.2 M for ResNet-1202
    # The authors' total of 36,479,184 holds 6,400 numbers that never learn and 1,280 that nothing reads.
    assert counted("wrn-28-10", "head=cosine")[0] == 36_479_184 - 6_400 - 1_280


@pytest.mark.parametrize("cardinality", [2, 4, 8, 32])
def test_a_preserved_base_width_keeps_a_grouped_networks_cost(cardinality: int) -> None:
    plain = counted("resnet50")
    kept = counted("resnext50_32x4d", f"cardinality={cardinality}", "base_width=preserved")
    assert kept[0] == pytest.approx(plain[0], rel=0.03)
    assert kept[1] == pytest.approx(plain[1], rel=0.05)


@pytest.mark.parametrize(("cardinality", "base_width"), [(1, 64), (2, 40), (4, 24), (8, 14), (32, 4)])
def test_the_preserved_base_width_is_the_papers(cardinality: int, base_width: int) -> None:
    preserved = named(f"resnext50_{cardinality}x{base_width}d").architecture
    assert replace(preserved, base_width="preserved").digest == preserved.digest


def test_ten_times_the_classes_cost_a_larger_head_only() -> None:
    ten, hundred = (cost(named("wrn-40-4").architecture, ImageSpec(classes=classes)) for classes in (10, 100))
    assert hundred.params - ten.params == 90 * (256 + 1)
    assert hundred.macs - ten.macs == 90 * 256
    assert hundred.activations - ten.activations == 90


def test_where_a_bottleneck_strides_costs_no_parameter() -> None:
    first, late = counted("resnet50", "stride_in=first"), counted("resnet50")
    assert first[0] == late[0]
    assert (round(first[1] / 1e9, 3), round(late[1] / 1e9, 3)) == (3.858, 4.089)


def test_the_command_says_the_same_counts(capsys: pytest.CaptureFixture[str]) -> None:
    for row in ROWS[::10]:
        settings = ["--set", *row["settings"].split()] if row["settings"] else []
        assert main([row["network"], *settings, "--classes", row["classes"], "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["params"] == int(row["params"])
