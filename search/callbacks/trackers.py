"""TensorBoard, MLflow and Weights & Biases: a run for each trial, named by its number, with parameters and metrics.

A trial that goes on in a later launch goes on in its run.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from search.core.labels import name_of
from search.core.records import State, StudyRecord, TrialRecord
from workers.measurement import Measurement

TRIAL = "widefront.trial"  # the tag by which a run is found again


def metrics_of(measurement: Measurement) -> dict[str, float]:
    """Return what an epoch revealed, by name, with the seconds that it took."""
    return {**measurement.metrics, "epoch_s": measurement.wall_s}


def facts_of(trial: TrialRecord) -> dict[str, Any]:
    """Return what was chosen and what it costs, as plain values."""
    costs = {**trial.cost.to_json(), **trial.cost.more}
    return {**trial.params, **costs, "seed": trial.seed, "digest": trial.digest, "network": name_of(trial.architecture)}


class TensorBoard:
    """Event files in a folder for each trial."""

    def __init__(self, study: StudyRecord, folder: str = "tensorboard") -> None:
        from tensorboardX import SummaryWriter

        self._writer = SummaryWriter
        self._home = Path(folder) / study.label
        self._open: dict[int, Any] = {}

    def on_measurement(self, trial: TrialRecord, measurement: Measurement) -> None:
        """Write an epoch's numbers."""
        writer = self._of(trial)
        for name, value in metrics_of(measurement).items():
            writer.add_scalar(name, value, measurement.epoch)
        writer.flush()

    def on_trial(self, trial: TrialRecord) -> None:
        """Write what was chosen, as text and for the tab of hyperparameters, and close the file."""
        writer = self._of(trial)
        writer.add_text("trial", "  \n".join(f"{name}: {value}" for name, value in facts_of(trial).items()))
        writer.add_text("state", f"{trial.state}: {trial.reason}" if trial.reason else str(trial.state))
        writer.close()
        del self._open[trial.number]

    def close(self) -> None:
        """Close what is open."""
        for writer in self._open.values():
            writer.close()

    def _of(self, trial: TrialRecord) -> Any:
        if trial.number not in self._open:
            self._open[trial.number] = self._writer(
                str(self._home / f"{trial.number:04d}-{name_of(trial.architecture)}")
            )
        return self._open[trial.number]


class MLflow:
    """An experiment for the study, a run for each trial."""

    ENDS: Mapping[State, str] = {State.COMPLETE: "FINISHED", State.STOPPED: "KILLED", State.FAILED: "FAILED"}

    def __init__(self, study: StudyRecord, uri: str | None = None, experiment: str | None = None) -> None:
        from mlflow.tracking import MlflowClient

        self._client = MlflowClient(tracking_uri=uri)
        self._label = study.label
        name = experiment or study.name
        found = self._client.get_experiment_by_name(name)
        self._experiment = found.experiment_id if found else self._client.create_experiment(name)
        self._runs: dict[int, str] = {}

    def on_measurement(self, trial: TrialRecord, measurement: Measurement) -> None:
        """Write an epoch's numbers."""
        for name, value in metrics_of(measurement).items():
            self._client.log_metric(self._of(trial), name, value, step=measurement.epoch)

    def on_trial(self, trial: TrialRecord) -> None:
        """Write how the trial ended."""
        run = self._of(trial)
        if trial.reason:
            self._client.set_tag(run, "reason", trial.reason)
        self._client.set_terminated(run, self.ENDS.get(trial.state, "FINISHED"))

    def close(self) -> None:
        """Leave open runs as they are: they go on in a later launch."""

    def _of(self, trial: TrialRecord) -> str:
        if trial.number not in self._runs:
            self._runs[trial.number] = self._found(trial) or self._begun(trial)
        return self._runs[trial.number]

    def _found(self, trial: TrialRecord) -> str | None:
        known = f"tags.`{TRIAL}` = '{self._tag(trial)}'"
        runs = self._client.search_runs([self._experiment], known, max_results=1)
        return runs[0].info.run_id if runs else None

    def _begun(self, trial: TrialRecord) -> str:
        tags = {TRIAL: self._tag(trial)}
        name = f"trial {trial.number}"
        run: str = self._client.create_run(self._experiment, run_name=name, tags=tags).info.run_id
        for fact, value in facts_of(trial).items():
            self._client.log_param(run, fact, value)
        return run

    def _tag(self, trial: TrialRecord) -> str:
        return f"{self._label}/{trial.number}"


class WandB:
    """A run for each trial, in one group for the study."""

    def __init__(
        self, study: StudyRecord, project: str | None = None, entity: str | None = None, mode: str = "online",
        folder: str = ".",
    ) -> None:  # fmt: skip
        import wandb

        self._wandb = wandb
        self._study = study
        self._given: dict[str, Any] = {"project": project or study.name, "entity": entity, "mode": mode, "dir": folder}
        self._runs: dict[int, Any] = {}

    def on_measurement(self, trial: TrialRecord, measurement: Measurement) -> None:
        """Write an epoch's numbers."""
        self._of(trial).log({**metrics_of(measurement), "epoch": measurement.epoch}, step=measurement.epoch)

    def on_trial(self, trial: TrialRecord) -> None:
        """Write how the trial ended, and end its run."""
        run = self._of(trial)
        run.summary.update({"state": str(trial.state), "reason": trial.reason})
        run.finish(exit_code=1 if trial.state is State.FAILED else 0)
        del self._runs[trial.number]

    def close(self) -> None:
        """End what is open, which a later launch goes on with by its id, and the tool's own process."""
        for run in self._runs.values():
            run.finish()
        self._wandb.teardown()

    def _of(self, trial: TrialRecord) -> Any:
        if trial.number not in self._runs:
            self._runs[trial.number] = self._wandb.init(
                **self._given, id=f"{self._study.label}-{trial.number}", name=f"trial {trial.number}", resume="allow",
                group=self._study.name, config=facts_of(trial), reinit="create_new",
                settings=self._wandb.Settings(silent=True, console="off"),
            )  # fmt: skip
        return self._runs[trial.number]
