"""Ask all nodes of a cluster whether a trial could do its work there: before the first trial, and as they join."""

import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from search.core.units import format_number_of
from search.tune.nodes import REFRESH_S, Need, Node, living
from search.tune.probe import Answer, Question, answer, appears, drivers_file, nodes_file
from spaces.errors import InputError, StudyError
from workers.places import Folder, open_folder

ANSWER_S = 120.0  # for a node to start a process and answer, the data left out
SLOWER = 5  # times as long as here the data may take there
DOUBTS = 3  # times in a row that nodes may not be heard while trials train, before the study ends


@dataclass(slots=True, kw_only=True)
class Preflight:
    """Ask the nodes that could train: all at first, later those that join. `say` is given lines for people."""

    asked: Question
    need: Need
    say: Callable[[str], None]
    patience_s: float = ANSWER_S
    nodes: Callable[[], Collection[Node]] = living
    clock: Callable[[], float] = time.monotonic
    _folder: Folder = field(init=False)
    _known: set[str] = field(default_factory=set)
    _open: dict[Any, tuple[Node, float]] = field(default_factory=dict)  # Ray's references, and until when
    _looked: float = 0.0
    _unheard: set[str] = field(default_factory=set)  # nodes whose answer was none
    _doubts: int = 0

    def __post_init__(self) -> None:
        self._folder = open_folder(self.asked.folder)

    def __enter__(self) -> "Preflight":
        self._folder.write(drivers_file(self.asked.word), self.asked.word.encode())
        return self

    def __exit__(self, *_raised: object) -> None:
        with suppress(OSError):  # it cannot be reached: a few bytes stay
            self._folder.remove(drivers_file(self.asked.word))

    def first(self) -> None:
        """Ask all nodes, and wait for their answers; where there is no node yet that could train, wait for one.

        Raises:
            InputError: what a node finds wrong, at the file's key.
            StudyError: a node cannot answer.
        """
        if not self._able():
            self.say(f"waiting for a node with {self.need}")
            wait_for_room(self.need)
        self._ask(self._able())
        count = len(self._open)
        while self._open:
            self._hear(wait_s=1.0)
        self.say(f"{format_number_of('node', count)} {'see' if count > 1 else 'sees'} the checkpoints and the data")

    def later(self) -> None:
        """Ask nodes that have joined, hear what is answered, and wait for nobody.

        A node that is not heard may be so for a moment, or its storage: it is asked again, and a few times in a row
        are forgiven.

        Raises:
            InputError: what a node finds wrong, at the file's key.
            StudyError: a node cannot answer, however often it is asked.
        """
        if self.clock() - self._looked >= REFRESH_S:
            self._ask(node for node in self._able() if node.id not in self._known)
        if not self._open:
            return
        try:
            self._doubts = 0 if self._hear(wait_s=0.0) else self._doubts
        except StudyError as error:
            self._doubts += 1
            if self._doubts > DOUBTS:
                raise
            self.say(f"warning: {error}; asking again")
            self._known -= self._unheard
            self._unheard.clear()

    def _able(self) -> list[Node]:
        self._looked = self.clock()
        return [node for node in self.nodes() if self.need.times(node.resources)]

    def _ask(self, nodes: Iterable[Node]) -> None:
        task = ray.remote(num_cpus=0, max_retries=0, max_calls=1)(answer)
        for node in nodes:
            pinned = NodeAffinitySchedulingStrategy(node.id, soft=False)
            reference = task.options(scheduling_strategy=pinned).remote(self.asked, node.id)
            self._open[reference] = (node, self.clock() + self.patience_s)
            self._known.add(node.id)

    def _hear(self, wait_s: float) -> bool:
        """Take what has been answered, and say whether anything was; of all that is wrong, raise the first."""
        ready, _ = ray.wait(list(self._open), num_returns=len(self._open), timeout=wait_s)
        wrong: list[StudyError | InputError] = []
        for reference in ready:
            node, _until = self._open.pop(reference)
            wrong += self._judge(node, reference)
        for reference, (node, until) in list(self._open.items()):
            if self.clock() > until:
                del self._open[reference]
                wrong.append(self._not_heard(node, f"has not answered within {self.patience_s:.0f} s"))
        if wrong:
            raise _with_others(wrong)
        return bool(ready)

    def _not_heard(self, node: Node, why: str) -> StudyError:
        self._unheard.add(node.id)
        return StudyError(f"node {node.name} {why}")

    def _judge(self, node: Node, reference: Any) -> list[StudyError | InputError]:
        try:
            found: Answer = ray.get(reference)
        except RayError as error:
            left = node.id not in {each.id for each in self.nodes()}
            return [] if left else [self._not_heard(node, f"cannot answer: {_first_line(error)}")]
        for line in found.other:
            self.say(f"warning: node {node.name} has {line}")
        if found.wrong:
            return [InputError(f"on node {node.name}: {found.wrong}", place=found.place)]
        return self._find_answer(node)

    def _find_answer(self, node: Node) -> list[StudyError | InputError]:
        """Look for what the node says it has written."""
        name = nodes_file(self.asked.word, node.id)
        try:
            there = appears(self._folder, name, self.asked.word)
        except OSError as error:
            self._unheard.add(node.id)
            return [StudyError(f"{self.asked.folder}: {error}")]
        if not there:
            lost = f"what node {node.name} writes into {self.asked.folder} does not come to the driver"
            return [InputError(lost, place="checkpoints")]
        with suppress(OSError):  # one small file more
            self._folder.remove(name)
        return []


def _with_others(wrong: list[StudyError | InputError]) -> StudyError | InputError:
    first = wrong[0]
    if len(wrong) == 1:
        return first
    more = f" (and {format_number_of('node', len(wrong) - 1)} more)"
    if isinstance(first, InputError):
        return InputError(first.message + more, place=first.place)
    return StudyError(f"{first}{more}")


def _first_line(error: RayError) -> str:
    """Return what the worker raised, else Ray's own words."""
    cause = error.cause if isinstance(error, RayTaskError) else error
    text = f"{type(cause).__name__}: {cause}" if isinstance(error, RayTaskError) else str(error)
    return next((line.strip() for line in text.splitlines() if line.strip()), type(cause).__name__)


def wait_for_room(need: Need) -> None:
    """Wait until a node can take a trial; what waits is demand that an autoscaler sees."""
    task = ray.remote(num_cpus=need.cpus, num_gpus=need.gpus, max_retries=-1)(_nothing)
    ray.wait([task.remote()])


def _nothing() -> None:
    """Take room, and give it back."""


def check_storage(storage: str, need: Need, *, allowed: bool) -> None:
    """Refuse a database on the driver's disk where a study is spread over several machines.

    Args:
        storage: the database's address.
        need: what a trial takes; a cluster that has no room for it yet is going to have more machines.
        allowed: somebody has said that this is what they want.

    Raises:
        InputError: at the file's key.
    """
    nodes = living()
    alone = len(nodes) == 1 and need.times(nodes[0].resources) > 0
    if allowed or alone or not storage.startswith("sqlite"):
        return
    raise InputError(
        f"a SQLite file is on the driver's disk alone, and this cluster has {len(nodes)} nodes or will have more; give "
        "postgresql+psycopg://..., or say --sqlite-on-driver if the next launch will be on the same machine",
        place="storage",
    )
