"""What Ray Tune hands out as one trial: a training, or several of one plan together, told of one thing at a time.

No Ray here: `workers.trainable` has one to itself in a process, `workers.engine` several.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from socket import gethostname
from typing import Any

import torch

from spaces.errors import TrialFailure
from workers.company import NOBODY, Company
from workers.datasets import Dataset
from workers.device import choose_device, use_threads
from workers.numerics import Numerics, pick
from workers.packs import News, train_pack
from workers.probe import verdict_of
from workers.pulse import EXAMINING, LOADING, STARTING, Pulse, Sign
from workers.sources import DataSpec
from workers.trainer import TrialSpec, train

Load = Callable[[DataSpec, torch.device], Dataset]  # onto the device
Tell = Callable[[str, Sign], object]  # hears a trial's sign of life by its key
Told = dict[str, Any]  # `epoch`, `number`, and perhaps `measurement`, `failure`, `host`, `again` as JSON; or `ended`


@dataclass(slots=True)
class Member:
    """One of the trials that are trained: alone it is the only one."""

    given: Mapping[str, Any]  # `number`, `spec`, `recorded`, `checkpoint` and `pulse`, as the configuration has them
    epoch: int = 0
    trained: int = 0  # epochs by now, of which the last may not be told yet
    held: tuple[int, str] = (0, "")  # epochs that its checkpoint held, and what it is where it held none
    again: dict[str, Any] | None = None  # what had to be trained again, and no result has told yet

    def is_news(self, found: News) -> bool:
        """Take in what has become of it, and say whether the driver does not know."""
        if isinstance(found, TrialFailure):
            return True
        self.epoch = found.epoch
        known = found.epoch <= self.given["recorded"]
        if known and found.epoch > self.held[0]:
            self._count_again(found.wall_s)
        return not known

    def _count_again(self, took_s: float) -> None:
        """Count an epoch that is recorded and was trained once more, since the checkpoint held less."""
        known = self.again or {"epochs": 0, "seconds": 0.0}
        why = self.held[1] or f"ends after epoch {self.held[0]}"
        self.again = {"epochs": known["epochs"] + 1, "seconds": known["seconds"] + took_s, "why": why}


class Assignment:
    """Train what a configuration describes, and tell of it: `workers.trainable.NetworkTrainable` says what it holds."""

    def __init__(
        self,
        given: Mapping[str, Any],
        *,
        device: str,
        load: Load,
        tell: Tell,
        node: str = "",
        company: Company = NOBODY,
    ) -> None:
        """Prepare to train; nothing that can fail happens before the first step, whose failures are classified.

        Args:
            given: the configuration.
            device: `cuda` or `cpu`.
            load: returns the data set, on the device.
            tell: hears that the trials go on.
            node: as Ray names it.
            company: of others in this process.
        """
        self._given = given
        self._members = [Member(each) for each in (given, *given.get("mates", ()))]
        self._news: Iterator[tuple[int, News]] | None = None
        self._on, self._load, self._tell, self._node, self._company = device, load, tell, node, company
        self._device = ""  # its name
        self._host: dict[str, Any] | None = None
        self._pulse = Pulse(self._sign)
        self._pulse(STARTING)

    def _sign(self, phase: str, count: int) -> None:
        """Let the driver see where each trial is."""
        for member in self._members:
            if key := member.given.get("pulse"):
                sign = Sign(
                    number=member.given["number"], phase=phase, count=count, pid=os.getpid(), node=self._node,
                    epoch=max(member.epoch, member.trained), again=member.again,
                )  # fmt: skip
                self._tell(key, sign)

    def waits(self) -> None:
        """Let the driver see that it waits to begin."""
        self._pulse(STARTING)

    def step(self) -> Told:
        """Return the next measurement that the driver does not have, or what one of several has failed of.

        After the last epoch it is `{"ended": True}`.

        Raises:
            TrialFailure: whatever went wrong, classified.
        """
        try:
            if self._news is None:
                self._news = self._start()
            found = next(self._unknown(self._news), None)
            return {"ended": True} if found is None else self._told(*found)
        except Exception as error:  # every failure of a trial is told by its kind; none may end the study
            self._news = None
            raise self._company.judges(error) from None

    def _unknown(self, news: Iterator[tuple[int, News]]) -> Iterator[tuple[Member, News]]:
        """Yield what the driver does not know."""
        for place, found in news:
            if self._members[place].is_news(found):
                yield self._members[place], found

    def _told(self, member: Member, news: News) -> Told:
        host, self._host = self._host, None  # the driver hears of it once a trial
        again, member.again = member.again, None
        told = {**self._plain(news), "host": host, "again": again}
        as_text = {name: json.dumps(each) for name, each in told.items() if each}  # Tune flattens mappings
        return {"epoch": member.epoch, "number": member.given["number"], **as_text}

    def _plain(self, news: News) -> dict[str, Any]:
        if isinstance(news, TrialFailure):
            return {"failure": failed(self._company.judges(news))}
        return {"measurement": replace(news, host=gethostname(), device=self._device).to_json()}

    def _beat(self, phase: str) -> None:
        self._pulse(phase)
        self._company.passes(phase)

    def _take_up(self, place: int, epochs: int, why: str) -> None:
        self._members[place].held = (epochs, why)

    def _count(self, epoch: int) -> None:
        """Let the next sign of life tell of an epoch, which on a GPU is told only when the next one is trained."""
        self._members[0].trained = epoch

    def _start(self) -> Iterator[tuple[int, News]]:
        use_threads(self._given["threads"])
        device = choose_device(self._on)
        self._device = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
        spec, *others = (TrialSpec.from_json(each.given["spec"]) for each in self._members)
        self._pulse(LOADING)
        data = self._load(spec.data, device)
        how: dict[str, Any] = {
            "beat": self._beat, "pick": self._picker(spec, data), "measured": self._given.get("measured"),
            "flow": self._given.get("flow", False), "company": self._company,
        }  # fmt: skip
        if others:
            paths = [each.given["checkpoint"] for each in self._members]
            return train_pack([spec, *others], data, checkpoint_paths=paths, taken_up=self._take_up, **how)
        how |= {"decided": self._given.get("decided"), "taken_up": partial(self._take_up, 0), "trained": self._count}
        alone = train(spec, data, checkpoint_path=self._given["checkpoint"], **how)
        return ((0, each) for each in alone)

    def _picker(self, spec: TrialSpec, data: Dataset) -> Callable[[str | None], Numerics]:
        """Return what picks precision and layout: the trial's, else the study's on such machines, else the fastest."""
        self._pulse(EXAMINING)
        verdict = verdict_of(spec.recipe, data.image, data.train_images.device, threads=self._given["threads"])
        known = self._given.get("numerics", {}).get(verdict.kind)

        def picked(before: str | None) -> Numerics:
            found = pick(spec.recipe, verdict.step_ms, verdict.wrong, before or known)
            self._host = {
                **verdict.to_json(),
                "numerics": known if known and known not in verdict.wrong else found.name,
            }
            return found

        return picked

    def close(self) -> None:
        """Let go of the network."""
        self._news = None


def failed(failure: TrialFailure) -> dict[str, str]:
    """Return a failure as plain values."""
    return {"kind": str(failure.kind), "message": failure.message, "details": failure.details}
