"""Train a network for an analysis, whole or without parts of it, by the recipe of its trial.

Where a training was broken off it goes on. What is taken out is gone in training too, so its weights stay those that
the seed drew, and are decayed.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workers.checkpoint import Checkpoint, before
from workers.parts import Part, without
from workers.trainer import Trainer, TrialSpec, is_of

Tell = Callable[[str, int, int], object]  # what is done, how much of it, of how much


def say_nothing(_what: str, _done: int, _of: int) -> None:
    """Be told how far it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Where trainings go on from, and who is told of them."""

    folder: Path | None = None  # of their checkpoints; nothing: they begin anew each time
    tell: Tell = say_nothing

    @contextmanager
    def trained(
        self,
        spec: TrialSpec,
        like: Trainer,
        what: str,
        taken: Callable[[Trainer], Sequence[Part]] = lambda _: (),
    ) -> Iterator[Trainer]:
        """Give a network that was trained in full, still without the parts that it was trained without.

        Args:
            spec: what to train.
            like: on whose data and device, in whose precision.
            what: it is, as people are told it.
            taken: returns the parts that it is trained without.

        Raises:
            TrialFailure: the loss or a gradient is not finite.
            OSError: a checkpoint cannot be written.
        """
        trainer = Trainer(spec, like.data, numerics=like.numerics)
        parts = taken(trainer)
        checkpoint = self._checkpoint(spec, parts)
        state = checkpoint.load() if checkpoint else None
        if state is not None and is_of(spec, state):
            trainer.resume(state)
        with without(*parts):
            self._train(trainer, checkpoint, what)
            yield trainer

    def _train(self, trainer: Trainer, checkpoint: Checkpoint | None, what: str) -> None:
        epochs = trainer.spec.recipe.epochs
        while trainer.epoch < epochs:
            self.tell(what, trainer.epoch, epochs)
            trainer.run_epoch(measure=trainer.epoch + 1 == epochs)
            if checkpoint:
                checkpoint.save(trainer.state())
        self.tell(what, epochs, epochs)
        if self.folder and checkpoint:
            (self.folder / before(checkpoint.name)).unlink(missing_ok=True)  # nobody goes on from it

    def _checkpoint(self, spec: TrialSpec, parts: Sequence[Part]) -> Checkpoint | None:
        if self.folder is None:
            return None
        told: list[Any] = [spec.to_json(), sorted((each.what, each.place) for each in parts)]
        name = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
        return Checkpoint(self.folder / f"{name[:16]}.pt")
