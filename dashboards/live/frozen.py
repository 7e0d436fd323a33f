"""A study as it was when it was read once: what the page's script reads of one that goes on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dashboards.frames import StudyView, domain_word
from dashboards.live.watched import OUTSIDE, budgets_of, planes_of
from search.core.picking import Step, steps
from search.core.records import Event, State, StudyRecord, TrialRecord
from search.core.requests import Note


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """What `payload` and `details` tell of a study."""

    study: StudyRecord
    planes: Sequence[tuple[str, str]]
    parameters: Sequence[str]  # in the order of the values in a row
    trials: Mapping[int, TrialRecord]
    front: Sequence[TrialRecord]
    steps: Mapping[str, Sequence[Step]]
    label: str = ""
    events: Sequence[Event] = ()
    noted: Mapping[int, Note] = field(default_factory=dict)

    @classmethod
    def of(cls, view: StudyView) -> "Frozen":
        """Return a study that was read, with who is on its front and what each budget buys."""
        study = view.study
        planes = planes_of(study)
        named = [name for name, domain in study.domains.items() if domain_word(domain)]
        told = [name for trial in view.trials for name in trial.params]
        return cls(
            study=study, planes=planes, parameters=list(dict.fromkeys([*named, *told])),
            trials={trial.number: trial for trial in view.trials}, front=view.front,
            steps={cost: steps(study, view.trials, study.objective(cost)) for cost in budgets_of(study, planes)},
        )  # fmt: skip

    def where(self, trial: TrialRecord) -> str:
        """Return where a trial stood; of one that had not ended nobody knows here what it waits for."""
        return OUTSIDE if trial.outside and trial.state is State.COMPLETE else trial.state.value

    @property
    def named(self) -> list[TrialRecord]:
        """Return the networks on the front and those that a budget can buy, each once, by number."""
        bought = (step.chosen for found in self.steps.values() for step in found)
        numbers = sorted({trial.number for trial in (*self.front, *bought)})
        return [self.trials[number] for number in numbers]
