"""Ask a machine whether its kernel has ended a process for memory, when a worker there died without a word."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from workers.killer import kills

ANSWER_S = 10.0  # to start a process on a machine that has just run out of memory
SILENT_S = 60.0  # what did not answer is not asked again for so long: Ray takes a while to see that a node is gone
NEAR_S = 10.0  # workers that die so soon after the kernel's count rose died of the same


class OomWatcher:
    """Know how many processes each machine had ended for memory before a worker died there.

    Ray cannot tell: to it, the kernel's killing, anyone's SIGKILL and a crash of native code are one. The question is
    a task on the node, since another process there can read the count of the workers' control group. Workers that this
    process's Ray has started are in its own, so that here no process has to start for it.
    """

    def __init__(self, *, here: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        """Watch the machines of a cluster, or this one alone (`here`)."""
        self.here = here
        self.clock = clock
        self._before: dict[str, Any] = {}  # a count, or Ray's promise of one
        self._rose_at: dict[str, float] = {}
        self._silent_until: dict[str, float] = {}

    def __reduce__(self) -> tuple[type, tuple[()]]:
        """Pickle as nothing, as the running study does."""
        return (object, ())

    def see_all(self) -> None:
        """See every machine that is there now; nobody waits for their answers."""
        for address in set(_living()) - self._before.keys():
            self.see(address)

    def see(self, address: str) -> None:
        """Ask a machine for its count before anything happens to it, once."""
        if address and address not in self._before:
            self._before[address] = self._ask(address)

    def oom_killed(self, address: str) -> bool:
        """Whether the count has risen since the last look. A machine that is gone or silent says nothing.

        Args:
            address: the machine's, as Ray knows it.
        """
        before, now = self._answer(address, self._before.get(address)), self._answer(address, self._ask(address))
        if now is None:
            return False
        self._before[address] = now
        if before is not None and now > before:
            self._rose_at[address] = self.clock()
        return self.clock() - self._rose_at.get(address, -NEAR_S) < NEAR_S

    def _ask(self, address: str) -> Any:
        if self.here:
            return kills()
        if self.clock() < self._silent_until.get(address, 0.0):
            return None
        with suppress(RayError):
            if (node := _living().get(address)) is not None:
                there = NodeAffinitySchedulingStrategy(node, soft=False)
                return ray.remote(kills).options(num_cpus=0, max_retries=0, scheduling_strategy=there).remote()
        return None

    def _answer(self, address: str, asked: Any) -> int | None:
        if not isinstance(asked, ray.ObjectRef):
            return asked if isinstance(asked, int) else None
        try:
            count: int | None = ray.get(asked, timeout=ANSWER_S)
        except RayError:  # also that it took too long
            self._silent_until[address] = self.clock() + SILENT_S
            return None
        return count


def _living() -> dict[str, str]:
    """Return a node of each machine that is alive, by the machine's address."""
    known: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]  # Ray's
    return {node["NodeManagerAddress"]: node["NodeID"] for node in known if node["Alive"]}
