"""Before a trial goes to a node, the node has shown that it sees the checkpoints, the data and its device."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster
from ray.exceptions import RayError

from search.tune import preflight
from search.tune import probe as inquiry
from search.tune.nodes import Need, Node, living
from search.tune.preflight import Preflight, check_storage
from search.tune.probe import Question, drivers_file, question
from spaces.errors import InputError, StudyError
from workers.datasets import load
from workers.places import open_folder
from workers.sources import DataSpec

DIGITS = DataSpec(name="digits", limit=60)
ONE = Need(gpus=0, cpus=1)


@pytest.fixture(autouse=True)
def no_lag(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what one machine writes be seen by another at once."""
    monkeypatch.setattr(inquiry, "LAG_S", 0.3)


@pytest.fixture(scope="module")
def fingerprint() -> str:
    return load(DIGITS).fingerprint


@pytest.fixture
def asked(tmp_path: Path, fingerprint: str) -> Question:
    """Give a question to which the driver's word lies ready."""
    made = question(open_folder(tmp_path), DIGITS, fingerprint, gpu=False)
    (tmp_path / drivers_file(made.word)).write_text(made.word)
    return made


# A database that one machine alone can read


def nodes(*cpus: int) -> Callable[[], list[Node]]:
    return lambda: [
        Node(id=f"{n}", name=f"n{n} (10.0.0.{n})", resources={"CPU": count}) for n, count in enumerate(cpus)
    ]


@pytest.mark.parametrize("cpus", [(0,), (2, 2), (0, 4)])
def test_sqlite_is_refused_where_several_machines_train_or_will(
    cpus: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "living", nodes(*cpus))
    with pytest.raises(InputError, match=r"^storage: a SQLite file .* --sqlite-on-driver"):
        check_storage("sqlite:///study.db", ONE, allowed=False)
    check_storage("sqlite:///study.db", ONE, allowed=True)
    check_storage("postgresql+psycopg://db/x", ONE, allowed=False)


def test_sqlite_is_fine_on_a_cluster_of_one_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "living", nodes(2))
    check_storage("sqlite:///study.db", ONE, allowed=False)


def test_a_node_that_leaves_while_it_is_asked_is_no_fault(asked: Question, monkeypatch: pytest.MonkeyPatch) -> None:
    def get(_reference: object) -> None:
        raise RayError("the node has died")

    monkeypatch.setattr(preflight.ray, "get", get)
    here = nodes(2)()
    watch = Preflight(asked=asked, need=ONE, say=print, nodes=list)
    assert watch._judge(here[0], None) == []
    watch.nodes = lambda: here
    (told,) = watch._judge(here[0], None)
    assert str(told) == f"node {here[0].name} cannot answer: the node has died"


# On a real cluster


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Give a head without CPUs and two nodes with one each; each is a process of its own on this machine."""
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for _ in range(2):
        made.add_node(num_cpus=1)
    ray.init(address=made.address, logging_level="ERROR", log_to_driver=False)
    yield made
    ray.shutdown()
    made.shutdown()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def make(asked: Question, said: list[str]) -> Callable[..., Preflight]:
    """Give `make(**of the question)`: who asks, with half a minute of patience."""

    def made(need: Need = ONE, patience_s: float = 60, **changes: Any) -> Preflight:
        return Preflight(asked=replace(asked, **changes), need=need, say=said.append, patience_s=patience_s)

    return made


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.usefixtures("cluster")
class TestOnACluster:
    """Every node is asked by a task that takes none of its room."""

    def test_all_nodes_that_could_train_are_asked_and_nothing_is_left(
        self, make: Callable[..., Preflight], said: list[str], tmp_path: Path
    ) -> None:
        with make() as watch:
            watch.first()
        assert said == ["2 nodes see the checkpoints and the data"]
        assert list(tmp_path.iterdir()) == []

    def test_what_is_wrong_names_its_node_its_key_and_how_many_more(self, make: Callable[..., Preflight]) -> None:
        with pytest.raises(InputError) as caught, make(fingerprint="0" * 16) as watch:
            watch.first()
        assert caught.value.place == "data"
        assert any(node.name in str(caught.value) for node in living())
        assert "\n" not in str(caught.value)

    def test_a_node_whose_answer_does_not_come_is_told(
        self, make: Callable[..., Preflight], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(preflight, "appears", lambda *_given: False)  # here only: nodes have their own
        lost = r"^checkpoints: what node .* does not come to the driver"
        with pytest.raises(InputError, match=lost), make() as watch:
            watch.first()

    def test_a_node_that_does_not_answer_ends_the_waiting(self, make: Callable[..., Preflight]) -> None:
        with pytest.raises(StudyError, match=r"^node .* has not answered within -1 s"), make(patience_s=-1) as watch:
            watch.first()

    def test_a_node_that_cannot_answer_is_told_with_its_reason(
        self, make: Callable[..., Preflight], asked: Question
    ) -> None:
        changed, told = {**asked.versions, "magic": "1"}, r"^node .* cannot answer: KeyError: "
        with pytest.raises(StudyError, match=told) as caught, make(versions=changed) as watch:
            watch.first()
        assert "\n" not in str(caught.value)

    def test_a_node_that_joins_is_asked_too_and_nobody_waits_for_it(
        self, cluster: Cluster, make: Callable[..., Preflight], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(preflight, "REFRESH_S", 0)
        with make() as watch:
            watch.first()
            watch.asked = replace(watch.asked, fingerprint="0" * 16)  # nobody but who joins now is asked this
            watch.later()
            cluster.add_node(num_cpus=1)
            with pytest.raises(InputError, match=r"^data: on node .* other images"):
                until(watch.later)

    def test_a_node_that_joins_and_is_not_heard_is_asked_again_before_it_ends_the_study(
        self, cluster: Cluster, make: Callable[..., Preflight], said: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(preflight, "REFRESH_S", 0)
        with make() as watch:
            watch.first()
            watch.asked = replace(watch.asked, versions={**watch.asked.versions, "magic": "1"})
            cluster.add_node(num_cpus=1)
            with pytest.raises(StudyError, match="cannot answer"):
                until(watch.later, within_s=240)
        assert [line.endswith("; asking again") for line in said[1:]] == [True] * preflight.DOUBTS

    def test_who_needs_more_than_there_is_waits_as_demand(
        self, cluster: Cluster, make: Callable[..., Preflight], said: list[str]
    ) -> None:
        with make(need=Need(gpus=0, cpus=3)) as watch:
            asking = Thread(target=watch.first)
            asking.start()
            until(lambda: said)
            cluster.add_node(num_cpus=3)
            asking.join(240)
        assert said == ["waiting for a node with 3 CPU", "1 node sees the checkpoints and the data"]


def until(true: Callable[[], object], within_s: float = 240) -> None:
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.1)
