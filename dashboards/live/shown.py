"""What there is to show of a study, whether it is followed while it runs or was read once."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from search.core.picking import Step
from search.core.records import Event, StudyRecord, TrialRecord
from search.core.requests import Note


class Shown(Protocol):
    """A study as it is shown, whether it is followed or was read once."""

    @property
    def study(self) -> StudyRecord: ...  # noqa: D102

    @property
    def label(self) -> str: ...  # noqa: D102

    @property
    def planes(self) -> Sequence[tuple[str, str]]: ...  # noqa: D102

    @property
    def parameters(self) -> Sequence[str]: ...  # noqa: D102

    @property
    def trials(self) -> Mapping[int, TrialRecord]: ...  # noqa: D102

    @property
    def front(self) -> Sequence[TrialRecord]: ...  # noqa: D102

    @property
    def steps(self) -> Mapping[str, Sequence[Step]]: ...  # noqa: D102

    @property
    def events(self) -> Collection[Event]: ...  # noqa: D102

    @property
    def noted(self) -> Mapping[int, Note]: ...  # noqa: D102

    def where(self, trial: TrialRecord) -> str: ...  # noqa: D102
