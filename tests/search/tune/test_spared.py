"""On one machine Ray starts only what a study uses of it, and afterwards everything as before."""

import pytest
from ray._private import node as ray_node
from ray._private import parameter as ray_parameter
from ray._private import ray_constants
from ray._private import services as ray_services
from ray._private import state as ray_state
from ray._private import utils as ray_utils
from ray.air._internal import usage as ray_usage

from search.tune.spared import spared, uncounted


@pytest.mark.parametrize("logs", [False, True])
def test_ray_is_told_to_start_nothing_that_a_machine_by_itself_does_not_need(logs: bool) -> None:
    with spared(logs=logs):
        made = ray_parameter.RayParams(num_cpus=1)
        assert (made.no_monitor, made.include_log_monitor, made.num_cpus) == (True, logs, 1)
        assert ray_node.Node.start_api_server(None, include_dashboard=False, raise_on_failure=False) is None
        assert isinstance(ray_utils.get_dashboard_dependency_error(), ImportError)
        assert not ray_constants.ENABLE_RAY_CLUSTER


def test_a_cluster_that_is_joined_afterwards_sees_nothing_of_that() -> None:
    names = ((ray_parameter, "RayParams"), (ray_utils, "get_dashboard_dependency_error"))
    names += ((ray_node.Node, "start_api_server"), (ray_constants, "ENABLE_RAY_CLUSTER"))
    before = [getattr(*name) for name in names]
    with pytest.raises(ZeroDivisionError), spared(logs=False):
        raise ZeroDivisionError
    assert [getattr(*name) for name in names] == before


def test_where_ray_keeps_a_part_elsewhere_it_starts_as_it_would(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(ray_parameter, "RayParams")
    monkeypatch.delattr(ray_node, "Node")
    with spared(logs=False):
        assert not hasattr(ray_parameter, "RayParams")
    assert not hasattr(ray_parameter, "RayParams")


def test_callbacks_are_not_counted_for_anybody() -> None:
    before = ray_usage.tag_callbacks
    with uncounted():
        assert not ray_usage.tag_callbacks([object()])
    assert ray_usage.tag_callbacks is before


@pytest.mark.parametrize("named", [[], [{"NodeID": "ours"}]])
def test_a_node_is_asked_for_once_it_is_registered_or_as_ray_does_where_that_cannot_be_seen(
    named: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = iter([[], [{"NodeID": "another"}], named])
    asked: list[str] = []

    class Known:
        def _initialize_global_state(self, options: object) -> None:
            assert options == "of 127.0.0.1:1"

        def node_table(self) -> list[dict[str, str]]:
            return next(looks)  # the fourth is an error, as of a Ray that has no such function

    def get_node(_address: str, node_id: str) -> str:
        asked.append(node_id)
        return "it"

    monkeypatch.setattr(ray_state, "GlobalState", Known)
    monkeypatch.setattr(ray_services, "_get_gcs_client_options", "of {}".format)
    monkeypatch.setattr(ray_services, "get_node", get_node)
    with spared(logs=False):
        assert ray_services.get_node("127.0.0.1:1", "ours") == "it"
    assert asked == ["ours"]
    assert next(looks, "seen to the last") == "seen to the last"
    assert ray_services.get_node is get_node
