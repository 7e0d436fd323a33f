"""What is captured is said by the network; what a captured step computes is the step."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from spaces.architecture import Architecture, ImageSpec
from spaces.network import build
from tests.workers.test_trainer import SMALL, spec, toy
from workers.engine.graphs import Graphs, network_refusal, refusal
from workers.trainer import Trainer

pytestmark = pytest.mark.usefixtures("one_thread")

IMAGE = ImageSpec(channels=1, height=8, width=8, classes=10)
FRACTAL = Architecture(block="fractal", columns=2, stem="none", depths=(1, 1), widths=(8, 16), dropout="path",
                       dropout_rate=0.1)  # fmt: skip


@pytest.mark.parametrize(
    ("architecture", "said"),
    [
        (SMALL, ""),
        (replace(SMALL, dropout="between", dropout_rate=0.1), "Dropout draws random numbers"),
        (replace(SMALL, dropout="branch", dropout_rate=0.1), "DropBranch draws random numbers"),
        (replace(SMALL, dropout="swapout", dropout_rate=0.1), "Swapout draws random numbers"),
        (FRACTAL, "DropPath draws random numbers"),
    ],
    ids=["none", "units", "branches", "swapout", "paths"],
)
def test_a_network_that_draws_steps_as_it_is(architecture: Architecture, said: str) -> None:
    assert network_refusal(build(architecture, IMAGE)) == said


def test_a_block_that_nobody_knows_steps_as_it_is() -> None:
    class Own(nn.Module):
        pass

    assert network_refusal(nn.Sequential(nn.Conv2d(1, 1, 1), Own())).startswith("nobody knows what Own of ")


def test_a_processor_captures_nothing() -> None:
    trainer, graphs = Trainer(spec(), toy()), Graphs()
    assert refusal(trainer) == "a processor has no graphs"
    images, labels = next(trainer.batches())
    assert [graphs.step(trainer, images, labels, 0.1) for _ in range(9)] == [None] * 9


@pytest.mark.parametrize(
    "recipe",
    [{}, {"optimizer": "adamw", "learning_rate": 0.002}, {"precision": "bfloat16"}],
    ids=["sgd", "adamw", "bfloat16"],
)
def test_steps_by_numbers_on_the_device_come_to_what_steps_by_plain_numbers_come_to(recipe: dict[str, Any]) -> None:
    given = spec(**recipe)
    plain, captured = Trainer(given, toy()), Trainer(given, toy())
    rates = (0.1, 0.05, 0.02) if "optimizer" not in recipe else (0.002, 0.001, 0.0005)
    for rate, (images, labels) in zip(rates, plain.batches(), strict=True):
        for trainer in (plain, captured):
            trainer.loss(images, labels)
        plain.optimizer.step(rate)
        captured.optimizer.steps += 1
        captured.optimizer.apply(torch.tensor(captured.optimizer.factors(rate)).unbind())
    assert captured.optimizer.steps == plain.optimizer.steps == 3
    torch.testing.assert_close(captured.optimizer.values, plain.optimizer.values, rtol=1e-4, atol=1e-5)


def test_weights_in_bfloat16_lie_where_they_lay_in_the_epoch_before() -> None:
    trainer = Trainer(spec(precision="bfloat16"), toy())
    found = []
    for _ in range(2):
        with trainer.optimizer.in_bfloat16():
            assert trainer.optimizer.halves is not None
            held = trainer.optimizer.halves.values
            assert torch.equal(held, trainer.optimizer.values[: len(held)].bfloat16())
            found.append(held.data_ptr())
        with torch.no_grad():
            trainer.optimizer.values.add_(1.0)
    assert found[0] == found[1]
