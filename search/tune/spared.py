"""Let Ray start only what a study on one machine uses of it.

`ray.init` cannot be told, but Ray's own parameters and functions can. Where a version of Ray keeps one of them
elsewhere, it starts that part as it always does.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Any

from ray._private import node as ray_node
from ray._private import parameter as ray_parameter
from ray._private import ray_constants
from ray._private import services as ray_services
from ray._private import state as ray_state
from ray._private import utils as ray_utils
from ray.air._internal import usage as ray_usage

# Workers start as trials want them: one of those that Ray starts ahead for each core trains nothing for a second of it.
ASKED_WORKERS = {"prestart_worker_first_driver": False, "enable_worker_prestart": False}
REGISTERS_S, LOOK_S = 5.0, 0.02  # in which a node is usually registered; between two looks whether it is


@contextmanager
def spared(*, logs: bool) -> Iterator[None]:
    """Start neither autoscaler nor job server, a small agent, and who passes on logs only where somebody is shown them.

    Nothing here can grow, nobody sends jobs here, and metrics are read by nobody; each is a second of a processor. Ray
    listens on 127.0.0.1 alone, as it does where it has no clusters; else it listens on every interface.
    """
    made = getattr(ray_parameter, "RayParams", None)
    with ExitStack() as changed:
        for owner, name, value in (
            (ray_constants, "ENABLE_RAY_CLUSTER", False),
            (ray_parameter, "RayParams", made and partial(made, no_monitor=True, include_log_monitor=logs)),
            (getattr(ray_node, "Node", None), "start_api_server", _nothing),
            (ray_utils, "get_dashboard_dependency_error", _missing),  # then the agent is the one of a small Ray
            (ray_services, "get_node", _once_registered(getattr(ray_services, "get_node", None))),
        ):
            changed.enter_context(_replaced(owner, name, value))
        yield


@contextmanager
def uncounted() -> Iterator[None]:
    """Let Ray Tune not count callbacks for its makers: to know them by name it imports what of them is installed.

    That is Weights & Biases and MLflow, two seconds of a processor, and nothing is sent to anybody.
    """
    with _replaced(ray_usage, "tag_callbacks", _nothing):
        yield


def _once_registered(get_node: Any) -> Callable[[str, str], Any]:
    """Return what asks for a node as soon as it is registered: Ray asks before that, and again after a whole second."""

    def asked(address: str, node_id: str) -> Any:
        with suppress(Exception):  # a version of Ray in which this is otherwise waits the second
            _await_node(address, node_id)
        return get_node(address, node_id)

    return asked


def _await_node(address: str, node_id: str) -> None:
    state: Any = ray_state.GlobalState()  # type: ignore[no-untyped-call]  # Ray's
    options: Any = ray_services._get_gcs_client_options  # without types
    state._initialize_global_state(options(address))
    given_up = time.monotonic() + REGISTERS_S
    while time.monotonic() < given_up and all(node["NodeID"] != node_id for node in state.node_table()):
        time.sleep(LOOK_S)


def _nothing(*_given: object, **_named: object) -> None:
    """Start nothing."""


def _missing() -> ImportError:
    """Say that what a dashboard needs is not installed, as it is where Ray is installed without."""
    return ImportError("a study on one machine needs no dashboard")


@contextmanager
def _replaced(owner: Any, name: str, value: object) -> Iterator[None]:
    """Give a module or class another value of a name that it has, for a while."""
    if not hasattr(owner, name):
        yield
        return
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)
