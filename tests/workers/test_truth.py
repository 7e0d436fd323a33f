"""Convolutions are right and training repeats itself on every generation of processors that can be imitated.

Each generation computes in processes of its own, by `ONEDNN_MAX_CPU_ISA` and `ATEN_CPU_CAPABILITY`, so that a crash is
a failed test. The imitation shows oneDNN's fault (issue 6035) as machines of that generation do. Arm cannot be
imitated: not tried.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from spaces.kinds import KINDS
from spaces.layers import StridedPointwise, conv
from spaces.plan import Conv
from workers.numerics import CANDIDATES, Numerics
from workers.truth import BOUNDS, CASES, Case, errors, wrong

ROOT = Path(__file__).resolve().parents[2]
GENERATIONS = {
    "SSE41": {"ONEDNN_MAX_CPU_ISA": "SSE41", "ATEN_CPU_CAPABILITY": "default"},
    "AVX2": {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"},
    "AVX512_CORE": {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE"},
    "this": {},
}
FLOAT32 = Numerics.named("float32 channels_last")

SPACES = [ROOT / "space.yaml", *sorted((ROOT / "spaces" / "examples").glob("*.yaml"))]

each_generation = pytest.mark.parametrize("generation", GENERATIONS)
# What most machines are and the one at hand; a slow run has all.
some_generations = pytest.mark.parametrize(
    "generation", [name if name in ("AVX2", "this") else pytest.param(name, marks=pytest.mark.very_slow)
                   for name in GENERATIONS]
)  # fmt: skip
each_count = pytest.mark.parametrize("threads", [1, 2])


def told(program: str, generation: str, threads: int, *given: str) -> str:
    """Return what a program says, imitating a generation; a crash is a failure that names the signal."""
    environment = {**os.environ, **GENERATIONS[generation], "OMP_NUM_THREADS": str(threads), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program, str(threads), *given]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, f"exit code {done.returncode}: {done.stderr[-2000:]}"
    return done.stdout


EVERY_CASE = """
import sys, torch
from workers.numerics import CANDIDATES
from workers.truth import wrong
torch.set_num_threads(int(sys.argv[1]))
print([f"{each.name}: {fault}" for each in CANDIDATES if (fault := wrong(each))])
"""

TWICE = """
import sys, torch
from spaces.architecture import Architecture
from workers.datasets import load
from workers.numerics import CANDIDATES, recipe_with
from workers.recipe import Recipe
from workers.sources import DataSpec
from workers.trainer import TrialSpec, train
torch.set_num_threads(int(sys.argv[1]))
spec = DataSpec(name="digits", limit=200)
data = load(spec)
for kind in sys.argv[2:]:
    extra = {"growth": 4} if kind.startswith("dense") else {"cardinality": 2} if kind == "resnext" else {}
    network = Architecture(block=kind, depths=(1, 1), widths=(16, 32), widening_factor=0.5, **extra)
    for each in CANDIDATES[:3]:
        recipe = recipe_with(Recipe(epochs=2, warmup_epochs=0.5), each)
        trial = TrialSpec(architecture=network, recipe=recipe, data=spec, seed=1)
        learned = ("accuracy", "loss", "train_loss")
        once, again = ([[m.metrics[n] for n in learned] for m in train(trial, data)] for _ in range(2))
        if once != again:
            print(kind, each.name, once, again)
"""


@each_count
@some_generations
def test_every_convolution_is_right_in_every_precision_and_layout(generation: str, threads: int) -> None:
    assert told(EVERY_CASE, generation, threads).strip() == "[]"


@pytest.mark.slow
@pytest.mark.parametrize("generation", [pytest.param("AVX2", marks=pytest.mark.very_slow), "this"])
def test_the_same_training_twice_measures_the_same_to_the_bit(generation: str) -> None:
    assert told(TWICE, generation, 2, "basic", "bottleneck", "resnext") == ""


@pytest.mark.very_slow
@each_count
@each_generation
def test_every_kind_of_block_trained_twice_measures_the_same_to_the_bit(generation: str, threads: int) -> None:
    assert told(TWICE, generation, threads, *KINDS) == ""


@pytest.mark.very_slow
@each_count
@each_generation
@pytest.mark.parametrize("space", SPACES, ids=lambda path: path.stem)
def test_every_convolution_of_the_ready_spaces_is_right(space: Path, generation: str, threads: int) -> None:
    assert told(EVERY_SHAPE, generation, threads, str(space)).strip() == "[]"


EVERY_SHAPE = """
import sys, torch
from pathlib import Path
from search.config.study import load
from spaces.architecture import plan
from spaces.errors import InfeasibleArchitecture
from spaces.plan import Conv
from workers.numerics import CANDIDATES
from workers.truth import Case, bound, errors
torch.set_num_threads(int(sys.argv[1]))
config = load(Path(sys.argv[2]))
size = {"digits": 8, "fashion-mnist": 28}.get(config.data_spec.name, 32)
cases = set()
for params in config.search_space.sample(300, seed=0):
    try:
        described = plan(config.search_space.architecture(params))
    except InfeasibleArchitecture:
        continue
    at = size
    for stage in described.stages:
        for spec in stage:
            for each in spec.branch:
                cases.add(Case(conv=each, size=at, batch=2))
            projection = Conv(in_width=spec.in_width, out_width=spec.out_width, kernel=1, stride=spec.stride)
            cases.add(Case(conv=projection, size=at, batch=2))
            at = -(-at // spec.stride)
faults = []
for case in cases:
    for numerics in CANDIDATES[:4]:
        worst = max(errors(case, numerics).values())
        if worst > bound(numerics, torch.device("cpu")):
            faults.append(f"{numerics.name} {case} {worst}")
print(faults)
"""


def test_a_strided_1x1_computes_what_torchs_own_does_and_learns_the_same() -> None:
    ours, theirs = conv(Conv(in_width=16, out_width=32, kernel=1, stride=2)), nn.Conv2d(16, 32, 1, 2, bias=False)
    assert isinstance(ours, StridedPointwise)
    theirs.load_state_dict(ours.state_dict())
    for size in (7, 8):
        one, two = (torch.randn(4, 16, size, size, generator=torch.Generator().manual_seed(0)) for _ in range(2))
        outs = [layer(images.requires_grad_()) for layer, images in ((ours, one), (theirs, two))]
        for out in outs:
            out.square().sum().backward()
        assert torch.allclose(outs[0], outs[1], atol=1e-5)
        assert one.grad is not None
        assert torch.allclose(one.grad, two.grad, atol=1e-4)
    assert torch.allclose(ours.weight.grad, theirs.weight.grad, atol=1e-2)


def test_every_candidate_has_a_name_that_stands_for_it() -> None:
    assert [Numerics.named(each.name) for each in CANDIDATES] == list(CANDIDATES)


def test_what_is_wrong_is_found_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """By our own layers: torch's strided 1x1 convolution may write past its workspace, into this process's memory."""

    def off(kind: type[nn.Conv2d]) -> Callable[[nn.Conv2d, torch.Tensor], torch.Tensor]:
        plain = kind.forward

        def forward(layer: nn.Conv2d, images: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = plain(layer, images)
            return out * 1.01 if images.dtype is torch.float32 and layer.stride == (2, 2) else out

        return forward

    for kind in (StridedPointwise, nn.Conv2d):
        monkeypatch.setattr(kind, "forward", off(kind))
    assert wrong(FLOAT32).startswith("output of 1x1 2->4 stride 2 groups 1 on 8x8 off by 0.0")


def test_numbers_that_are_not_finite_are_infinitely_far(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = nn.Conv2d.forward
    monkeypatch.setattr(
        nn.Conv2d, "forward", lambda layer, x: plain(layer, x) * (float("nan") if x.dtype is torch.float32 else 1)
    )
    case = Case(conv=Conv(in_width=2, out_width=2, kernel=3), size=4)
    assert errors(case, FLOAT32)["output"] == float("inf")


def test_the_cases_hold_the_one_that_oneDNN_computes_wrong() -> None:  # noqa: N802
    strided = [case.conv for case in CASES if case.conv.kernel == 1 and case.conv.stride == 2]
    assert {each.in_width for each in strided if each.in_width < 8}
    assert {each.in_width for each in strided if 8 <= each.in_width < 16}
    assert BOUNDS[False] < BOUNDS[True] < 0.1
