"""One trial of an engine, in a thread of its own that computes while it has the baton."""

import gc
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from spaces.errors import TrialFailure
from workers.assignment import Assignment, Tell, Told, failed
from workers.company import Company
from workers.datasets import Dataset
from workers.engine.graphs import Graphs
from workers.engine.memory import Account, CudaAllocator
from workers.engine.post import ENDED, Post
from workers.engine.room import Room
from workers.engine.shelf import Shelf
from workers.engine.state import ProcessState
from workers.engine.turns import Ready, Turns, always
from workers.failures import breaks_context, classify
from workers.kinds import FailureKind
from workers.lastwords import LastWords
from workers.pulse import MEASURING, TRAINING, WAITING
from workers.sources import DataSpec

STEPS = 8  # of a turn: a hand-over takes about as long as one step of the smallest networks


class Ended(BaseException):
    """Nobody wants the trial any more: raised where it waits for its turn, and no failure."""


@dataclass(kw_only=True)
class Common:
    """What all trials of an engine have in common."""

    device: torch.device
    room: Room
    shelf: Shelf
    turns: Turns = field(default_factory=Turns)
    allocator: CudaAllocator | None = None
    streams: list[Any] = field(default_factory=list)  # that nobody uses; CUDA alone
    lost: TrialFailure | None = None  # the context broke: nothing more can be computed


class Trial(Company):
    """One assignment, told of as its results are asked for."""

    alone = False

    def __init__(self, given: Mapping[str, Any], common: Common, *, tell: Tell, lose: Callable[[], object]) -> None:
        """Take a configuration and come to the end of the line.

        Args:
            given: the configuration.
            common: what it shares.
            tell: hears that it goes on.
            lose: called as the context has broken.
        """
        self._common, self._lose = common, lose
        self.post = Post(common.turns.look)
        self._words = LastWords(given.get("crash"))
        self._place = common.room.come(alone=bool(given.get("fresh")))
        self._account = None if common.allocator is None else Account(common.allocator, self._place.held)
        self._assignment = Assignment(
            given, device=common.device.type, load=self._loaded, tell=tell, company=self,
        )  # fmt: skip
        self._turn = common.turns.join()
        self._graphs = Graphs()
        self._steps, self._data_bytes = 0, 0
        self._is_over = self._has_begun = self._broke_it = False
        self.thread = threading.Thread(target=self._run, name=f"trial {given['number']}", daemon=True)

    def take(self, patience_s: float) -> Told | None:
        """Return the next thing that it has to tell, if there is one within so many seconds."""
        if not self._has_begun:
            self._assignment.waits()
        return self.post.take(patience_s)

    def end(self) -> None:
        """Let it go on no further."""
        self._is_over = True
        self.post.close()
        self._common.turns.look()

    # The thread

    def _run(self) -> None:
        try:
            self._turn.wait(self._may_begin)
            self._check()
            self._begin()
            with self._stream():
                self._serve()
        except Ended:
            pass
        except BaseException as error:  # whatever it is, somebody waits for an answer
            self._fail(error)
        self._let_go()
        if self._common.lost is None:
            self.post.close()

    def _fail(self, error: BaseException) -> None:
        """Tell why it fails, and keep nothing of what the error holds."""
        if self._common.lost is not None and not self._broke_it:  # all that is computed fails now
            return
        failure = error if isinstance(error, TrialFailure) else self.judges(_exception(error))
        self.post.tell({"raised": failed(failure)})
        if self._common.lost is not None:
            self._lose()

    def _may_begin(self) -> bool:
        return self._is_done() or self._common.room.may_begin(self._place)

    def _is_done(self) -> bool:
        return self._is_over or self._common.lost is not None

    def _check(self) -> None:
        if self._is_done():
            raise Ended

    def _begin(self) -> None:
        self._common.room.begin(self._place)
        self._has_begun = True
        self._take_up()

    def _serve(self) -> None:
        """Tell one thing for each question, until there is nothing more."""
        told: Told = {}
        while told != ENDED:
            self._pause(lambda: self.post.is_wanted or self._is_done())
            told = self._assignment.step()
            self._rest()  # the account is counted up
            self._take_up()
            self._common.room.settle(self._place)
            if told != ENDED:
                self.post.tell(told)

    def _pause(self, ready: Ready = always, *, untold: bool = False) -> None:
        """Let others have their turns; whatever they do to the process is undone."""
        state = ProcessState.now(self._common.device)
        self._rest()
        self._turn.wait(ready, untold=untold)
        self._take_up()
        state.put_back(self._common.device)
        self._check()

    def _rest(self) -> None:
        self._words.rest()
        if self._account is not None:
            self._account.rest()

    def _take_up(self) -> None:
        self._words.listen()
        if self._account is not None:
            self._account.begin()

    def _let_go(self) -> None:
        """Give back what it holds, and the baton."""
        self._assignment.close()
        self._graphs.forget()
        self._words.forget()
        self._common.shelf.give_back(self)
        if self._common.device.type == "cuda":
            gc.collect()  # what a failure's frames held
            with suppress(Exception):  # the context may be broken
                torch.cuda.empty_cache()
        self._common.room.leave(self._place)
        self._turn.leave()

    @contextmanager
    def _stream(self) -> Iterator[None]:
        """Compute on a stream of its own, where there are any."""
        if self._common.device.type != "cuda":
            yield
            return
        device, free = self._common.device, self._common.streams
        torch.cuda.set_device(device)
        stream = free.pop() if free else torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # torch's own
        try:
            with torch.cuda.stream(stream):
                yield
        finally:
            with suppress(Exception):  # the context may be broken
                stream.synchronize()
            free.append(stream)  # what was freed on it is given out on it again

    def _loaded(self, spec: DataSpec, _device: torch.device) -> Dataset:
        """Return the data set; its memory is nobody's."""
        self._rest()
        data = self._common.shelf.take(spec, self)
        self._take_up()
        held = (data.train_images, data.train_labels, data.val_images, data.val_labels)
        self._data_bytes = sum(each.nbytes for each in held)
        return data

    # As company

    def passes(self, phase: str) -> None:
        """Hand over after some steps, and at each look while it waits for the device."""
        if phase in (TRAINING, MEASURING, WAITING):
            self._steps += 1
            if phase == WAITING or self._steps % STEPS == 0:
                self._pause()

    def waits(self, device: torch.device) -> None:
        """Let others give their streams work until this one's is done."""
        if device.type == "cuda":
            done = torch.cuda.Event()  # type: ignore[no-untyped-call]  # torch's own
            done.record(torch.cuda.current_stream(device))
            self._pause(lambda: self._is_done() or _has_come(done), untold=True)

    def steps(self, trainer: Any, images: Tensor, labels: Tensor, rate: float) -> Tensor | None:
        """Replay a step that was captured, where that can be."""
        return self._graphs.step(trainer, images, labels, rate)

    def start_peak(self, device: torch.device) -> None:
        """Begin to count anew; of a processor only the whole process is known."""
        if self._account is None:
            super().start_peak(device)
        else:
            self._account.start_peak()

    def peak_bytes(self, device: torch.device) -> int:
        """Return the most that this trial held, with the data set, as a process of its own would have it."""
        return super().peak_bytes(device) if self._account is None else self._account.peak() + self._data_bytes

    def judges(self, error: Exception) -> TrialFailure:
        """Return what an exception is: of memory, beside others, nobody's fault yet; of the context, all end by it."""
        failure = classify(error)
        if breaks_context(error):
            return self._broken(failure)
        others = self._common.room.beside(self._place)
        if failure.kind != FailureKind.OUT_OF_MEMORY or not others:
            return failure
        message = f"{failure.message}; {others} more trained in its process"
        return TrialFailure(FailureKind.KILLED, message, failure.details)

    def _broken(self, failure: TrialFailure) -> TrialFailure:
        if self._common.lost is None:
            message = f"the GPU's context broke in another trial of its process: {failure.message}"
            self._common.lost = TrialFailure(FailureKind.LOST, message, failure.details)
            self._broke_it = True
        kind = FailureKind.of(failure.kind)
        # Whoever raised need not have done it: it tells alone, in a fresh process.
        return failure if kind.transient else TrialFailure(FailureKind.NATIVE_CRASH, failure.message, failure.details)


def _has_come(event: Any) -> bool:
    """Whether a device has come so far; an error is for whoever waits for it."""
    try:
        return bool(event.query())
    except Exception:
        return True


def _exception(error: BaseException) -> Exception:
    return error if isinstance(error, Exception) else RuntimeError(f"{type(error).__name__}: {error}")
