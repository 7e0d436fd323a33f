"""A study on several nodes follows its cluster: it waits for the first, goes on without the lost, uses those that join.

Every node is a set of processes of its own on this machine, with logical CPUs.
"""

from collections.abc import Iterator

import psutil
import pytest
from ray.cluster_utils import Cluster

from tests.end_to_end.conftest import Folder, wait_until, workers_of
from tests.end_to_end.invariants import check_whole, read
from tests.end_to_end.test_kill import epochs_recorded

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

PASSWORD = "s3cr3t-of-the-driver"
LONG = {"block": {"choice": ["preact", "basic"]}, "depth": {"int": [2, 5]}, "widening_factor": {"float": [0.5, 2]}}
RUNGS = {"name": "pareto-asha", "max_epochs": 8, "reduction_factor": 2}


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Give a cluster whose head trains nothing."""
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    yield made
    made.shutdown()


def refused(folder: Folder, cluster: Cluster) -> str:
    """Launch what is to be refused, and return the one line that says why."""
    driver = folder.start("--no-report", "--address", cluster.address)
    assert driver.wait(240) == 2, folder.said()
    line = folder.said().strip().splitlines()[-1]
    assert "Traceback" not in folder.said()
    return line


def trainers(cluster: Cluster) -> list[psutil.Process]:
    """Return the processes on the cluster that train."""
    raylets = [info.process for node in cluster.worker_nodes for info in node.all_processes["raylet"]]
    return [worker for raylet in raylets for worker in workers_of(raylet)]


def test_a_study_waits_for_its_first_node_survives_a_lost_one_and_uses_what_joins(
    folder: Folder, cluster: Cluster
) -> None:
    folder.write(data="digits", space=LONG, scheduler=RUNGS, budget={"trials": 40})
    assert refused(folder, cluster).startswith("error: storage: a SQLite file is on the driver's disk alone")

    driver = folder.start("--no-report", "--sqlite-on-driver", "--address", cluster.address)
    wait_until(lambda: "waiting for a node with 1 CPU" in folder.said())
    assert epochs_recorded(folder) == 0
    first, second = cluster.add_node(num_cpus=1), cluster.add_node(num_cpus=1)
    wait_until(lambda: epochs_recorded(folder) >= 2 and bool(trainers(cluster)))
    before = read(folder.url)[1]
    cluster.remove_node(second, allow_graceful=False)
    wait_until(lambda: "room for 1 trial at once now, 2 before" in folder.said() or driver.poll() is not None)
    cluster.add_node(num_cpus=2)
    wait_until(lambda: "room for 3 trials at once now, 1 before" in folder.said() or driver.poll() is not None)
    wait_until(lambda: len(trainers(cluster)) >= 3 or driver.poll() is not None)
    assert driver.poll() is None, folder.said()
    assert driver.wait(240) == 0, folder.said()

    check_whole(folder.url, trials=40)
    after = read(folder.url)[1]
    for old, new in zip(before, after, strict=False):
        assert new.measurements[: old.epochs] == old.measurements
    assert first in cluster.worker_nodes
    assert "raylet" not in folder.said().lower()  # Ray's words on a lost node are its own


def test_no_worker_on_a_cluster_holds_the_databases_address(
    folder: Folder, cluster: Cluster, postgres_url: str
) -> None:
    folder.environment = {"STUDY_DB": postgres_url, "PGPASSWORD": PASSWORD}
    cluster.add_node(num_cpus=1)
    folder.write(
        storage="${STUDY_DB}", data="digits", budget={"trials": 2}, scheduler={"name": "fifo", "max_epochs": 6}
    )
    driver = folder.start("--no-report", "--address", cluster.address)
    wait_until(lambda: bool(trainers(cluster)))
    seen = [f"{worker.cmdline()} {worker.environ()}" for worker in trainers(cluster)]
    assert seen
    assert not [text for text in seen if PASSWORD in text or postgres_url in text]
    assert driver.wait(240) == 0, folder.said()
    check_whole(postgres_url, trials=2)


def engines(cluster: Cluster) -> list[int]:
    """Return how many engines each node has that trains."""
    raylets = [info.process for node in cluster.worker_nodes for info in node.all_processes["raylet"]]
    return [len(workers_of(raylet, "EngineServer")) for raylet in raylets]


@pytest.mark.very_slow
def test_each_node_has_an_engine_of_its_own_and_the_loss_of_one_costs_no_trial(
    folder: Folder, cluster: Cluster
) -> None:
    folder.write(
        data="digits", space=LONG, scheduler=RUNGS, budget={"trials": 16}, resources={"engine": "always"}
    )  # fmt: skip
    lost = cluster.add_node(num_cpus=2)
    cluster.add_node(num_cpus=2)
    driver = folder.start("--no-report", "--sqlite-on-driver", "--address", cluster.address)
    wait_until(lambda: engines(cluster) == [1, 1] and epochs_recorded(folder) >= 4)
    before = read(folder.url)[1]
    cluster.remove_node(lost, allow_graceful=False)
    cluster.add_node(num_cpus=2)
    wait_until(lambda: engines(cluster) == [1, 1] or driver.poll() is not None)
    assert driver.wait(240) == 0, folder.said()
    check_whole(folder.url, trials=16)
    after = read(folder.url)[1]
    assert not [trial.reason for trial in after if trial.failure_kind]
    for old, new in zip(before, after, strict=False):
        assert new.measurements[: old.epochs] == old.measurements
