"""A network becomes a trial once devices have told what it costs, and is measured once."""

from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import pytest

from search.config.study import parse
from search.core.records import Rejection
from search.devices.bench import Unmeasured
from search.devices.costs import Devices
from search.samplers.catalogue import SpaceCatalogue
from search.samplers.measuring import MOST_FAILED, UNMEASURED, MeasuringProposer
from search.samplers.proposer import Proposal
from search.samplers.registry import make_sampler
from spaces.architecture import ImageSpec
from spaces.cost import Cost
from spaces.errors import StorageAway, StudyError
from tests.search.bench import FILE
from workers.command import Answer, Command, Request

DIGITS = ImageSpec(channels=1, height=8, width=8, classes=10)
SPACE: dict[str, Any] = {"depth": {"int": [1, 4]}, "widening_factor": {"choice": [0.25, 0.5]}}


@dataclass
class Device:
    """Answers when it is told to: with the depth, or not at all."""

    at_once: bool = True
    broken: bool = False
    asked: list[Request] = field(default_factory=list)
    waiting: list[tuple[Request, "Future[Answer]"]] = field(default_factory=list)

    def ask(self, request: Request) -> "Future[Answer]":
        self.asked.append(request)
        self.waiting.append((request, Future()))
        future = self.waiting[-1][1]
        if self.at_once:
            self.answer()
        return future

    def answer(self) -> None:
        for request, future in self.waiting:
            if self.broken:
                future.set_exception(Unmeasured("ended with exit code 255: no route to host"))
            else:
                future.set_result(Answer(value=float(sum(request.architecture.depths)), deviation=0.5))
        self.waiting.clear()


@dataclass
class Kept:
    """Remembers like a database, also over launches."""

    held: dict[tuple[str, str], Answer] = field(default_factory=dict)
    away: bool = False

    def answer(self, key: str, digest: str) -> Answer | None:
        if self.away:
            raise StorageAway("away")
        return self.held.get((key, digest))

    def add_answer(self, key: str, digest: str, name: str, answer: Answer) -> None:  # noqa: ARG002
        if self.away:
            raise StorageAway("away")
        self.held[key, digest] = answer


def make(device: Device, kept: Kept | None = None, most: float = 1e9) -> MeasuringProposer:
    config = parse({**FILE, "space": SPACE})

    def violations(cost: Cost) -> dict[str, float]:
        return {"pi_ms": cost.more["pi_ms"] / most - 1} if "pi_ms" in cost.more else {}

    catalogue = SpaceCatalogue(config.search_space, DIGITS, violations)
    command = Command(text="./on_pi.sh {onnx}")
    devices = Devices(commands={"pi_ms": command}, image=DIGITS, bench=device, memory=kept or Kept())
    sampler = make_sampler("random", 0, catalogue, [None, None])
    return MeasuringProposer(catalogue, sampler, ["maximize", "minimize"], 0, devices=devices, violations=violations)


def propose_all(proposer: MeasuringProposer) -> tuple[list[Proposal], list[Rejection]]:
    known: dict[str, int] = {}
    proposals: list[Proposal] = []
    rejections: list[Rejection] = []
    while True:
        found, rejected = proposer.propose(known)
        rejections += rejected
        if found is None:
            assert not proposer.waits
            return proposals, rejections
        known[found.digest] = len(proposals)
        proposer.begun(found, len(proposals))
        proposals.append(found)


def test_every_network_is_measured_once_and_has_its_cost_when_it_begins() -> None:
    device = Device()
    proposals, _ = propose_all(make(device))
    assert len(proposals) == 8
    assert all(each.cost.value("pi_ms") == sum(each.architecture.depths) for each in proposals)
    assert sorted(each.digest for each in proposals) == sorted(each.architecture.digest for each in device.asked)


def test_what_breaks_a_constraint_is_rejected_with_its_name_and_never_becomes_a_trial() -> None:
    device = Device()
    proposals, rejections = propose_all(make(device, most=6))
    assert [sum(each.architecture.depths) <= 6 for each in proposals] == [True] * 4
    assert all(each.constraints["pi_ms"] <= 0 for each in proposals)
    refused = [each for each in rejections if each.violations]
    assert {*refused[0].violations} == {"pi_ms"}
    assert "oversteps pi_ms by 50%" in [each.reason for each in refused]
    assert len(device.asked) == 8  # however often the sampler names them again


def test_what_another_launch_has_measured_is_not_measured_again() -> None:
    kept, first, second = Kept(), Device(), Device()
    propose_all(make(first, kept))
    proposals, _ = propose_all(make(second, kept, most=6))
    assert len(proposals) == 4
    assert not second.asked


def test_nothing_is_handed_out_while_a_network_is_measured_and_then_that_one_is() -> None:
    device = Device(at_once=False)
    proposer = make(device)
    assert proposer.propose({}) == (None, [])
    assert proposer.waits
    assert proposer.propose({}) == (None, [])
    assert len(device.asked) == 1
    device.answer()
    found, _ = proposer.propose({})
    assert found is not None
    assert found.architecture == device.asked[0].architecture
    assert not proposer.waits


def test_the_next_network_is_measured_while_a_trial_trains_if_there_will_be_another_trial() -> None:
    device = Device()
    proposer = make(device)
    found, _ = proposer.propose({})
    assert found is not None
    proposer.begun(found, 0)
    assert len({each.architecture.digest for each in device.asked}) == 2
    found, _ = proposer.propose({found.digest: 0})
    assert found is not None
    proposer.more = lambda: False
    proposer.begun(found, 1)
    assert len(device.asked) == 2
    assert not proposer.waits


def test_a_network_that_another_launch_began_meanwhile_is_left_out() -> None:
    device = Device(at_once=False)
    proposer = make(device)
    proposer.propose({})
    first = device.asked[0].architecture.digest
    device.answer()
    found, rejected = proposer.propose({first: 7})
    assert found is None
    assert [each.reason for each in rejected] == ["the same network as trial 7"]
    assert device.asked[1].architecture.digest != first


def test_a_device_that_is_away_ends_the_launch_instead_of_emptying_the_space() -> None:
    device = Device(broken=True)
    proposer = make(device)
    said: list[str] = []
    proposer.say = said.append
    with pytest.raises(StudyError, match="3 networks in a row could not be measured; the last: pi_ms: ended with exit"):
        proposer.propose({})
    assert len(device.asked) == len(said) == MOST_FAILED
    assert said[0].endswith("pi_ms: ended with exit code 255: no route to host")


def test_a_network_that_alone_cannot_be_measured_is_left_out_and_measured_again_by_the_next_launch() -> None:
    kept, device = Kept(), Device(at_once=False)
    proposer = make(device, kept)
    proposer.propose({})
    device.broken = True
    device.answer()
    device.broken, device.at_once = False, True
    found, rejected = proposer.propose({})
    assert found is not None
    assert [{*each.violations} for each in rejected] == [{UNMEASURED}]
    assert device.asked[0].architecture.digest not in {digest for _, digest in kept.held}
    proposals, _ = propose_all(make(Device(), kept))
    assert len(proposals) == 8


def test_what_was_measured_while_the_database_was_away_is_not_lost() -> None:
    kept, device = Kept(), Device(at_once=False)
    proposer = make(device, kept)
    proposer.propose({})
    device.answer()
    kept.away = True
    with pytest.raises(StorageAway):
        proposer.propose({})
    kept.away = False
    found, _ = proposer.propose({})
    assert found is not None
    assert len(device.asked) == 1
    assert len(kept.held) == 1


def test_a_trial_has_begun_although_the_database_went_away_before_the_next_could_be_looked_up() -> None:
    kept, device = Kept(), Device()
    proposer = make(device, kept)
    found, _ = proposer.propose({})
    assert found is not None
    kept.away = True
    proposer.begun(found, 0)
    kept.away = False
    after, _ = proposer.propose({found.digest: 0})
    assert after is not None


def test_the_costs_of_one_network_can_be_asked_for_at_once() -> None:
    device, kept = Device(), Kept()
    proposer = make(device, kept)
    architecture = proposer.catalogue.describe({"depth": 2, "widening_factor": 0.5}).architecture
    assert proposer._devices.first(architecture)["pi_ms"].deviation == 0.5
    proposer._devices.first(architecture)
    assert len(device.asked) == 1
    device.broken = True
    other = proposer.catalogue.describe({"depth": 3, "widening_factor": 0.5}).architecture
    with pytest.raises(Unmeasured, match="no route") as failed:
        proposer._devices.first(other)
    assert failed.value.name == "pi_ms"
