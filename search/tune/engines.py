"""Make the engines that trials ask for, one for each device, and end them with the launch.

The driver owns them, so that an engine outlives the worker that asked for it first, and nothing outlives the driver.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.experimental.internal_kv import _internal_kv_del, _internal_kv_get, _internal_kv_list
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from search.tune.nodes import Need, living
from workers.pulse import Sign
from workers.remote import engines_of
from workers.serving import EngineServer

THREADS_BESIDE = 8  # of an engine's process, for whoever only begins or ends a trial


@dataclass(slots=True)
class Engines:
    """The engines of one launch. All its methods return at once."""

    launch: str
    need: Need  # of one trial
    _made: dict[str, Any] = field(default_factory=dict)  # Ray's handles, by name

    def __reduce__(self) -> tuple[type, tuple[()]]:
        """Pickle as nothing, as the running study does."""
        return (object, ())

    def look(self) -> None:
        """Make the engines that were asked for and are not there, or not any more."""
        for name, dead in self._asked():
            if name not in self._made or self._made[name]._actor_id.hex() == dead:
                self._made[name] = self._make(name)

    def _asked(self) -> list[tuple[str, str]]:
        """Return the names of engines that trials ask for, each with the actor that was found dead there."""
        with suppress(Exception):  # a head that is away is noticed by others
            keys = _internal_kv_list(engines_of(self.launch))
            return [(key.decode(), (_internal_kv_get(key) or b"").decode()) for key in keys]
        return []

    def _make(self, name: str) -> Any:
        node, device = name.removeprefix(engines_of(self.launch)).split(":", 1)
        slots = self.slots(node)
        remote: Any = ray.remote(EngineServer)
        return remote.options(
            name=name, num_cpus=0, max_restarts=-1, max_concurrency=2 * slots + THREADS_BESIDE,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
        ).remote(device=device, threads=self.need.cpus, slots=slots, node=node)  # fmt: skip

    def slots(self, node: str) -> int:
        """Return how many trials Ray lets begin on a device of a node at once."""
        if self.need.gpus:
            return int(1 / self.need.gpus + 1e-6)
        return max((self.need.times(each.resources) for each in living() if each.id == node), default=1)

    @property
    def most(self) -> int:
        """Return how many trials an engine of any node that lives now may have at once."""
        return max((self.slots(each.id) for each in living()), default=1)

    def end(self, ticket: str) -> None:
        """Let whichever engine trains it stop a trial that goes on no further."""
        for engine in self._made.values():
            engine.end.remote(ticket)

    def end_trial(self, sign: Sign) -> None:
        """End a trial that gives signs of life, and none of those beside it."""
        for engine in self._made.values():
            engine.end_trial.remote(sign.number)

    def __enter__(self) -> "Engines":
        return self

    def __exit__(self, *_raised: object) -> None:
        """End all engines, whatever trains in them."""
        for name, engine in self._made.items():
            with suppress(Exception):  # Ray itself may be gone
                ray.kill(engine)
                _internal_kv_del(name)
        self._made.clear()
