"""Train inside Ray Tune: one step is one epoch. The only file that speaks both torch and Ray.

Ray's checkpoints are not used: a trial's progress is a file of ours, and what counts is what the driver has in SQL.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import torch
from ray import tune

from workers.datasets import Dataset, load
from workers.device import choose_device, use_threads
from workers.failures import classify
from workers.measurement import Measurement
from workers.sources import DataSpec
from workers.trainer import TrialSpec, train


@lru_cache(maxsize=1)
def _resident(spec: DataSpec, device: torch.device) -> Dataset:
    """Load a data set onto the device once per process; a reused actor finds it there."""
    return load(spec).to(device)


class NetworkTrainable(tune.Trainable):
    """Train the network that the configuration describes.

    The configuration holds `number`, `spec` (see `TrialSpec.to_json`), `recorded` (epochs the driver has in SQL),
    `checkpoint` (a file's path or URL), `gpus` and `threads`.
    """

    def setup(self, config: dict[str, Any]) -> None:
        """Prepare to train; nothing that can fail happens before the first step, whose failures are classified."""
        self._begin(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take up another trial in the same process."""
        self._begin(new_config)
        return True

    def _begin(self, config: dict[str, Any]) -> None:
        self._given = config
        self._measurements: Iterator[Measurement] | None = None
        if torch.cuda.is_available():
            torch.cuda.empty_cache()  # what the trial before this one held

    def step(self) -> dict[str, Any]:
        """Return the next measurement that the driver does not have.

        Raises:
            TrialFailure: whatever went wrong, classified.
        """
        try:
            if self._measurements is None:
                self._measurements = self._start()
            return next(found for found in self._measurements if found.epoch > self._given["recorded"]).to_json()
        except Exception as error:  # every failure of a trial is told by its kind; none may end the study
            self._measurements = None
            raise classify(error) from None

    def _start(self) -> Iterator[Measurement]:
        given = self._given
        use_threads(given["threads"])
        device = choose_device("cuda" if given["gpus"] else "cpu")
        if 0 < given["gpus"] < 1:  # Ray only counts fractions; nothing but this keeps a trial within its own
            torch.cuda.set_per_process_memory_fraction(given["gpus"])
        spec = TrialSpec.from_json(given["spec"])
        return train(spec, _resident(spec.data, device), checkpoint_path=given["checkpoint"])

    def cleanup(self) -> None:
        """Let go of the network."""
        self._measurements = None
