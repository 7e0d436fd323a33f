"""How a GPU computes is set on purpose, and what autocast can be spared is known by its layers."""

from collections.abc import Iterator

import pytest
import torch
from torch import nn

from spaces.architecture import Architecture, ImageSpec
from spaces.network import build
from workers.numerics import AUTOTUNED_STEPS, casts, set_cuda


@pytest.fixture
def flags() -> Iterator[None]:
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    mkldnn = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]  # torch's own stub
    before = cudnn.benchmark, cudnn.conv.fp32_precision  # type: ignore[attr-defined]
    precision, finer = torch.get_float32_matmul_precision(), (matmul.fp32_precision, mkldnn.fp32_precision)
    yield
    cudnn.benchmark, cudnn.conv.fp32_precision = before  # type: ignore[attr-defined]
    torch.set_float32_matmul_precision(precision)
    matmul.fp32_precision, mkldnn.fp32_precision = finer


@pytest.mark.usefixtures("flags")
@pytest.mark.parametrize(("steps", "autotuned"), [(AUTOTUNED_STEPS - 1, False), (AUTOTUNED_STEPS, True)])
def test_a_gpu_rounds_float32_and_tries_routines_where_a_training_is_long(steps: int, autotuned: bool) -> None:
    assert set_cuda(torch.device("cuda"), steps) == {"tf32": True, "autotuned": autotuned}
    assert torch.backends.cuda.matmul.fp32_precision == "tf32"
    assert torch.backends.cudnn.conv.fp32_precision == "tf32"  # type: ignore[attr-defined]  # torch's own stub
    assert torch.backends.cudnn.benchmark is autotuned


@pytest.mark.usefixtures("flags")
def test_whoever_asks_in_the_old_way_how_a_gpu_multiplies_is_answered() -> None:
    set_cuda(torch.device("cuda"), 1)
    assert torch.get_float32_matmul_precision() == "high"
    assert torch.backends.cuda.matmul.allow_tf32
    assert torch.backends.cudnn.allow_tf32


@pytest.mark.usefixtures("flags")
def test_on_a_processor_nothing_of_it_is_set() -> None:
    before = torch.backends.cudnn.benchmark
    assert set_cuda(torch.device("cpu"), 10 * AUTOTUNED_STEPS) == {}
    assert torch.backends.cudnn.benchmark is before


@pytest.mark.parametrize(
    "fields",
    [{}, {"block": "preact_bottleneck"}, {"block": "highway", "stem": "small_biased"}, {"attention": "squeeze_excite"}],
)
def test_networks_of_ours_have_their_weights_cast(fields: dict[str, str]) -> None:
    assert casts(build(Architecture(**fields), ImageSpec()))  # type: ignore[arg-type]


class _Weighed(nn.Linear):
    """Reads its weights as nobody knows."""


def test_what_reads_its_weights_in_ways_of_its_own_is_left_to_autocast() -> None:
    tied = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    tied[1].weight = tied[0].weight
    own = nn.Linear(3, 3)
    own.scales = nn.Parameter(torch.ones(2, 2))
    for network in (nn.Sequential(nn.Linear(3, 3), _Weighed(3, 3)), tied, own, nn.Sequential(nn.BatchNorm2d(3))):
        assert not casts(network)
