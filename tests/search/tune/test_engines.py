"""The driver makes an engine for each device that trials ask for, and no second one while it lives."""

from types import SimpleNamespace
from typing import Any

import pytest

from search.tune import engines
from search.tune.engines import Engines
from search.tune.nodes import Need, Node
from workers.remote import engine_name

FIRST, SECOND = "1" * 56, "2" * 56  # as long as Ray's
NODES = [Node(id=name, name=name, resources={"CPU": 4.0, "GPU": 2.0}) for name in (FIRST, SECOND)]


class Cluster:
    """Stand in for Ray: a key-value store, and actors that note what they are asked."""

    def __init__(self) -> None:
        self.store: dict[bytes, bytes] = {}
        self.made: list[dict[str, Any]] = []
        self.asked: list[tuple[str, Any]] = []
        self.killed: list[int] = []

    def remote(self, _served: type) -> Any:
        def options(**options: Any) -> Any:
            return SimpleNamespace(remote=lambda **given: self._make({**options, **given}))

        return SimpleNamespace(options=options)

    def _make(self, given: dict[str, Any]) -> "Handle":
        self.made.append(given)
        return Handle(self, len(self.made))

    def keys(self, prefix: str) -> list[bytes]:
        return [key for key in self.store if key.startswith(prefix.encode())]

    def kill(self, handle: "Handle") -> None:
        self.killed.append(handle.number)


class Handle:
    """One engine's."""

    def __init__(self, cluster: Cluster, number: int) -> None:
        self.cluster, self.number = cluster, number
        self._actor_id = SimpleNamespace(hex=lambda: f"actor {number}")

    def __getattr__(self, method: str) -> Any:
        return SimpleNamespace(remote=lambda given: self.cluster.asked.append((method, given)))


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    made = Cluster()
    monkeypatch.setattr(engines, "ray", made)
    monkeypatch.setattr(engines, "living", lambda: NODES)
    monkeypatch.setattr(engines, "_internal_kv_list", made.keys)
    monkeypatch.setattr(engines, "_internal_kv_get", made.store.get)
    monkeypatch.setattr(engines, "_internal_kv_del", lambda key: made.store.pop(key.encode(), None))
    return made


def ask(cluster: Cluster, node: str, device: str, dead: str = "", launch: str = "here") -> None:
    cluster.store[engine_name(launch, node, device).encode()] = dead.encode()


def test_there_is_one_engine_for_each_device_that_is_asked_for(cluster: Cluster) -> None:
    made = Engines("here", Need(gpus=0.25, cpus=1))
    made.look()
    assert cluster.made == []
    ask(cluster, FIRST, "0")
    ask(cluster, SECOND, "MIG-GPU:7")
    ask(cluster, FIRST, "0", launch="another")
    made.look()
    made.look()
    found = [(each["node"], each["device"], each["slots"], each["threads"], each["num_cpus"]) for each in cluster.made]
    assert found == [(FIRST, "0", 4, 1, 0), (SECOND, "MIG-GPU:7", 4, 1, 0)]
    assert [each["scheduling_strategy"].node_id for each in cluster.made] == [FIRST, SECOND]
    assert all(each["max_concurrency"] > 2 * each["slots"] and each["max_restarts"] == -1 for each in cluster.made)


def test_without_a_gpu_as_many_share_an_engine_as_its_node_has_cores_for(cluster: Cluster) -> None:
    made = Engines("here", Need(gpus=0, cpus=2))
    ask(cluster, FIRST, "cpu")
    made.look()
    assert (cluster.made[0]["slots"], cluster.made[0]["threads"], made.most) == (2, 2, 2)


def test_one_that_is_dead_for_good_is_made_anew_once(cluster: Cluster) -> None:
    made = Engines("here", Need(gpus=0.5, cpus=1))
    ask(cluster, FIRST, "0")
    made.look()
    ask(cluster, FIRST, "0", dead="actor 1")
    made.look()
    made.look()
    assert len(cluster.made) == 2


def test_a_trial_is_ended_wherever_it_trains_and_all_engines_with_the_launch(cluster: Cluster) -> None:
    with Engines("here", Need(gpus=0.5, cpus=1)) as made:
        for device in ("0", "1"):
            ask(cluster, FIRST, device)
        made.look()
        made.end("a ticket")
    assert cluster.asked == [("end", "a ticket")] * 2
    assert cluster.killed == [1, 2]
    assert cluster.store == {}
