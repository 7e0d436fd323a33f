"""Take what people ask of a running launch, do it, and answer: each once, whichever launch it is.

A request waits until it is done. So what a launch did not come to, or did and could not tell, the next one takes up,
and to do it twice changes nothing (`search.study.steering`). What counts for all launches to come, such as more budget,
the answered rows tell.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from search.core.budget import Budget
from search.core.records import Event, EventKind
from search.core.requests import OF_A_LAUNCH, OF_A_TRIAL, Request, RequestKind, RequestState, amount, checked, grown
from search.samplers.proposer import Asked
from search.storage.answering import answer
from search.storage.requests import news, requests
from search.storage.store import Store
from search.study import steering
from search.study.running import RunningStudy
from search.study.wishes import Wishes
from spaces.domains import Scalar
from spaces.errors import InputError, StorageAway

EVERY_S = 1.0
BEHIND = 100  # requests below the newest that are looked at again: others may have been numbered and not written yet

Params = Mapping[str, Scalar]


def wishes_of(answered: Iterable[Request]) -> Wishes:
    """Return what earlier launches were asked and what holds in this one too: who was promoted by people."""
    promoted = (each.effect for each in answered if each.kind == RequestKind.PROMOTE)
    return Wishes(lifted={each["trial"]: each["epoch"] for each in promoted if {"trial", "epoch"} <= each.keys()})


def budget_of(file: Budget, answered: Iterable[Request]) -> Budget:
    """Return a file's budget with all that was added to it."""
    return Budget(**grown(asdict(file), answered))


@dataclass(slots=True)
class Desk:
    """Takes requests for one launch."""

    store: Store
    running: RunningStudy
    file: Budget  # what the file says
    check: Callable[[Params], Params]  # values of a network, or an InputError
    clock: Callable[[], float] = time.monotonic
    _after: int = -1  # the request up to which all are known
    _known: dict[int, Request] = field(default_factory=dict)  # that were answered, by this launch or another
    _asked: dict[int, tuple[Asked, int]] = field(default_factory=dict)  # values that wait for a worker
    _looked: float | None = None

    def __post_init__(self) -> None:
        found = requests(self.store, self.running.record.name)
        self._known = {each.id: each for each in found if each.state is not RequestState.WAITING}
        self._after = max((each.id for each in found), default=-1)

    def look(self) -> None:
        """Take what is new, if the last time is a second ago; where the database is away, later."""
        now = self.clock()
        if self.running.outbox.away_s is not None or (self._looked is not None and now - self._looked < EVERY_S):
            return
        self._looked = now
        try:
            behind = BEHIND if self.running.launches.shared else 0
            for request in news(self.store, self.running.record.name, self._after - behind):
                self._take(request)
        except StorageAway as error:
            self.running.outbox.lose(error)

    def _take(self, request: Request) -> None:
        self._after = max(self._after, request.id)
        if request.id in self._known:
            return
        if request.state is not RequestState.WAITING:  # another launch has answered it
            self._known[request.id] = request
            self._hear(request)
            return
        try:
            text, effect = self._do(request)
        except InputError as error:
            self._answer(request, RequestState.REFUSED, str(error))
        else:
            if text is not None:
                self._answer(request, RequestState.DONE, text, effect)

    def _hear(self, request: Request) -> None:
        """Do what concerns every launch of a study that several share."""
        mine = self.running.launches.session
        if request.state is not RequestState.DONE or not self.running.launches.shared:
            return
        if request.kind == RequestKind.ADD:
            steering.grow(self.running, budget_of(self.file, self._known.values()))
        elif request.kind in OF_A_LAUNCH and (mine or 0) <= (request.session or 0):
            _LAUNCH[request.kind](self.running)

    def _do(self, request: Request) -> tuple[str | None, Mapping[str, Any]]:
        """Return the answer, or None as long as there is none, and what later launches have to know.

        Raises:
            InputError: it is refused.
        """
        checked(request.kind, request.values)  # another version may have asked
        if request.kind in OF_A_LAUNCH:
            self._check_launch(request)
            return _LAUNCH[request.kind](self.running), {}
        if request.kind in OF_A_TRIAL:
            return self._do_to_trial(request)
        if request.kind == RequestKind.ADD:
            return self._added(request.values)
        return self._train(request), {}

    def _check_launch(self, request: Request) -> None:
        """Refuse what was asked of a launch before this one."""
        if (self.running.launches.session or 0) > (request.session or 0):
            raise InputError("the launch that was asked is over")

    def _do_to_trial(self, request: Request) -> tuple[str | None, Mapping[str, Any]]:
        number = request.values["trial"]
        if request.kind == RequestKind.STOP:
            return steering.stop(self.running, number), {}
        text = steering.promote(self.running, number)
        return text, {"trial": number, "epoch": self.running.wishes.lifted.get(number)} if text else {}

    def _added(self, amounts: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
        """Say what the budget will be: it counts once the answer is written."""
        budget = self.running.account.budget
        for name in amounts:
            if getattr(budget, name, None) is None:
                raise InputError(f"the budget has no bound on {name}, so nothing can be added to it")
        if self.running.exhausted and not self.running.cut_off:
            raise InputError("nothing new is left to propose, so more budget changes nothing")
        told = ", ".join(amount(name, getattr(budget, name) + more) for name, more in amounts.items())
        of_file = {item.name: getattr(self.file, item.name) for item in fields(Budget) if item.name in amounts}
        return f"the budget is {told} now", {"file": of_file, "added": dict(amounts)}

    def _train(self, request: Request) -> str | None:
        if request.id in self._asked:
            return steering.trained(self.running, *self._asked[request.id])
        since = len(self.running.rejections)
        asked = steering.train(self.running, self.check(request.values["params"]))
        if isinstance(asked, str):
            return asked
        self._asked[request.id] = (asked, since)
        return None

    def _answer(
        self, request: Request, state: RequestState, text: str, effect: Mapping[str, Any] | None = None
    ) -> None:
        at = self.running.clock()
        line = f"{request}: {'refused: ' if state is RequestState.REFUSED else ''}{text}"
        event = Event(at=at, kind=EventKind.ASKED, text=line)
        name = self.running.record.name
        if not answer(self.store, name, request, state=state, text=text, at=at, event=event, effect=effect):
            return
        self._known[request.id] = replace(request, state=state, effect=effect or {})
        self.running.notices.append(line)
        if effect and "added" in effect:
            steering.grow(self.running, budget_of(self.file, self._known.values()))


_LAUNCH: dict[str, Callable[[RunningStudy], str]] = {
    RequestKind.PAUSE: steering.pause,
    RequestKind.RESUME: steering.resume,
    RequestKind.END: steering.end,
}
