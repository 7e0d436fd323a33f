"""What a study's networks learn to do. No torch: how it is done is in a module of the task's own name."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What labels mean to whoever reads a study."""

    name: str
    headline: str  # the metric that displays show, and that is compared with chance
    always: tuple[str, ...]  # metrics that every measured epoch has
    chance: Callable[[int], float]  # what guessing reaches in the headline, by the number of classes


CLASSIFICATION = Task(  # labels are class numbers from 0; see `workers.classification`
    name="classification",
    headline="accuracy",
    always=("accuracy", "loss", "peak_bytes"),
    chance=lambda classes: 1 / classes,
)
TASKS = {each.name: each for each in (CLASSIFICATION,)}
