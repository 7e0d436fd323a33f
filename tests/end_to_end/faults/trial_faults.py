"""Let trials fail where they train.

They have `nan` weights, run `out-of-memory`, find a `connection` broken, end by `sigkill` or `segv`, `spin` without a
step, or `gorge` on memory until somebody ends them.
"""

import os
import signal
import threading
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

from planting import first, note, ordered

GORGE_BYTES = 4_500_000_000
TRAINING = "WIDEFRONT_FAULTS_TRIAL"  # where a process keeps the number of each thread's trial: Ray copies globals


def _nan(trainer: Any) -> None:
    for weights in trainer.network.parameters():
        weights.data.fill_(float("nan"))


def _out_of_memory(_trainer: Any) -> None:
    raise MemoryError("planted")


def _connection(_trainer: Any) -> None:
    raise ConnectionError("planted")


def _sigkill(_trainer: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _segv(_trainer: Any) -> None:
    signal.pthread_kill(threading.get_ident(), signal.SIGSEGV)  # as what really fails gets it
    time.sleep(60)  # the signal may come a moment later


def _spin(_trainer: Any) -> None:
    while True:
        pass


def _gorge(_trainer: Any) -> None:
    """Take memory, and wait for somebody to end the process."""
    filled = b"x" * GORGE_BYTES
    time.sleep(60)
    raise AssertionError(f"nobody minds {len(filled)} bytes")


KINDS: dict[str, Callable[[Any], None]] = {
    "nan": _nan,
    "out-of-memory": _out_of_memory,
    "connection": _connection,
    "sigkill": _sigkill,
    "segv": _segv,
    "spin": _spin,
    "gorge": _gorge,
}


def _here() -> str:
    return f"{TRAINING}_{threading.get_ident()}"


def _befall(trainer: Any) -> None:
    here = (int(os.environ[_here()]), trainer.epoch + 1)
    time.sleep(ordered().get("pace_s", 0.0))
    if ordered().get("who"):
        note(f"process {os.getpid()} trial {here[0]} epoch {here[1]}")
    for fault in ordered().get("trials", ()):
        name = f"{fault['kind']}-{fault['number']}-{fault['epoch']}"
        if here == (fault["number"], fault["epoch"]) and (not fault.get("once") or first(name)):
            note(name)
            KINDS[fault["kind"]](trainer)


def _plant_in_trainer(module: ModuleType) -> None:
    run_epoch = module.Trainer.run_epoch

    def planted(trainer: Any, **given: Any) -> Any:
        _befall(trainer)
        return run_epoch(trainer, **given)

    module.Trainer.run_epoch = planted


def _plant_in_assignment(module: ModuleType) -> None:
    start = module.Assignment._start

    def planted(assignment: Any) -> Any:
        os.environ[_here()] = str(assignment._given["number"])
        return start(assignment)

    module.Assignment._start = planted


PLANTS = {"workers.trainer": _plant_in_trainer, "workers.assignment": _plant_in_assignment}
