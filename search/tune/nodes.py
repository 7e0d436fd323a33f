"""Follow the nodes of a cluster: how many trials they have room for, now and as nodes join and leave."""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import ray

from search.core.units import format_number_of
from spaces.errors import StudyError

REFRESH_S = 3.0  # between two looks at the cluster
GROWING_S = 600.0  # a cluster that grew so lately is asked to grow as much again


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What one trial takes of a node."""

    gpus: float  # may be a fraction
    cpus: int

    def times(self, resources: Mapping[str, float]) -> int:
        """Return how many trials fit into a node's resources at once."""
        fit = int(resources.get("CPU", 0) // self.cpus)
        return min(fit, int(resources.get("GPU", 0) / self.gpus + 1e-6)) if self.gpus else fit

    def __str__(self) -> str:
        return f"{self.gpus:g} GPU and {self.cpus} CPU" if self.gpus else f"{self.cpus} CPU"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """Name a living node and what it gives to Ray."""

    id: str
    name: str  # a host's, as people know it, with its address
    resources: Mapping[str, float]


def living() -> list[Node]:
    """Return the nodes that are alive now."""
    known: list[dict[str, object]] = ray.nodes()  # type: ignore[no-untyped-call]  # Ray's
    return [_node(described) for described in known if described["Alive"]]


def _node(described: Mapping[str, object]) -> Node:
    host, address = described["NodeManagerHostname"], described["NodeManagerAddress"]
    resources = described["Resources"]
    assert isinstance(resources, dict)
    return Node(id=str(described["NodeID"]), name=f"{host} ({address})", resources=resources)


@dataclass(slots=True, kw_only=True)
class Room:
    """How many trials may run or wait at once; on a joined cluster some wait, as demand that its autoscaler sees.

    The cluster is looked at again every few seconds.
    """

    need: Need
    wanted: int | None = None  # the file's upper end
    joined: bool = False  # another's cluster, which may grow
    nodes: Callable[[], Sequence[Node]] = living
    clock: Callable[[], float] = time.monotonic
    fit: int = 0  # trials that can run at once
    _seen_at: float | None = None
    _told: int | None = None
    _joins: deque[tuple[float, int]] = field(default_factory=deque)  # when, and how many more trials fitted

    def limit(self) -> int:
        """Return how many trials may be handed out and not ended."""
        self.look()
        ahead = max(1, sum(more for _, more in self._joins)) if self.joined else 0
        return min(self.fit + ahead, self.most)

    @property
    def most(self) -> int:
        """Return the upper end, whatever joins."""
        return self.wanted or sys.maxsize

    @property
    def waits(self) -> bool:
        """Whether no trial can run before a node joins."""
        return self.fit == 0

    @property
    def lacking(self) -> str:
        """Return what is said while no trial can run."""
        return f"waiting for a node with {self.need}"

    def news(self) -> Iterator[str]:
        """Yield a line for people where the room has changed since the last question."""
        self.look()
        if self._told is not None and self.fit != self._told:
            trials = format_number_of("trial", self.fit)
            yield f"room for {trials} at once now, {self._told} before" if self.fit else self.lacking
        self._told = self.fit

    def look(self) -> None:
        """Look at the cluster, if the last time is a while ago.

        Raises:
            StudyError: Ray was on this machine alone, and its only node has died: nobody would start it again.
        """
        now = self.clock()
        while self._joins and now - self._joins[0][0] > GROWING_S:
            self._joins.popleft()
        if self._seen_at is not None and now - self._seen_at < REFRESH_S:
            return
        fit = sum(self.need.times(node.resources) for node in self.nodes())
        if self._seen_at is not None and not fit and not self.joined:
            raise StudyError("Ray has ended on this machine; launch again to go on")
        if self._seen_at is not None and fit > self.fit:
            self._joins.append((now, fit - self.fit))
        self.fit, self._seen_at = fit, now
