"""The room for trials follows the cluster: counted node by node, looked at again; one more than fits waits."""

from collections.abc import Callable
from typing import Any

import pytest
from ray import cloudpickle

from search.tune import nodes
from search.tune import run as cluster
from search.tune.nodes import GROWING_S, REFRESH_S, Need, Node, Room
from spaces.errors import InputError, StudyError

ONE = Need(gpus=0, cpus=1)


def node(name: str = "n", **resources: float) -> Node:
    return Node(id=name, name=name, resources=resources)


class Cluster:
    """Stand in for Ray's nodes and for the time."""

    def __init__(self, *nodes: Node) -> None:
        self.nodes = list(nodes)
        self.now = 0.0
        self.looks = 0

    def living(self) -> list[Node]:
        self.looks += 1
        return self.nodes

    def room(self, need: Need = ONE, **options: Any) -> Room:
        return Room(need=need, nodes=self.living, clock=lambda: self.now, **options)

    def become(self, *nodes: Node, after_s: float = REFRESH_S) -> None:
        self.nodes = list(nodes)
        self.now += after_s


@pytest.mark.parametrize(
    ("gpus", "cpus", "resources", "times"),
    [
        (0, 1, {"CPU": 4}, 4),
        (0, 3, {"CPU": 8}, 2),
        (1, 4, {"CPU": 16, "GPU": 2}, 2),
        (1, 4, {"CPU": 4, "GPU": 8}, 1),
        (0.5, 1, {"CPU": 8, "GPU": 1}, 2),
        (1 / 3, 1, {"CPU": 8, "GPU": 1}, 3),
        (0.1, 1, {"CPU": 64, "GPU": 1}, 10),
        (2, 1, {"CPU": 8, "GPU": 3}, 1),
        (1, 1, {"CPU": 8}, 0),
        (0, 1, {"CPU": 0}, 0),
        (0, 1, {}, 0),
    ],
)
def test_a_node_takes_as_many_trials_as_fit(gpus: float, cpus: int, resources: dict[str, float], times: int) -> None:
    assert Need(gpus=gpus, cpus=cpus).times(resources) == times


def test_what_is_left_over_on_two_nodes_makes_no_third_place() -> None:
    assert Cluster(node(CPU=3), node(CPU=3)).room(Need(gpus=0, cpus=2)).limit() == 2


@pytest.mark.parametrize(
    ("gpus", "cpus", "said"), [(0, 2, "2 CPU"), (1, 4, "1 GPU and 4 CPU"), (0.25, 1, "0.25 GPU and 1 CPU")]
)
def test_a_need_is_said_in_words(gpus: float, cpus: int, said: str) -> None:
    assert str(Need(gpus=gpus, cpus=cpus)) == said


def test_alone_no_trial_waits_for_a_place() -> None:
    assert Cluster(node(CPU=4)).room().limit() == 4


def test_on_a_joined_cluster_one_more_waits_as_demand() -> None:
    assert Cluster(node(CPU=4)).room(joined=True).limit() == 5


def test_a_cluster_without_room_yet_has_one_trial_waiting() -> None:
    room = Cluster(node(CPU=0)).room(joined=True)
    assert room.limit() == 1
    assert room.waits


@pytest.mark.parametrize(("wanted", "limit"), [(1, 1), (4, 4), (5, 5), (9, 5)])
def test_the_file_says_the_upper_end(wanted: int, limit: int) -> None:
    assert Cluster(node(CPU=4)).room(joined=True, wanted=wanted).limit() == limit


def test_a_cluster_that_grew_is_asked_to_grow_as_much_again_and_after_a_while_by_one() -> None:
    cluster = Cluster(node(CPU=2))
    room = cluster.room(joined=True)
    assert room.limit() == 2 + 1
    cluster.become(node(CPU=2), node(CPU=4))
    assert room.limit() == 6 + 4
    cluster.become(*cluster.nodes, after_s=GROWING_S + 1)
    assert room.limit() == 6 + 1


def test_a_cluster_that_shrinks_has_less_room_at_once() -> None:
    cluster = Cluster(node(CPU=2), node(CPU=2))
    room = cluster.room()
    assert room.limit() == 4
    cluster.become(node(CPU=2))
    assert room.limit() == 2


def test_the_cluster_is_looked_at_every_few_seconds_and_not_at_every_question() -> None:
    cluster = Cluster(node(CPU=2))
    room = cluster.room()
    for _ in range(10):
        room.limit()
    assert cluster.looks == 1
    cluster.become(node(CPU=3), after_s=REFRESH_S / 2)
    assert room.limit() == 2
    cluster.now += REFRESH_S / 2
    assert room.limit() == 3


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (2, 3, ["room for 3 trials at once now, 2 before"]),
        (3, 1, ["room for 1 trial at once now, 3 before"]),
        (2, 0, ["waiting for a node with 1 CPU"]),
        (2, 2, []),
    ],
)
def test_a_change_of_room_is_news_once(before: int, after: int, said: list[str]) -> None:
    cluster = Cluster(node(CPU=before))
    room = cluster.room(joined=True)
    assert list(room.news()) == []
    cluster.become(node(CPU=after))
    assert list(room.news()) == said
    assert list(room.news()) == []


def test_nodes_that_are_gone_are_not_among_the_living(monkeypatch: pytest.MonkeyPatch) -> None:
    def described(name: str, alive: bool) -> dict[str, Any]:
        return {
            "NodeID": name, "Alive": alive, "NodeManagerHostname": name, "NodeManagerAddress": "10.0.0.1",
            "Resources": {"CPU": 2.0},
        }  # fmt: skip

    monkeypatch.setattr(nodes.ray, "nodes", lambda: [described("a", True), described("b", False)])
    assert nodes.living() == [Node(id="a", name="a (10.0.0.1)", resources={"CPU": 2.0})]


def test_a_room_can_be_pickled_by_ray() -> None:
    dumps: Callable[[object], bytes] = cloudpickle.dumps  # type: ignore[attr-defined]
    assert len(dumps(Room(need=ONE))) < 2000


def test_a_machine_alone_without_room_is_refused_and_a_cluster_may_still_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes.ray, "nodes", list)
    monkeypatch.setattr(cluster.ray, "cluster_resources", lambda: {"CPU": 2.0})
    with pytest.raises(InputError, match=r"^resources: one trial needs 1 GPU and 4 CPU; Ray has 0 and 2$"):
        cluster.room(Need(gpus=1, cpus=4), None, joined=False)
    assert cluster.room(Need(gpus=1, cpus=4), None, joined=True).waits


def test_a_machine_alone_whose_only_node_has_died_ends_the_launch_and_a_cluster_waits() -> None:
    for joined in (False, True):
        cluster = Cluster(node(CPU=2))
        room = cluster.room(joined=joined)
        room.look()
        cluster.become()
        if joined:
            room.look()
            assert room.waits
        else:
            with pytest.raises(StudyError, match=r"^Ray has ended on this machine; launch again to go on$"):
                room.look()
