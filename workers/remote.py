"""Train inside Ray Tune without training here: ask the engine of this trial's GPU. No torch.

As many of these as trials share a GPU hold their shares of it, so that placement, failures and stopping stay Ray's.
The driver makes the engines, for whichever device a trial was given (`search.tune.engines`); it reads what is asked for
in Ray's key-value store.
"""

import time
from typing import Any

import ray
from ray import tune
from ray.exceptions import ActorUnavailableError, RayActorError, RayError
from ray.experimental.internal_kv import _internal_kv_put

from spaces.errors import TrialFailure, first_line
from workers.kinds import FailureKind
from workers.serving import CPU

PATIENCE_S = 2.0  # of one question to the engine, between which this process can be ended
LOOK_S = 0.2  # between two looks for an engine that is being made
TRIES = 20  # to let an engine hear that a trial is over, so many looks apart


def engine_name(launch: str, node: str, device: str) -> str:
    """Return the name of a device's engine, which is also where it is asked for."""
    return f"{engines_of(launch)}{node}:{device}"


def engines_of(launch: str) -> str:
    """Return what the names of all engines of a launch begin with."""
    return f"widefront:{launch}:engine:"


class RemoteTrainable(tune.Trainable):
    """Let the engine of this trial's device train what the configuration describes.

    The configuration is that of `workers.trainable.NetworkTrainable`, with `launch` (whose engines these are) and
    `alone` (whether the trial may have no company in the engine until it has shown an epoch), and so are the results.
    """

    def setup(self, config: dict[str, Any]) -> None:
        """Prepare to ask; nothing that can fail happens before the first step."""
        self._begin(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take up another trial in the same process."""
        self._leave()
        self._begin(new_config)
        return True

    def _begin(self, config: dict[str, Any]) -> None:
        self._given = config
        self._ticket: str = config["pulse"]
        self._engine: Any = None
        self._inside = False
        self._alone = bool(config.get("alone"))

    def step(self) -> dict[str, Any]:
        """Return the next measurement that the driver does not have.

        Raises:
            TrialFailure: what the engine says the trial failed of, or that the engine ended.
        """
        if not self._inside:
            self._enter()
        told = self._told()
        if raised := told.get("raised"):
            failure = TrialFailure(**raised)
            self._leave()
            memory = FailureKind.of(failure.kind) in (FailureKind.OUT_OF_MEMORY, FailureKind.KILLED)
            raise self._beside(failure) if memory else failure
        if told.get("ended"):
            raise TrialFailure(FailureKind.LOST, "it was ended")
        if "measurement" in told:
            self._alone = False
        return told

    def _enter(self) -> None:
        """Wait until the engine lets the trial in: that its process ends meanwhile is nothing to this trial."""
        while not self._inside:
            try:
                self._engine = self._engine or self._find()
                self._inside = self._ask("enter", self._ticket, self._alone, PATIENCE_S) and self._is_begun()
            except ActorUnavailableError:
                time.sleep(LOOK_S)
            except RayActorError as error:  # for good: it could not begin, or its node is gone
                self._want(self._engine._actor_id.hex())
                raise TrialFailure(FailureKind.LOST, f"its engine could not begin: {_last_line(error)}") from None

    def _is_begun(self) -> bool:
        """Begin there, and say whether it was the process that had let it in."""
        try:
            self._ask("begin", self._ticket, self._given)
        except KeyError:
            return False
        except RayActorError as error:
            raise self._lost(error) from None
        return True

    def _told(self) -> dict[str, Any]:
        """Wait for what the trial has to tell."""
        told: dict[str, Any] | None = None
        try:
            while told is None:
                told = self._ask("take", self._ticket, PATIENCE_S)
        except (KeyError, RayActorError) as error:  # another process stands in its place, or none
            raise self._lost(error) from None
        return told

    def _lost(self, error: Exception) -> TrialFailure:
        """Return the failure of a trial whose engine ended: of several that trained in it nobody knows who did it."""
        how = "it knows the trial no more" if isinstance(error, KeyError) else first_line(error)
        self._leave()
        return self._beside(TrialFailure(FailureKind.LOST, f"its engine ended: {how}", str(error)))

    def _beside(self, failure: TrialFailure) -> TrialFailure:
        """Return what a failure means where others may have trained beside: whose fault it is, it tells alone."""
        return failure if self._alone else TrialFailure(FailureKind.TOGETHER, failure.message, failure.details)

    def _leave(self) -> None:
        """Let the engine forget the trial, so that nobody trains it there when it is handed out again."""
        engine, self._engine, self._inside = self._engine, None, False
        for _ in range(TRIES if engine is not None else 0):
            try:
                ray.get(engine.end.remote(self._ticket))
                return
            except ActorUnavailableError:
                time.sleep(LOOK_S)
            except RayError:
                return

    def _ask(self, method: str, *given: Any) -> Any:
        return ray.get(getattr(self._engine, method).remote(*given))

    def _find(self) -> Any:
        """Return the engine of this trial's device, once the driver has made it."""
        self._want()
        while True:
            try:
                return ray.get_actor(self._called())
            except ValueError:  # it is not there yet
                time.sleep(LOOK_S)

    def _want(self, dead: str = "") -> None:
        """Ask the driver for an engine, in the place of a dead one where there was one."""
        _internal_kv_put(self._called(), dead, overwrite=bool(dead))  # or a word of that would be lost

    def _called(self) -> str:
        context = ray.get_runtime_context()
        device = context.get_accelerator_ids()["GPU"][0] if self._given["gpus"] else CPU
        return engine_name(self._given["launch"], context.get_node_id(), device)

    def cleanup(self) -> None:
        """Let go of the trial."""
        self._leave()


def _last_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["no error message"])[-1].strip()
