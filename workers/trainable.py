"""Train inside Ray Tune: one step is one epoch. The only file that speaks both torch and Ray.

Ray's checkpoints are not used: a trial's progress is a file of ours, and what counts is what the driver has in SQL.
"""

import json
from contextlib import suppress
from functools import lru_cache
from typing import Any

import ray
import torch
from ray import tune
from ray.experimental.internal_kv import _internal_kv_put

from workers.assignment import Assignment
from workers.datasets import Dataset, load
from workers.lastwords import LastWords
from workers.pulse import Sign
from workers.sources import DataSpec


@lru_cache(maxsize=1)
def _resident(spec: DataSpec, device: torch.device) -> Dataset:
    """Load a data set onto the device once per process; a reused actor finds it there."""
    return load(spec).to(device)


class NetworkTrainable(tune.Trainable):
    """Train the network that the configuration describes, or several of one plan together.

    The configuration holds `number`, `spec` (see `TrialSpec.to_json`), `recorded` (epochs the driver has in SQL),
    `measured` (the epochs after which the network is measured; nothing: all), `decided` (those after which the driver
    may end the trial; nothing: those that are measured), `flow` (whether it is told what comes through each block
    then), `checkpoint` (a file's path or URL), `gpus`, `threads`, `crash` (the path of a file for
    the traceback of a native crash, or nothing), `pulse` (the key under which Ray's key-value store hears that the
    trial goes on) and perhaps `mates` (of each trial that is trained together with this one its own `number`, `spec`,
    `recorded`, `checkpoint` and `pulse`). A result tells of one of them: its `number`, and a `measurement` or a
    `failure`.
    """

    _words = LastWords(None)

    def setup(self, config: dict[str, Any]) -> None:
        """Prepare to train."""
        self._begin(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take up another trial in the same process."""
        self._begin(new_config)
        return True

    def _begin(self, config: dict[str, Any]) -> None:
        self._gpus = config["gpus"]
        node = ray.get_runtime_context().get_node_id() if ray.is_initialized() else ""
        on = "cuda" if self._gpus else "cpu"
        self._assignment = Assignment(config, device=on, load=self._load, tell=self._tell, node=node)
        self._words.forget()
        self._words = LastWords(config.get("crash"))
        self._words.listen()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()  # what the trial before this one held

    def _tell(self, key: str, sign: Sign) -> None:
        """Let the driver see where a trial is: a few bytes in the head's memory, whatever the checkpoints are on."""
        with suppress(Exception):  # a head that is away is noticed by others; the trial goes on
            _internal_kv_put(key, json.dumps(sign.to_json()), overwrite=True)

    def _load(self, spec: DataSpec, device: torch.device) -> Dataset:
        if 0 < self._gpus < 1:  # Ray only counts fractions; nothing but this keeps a trial within its own
            torch.cuda.set_per_process_memory_fraction(self._gpus)
        return _resident(spec, device)

    def step(self) -> dict[str, Any]:
        """Return the next measurement that the driver does not have.

        Raises:
            TrialFailure: whatever went wrong, classified.
        """
        return self._assignment.step()

    def cleanup(self) -> None:
        """Let go of the network."""
        self._assignment.close()
        self._words.forget()
