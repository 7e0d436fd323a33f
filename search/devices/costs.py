"""Costs that commands find on devices, by name: asked for once, and remembered by command and network."""

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol

from search.devices.bench import Measures, Unmeasured
from spaces.architecture import Architecture, ImageSpec
from workers.command import Answer, Command, Request


class Memory(Protocol):
    """Keeps what commands have found."""

    def answer(self, key: str, digest: str) -> Answer | None:
        """Return what a command has found of a network, for whatever study, if it was asked."""

    def add_answer(self, key: str, digest: str, name: str, answer: Answer) -> None:
        """Keep what it has found; what is kept already stays.

        Args:
            key: of the command.
            digest: of the network.
            name: of the objective, for people.
            answer: that the command gave.
        """


class Forgets:
    """Stands for a database where there is none."""

    def answer(self, key: str, digest: str) -> Answer | None:  # noqa: ARG002
        """Return nothing."""
        return None

    def add_answer(self, key: str, digest: str, name: str, answer: Answer) -> None:
        """Forget it."""


@dataclass(slots=True, kw_only=True)
class Devices:
    """Costs that commands find, by name; what is known of them, and what finds out more."""

    commands: Mapping[str, Command]
    image: ImageSpec
    bench: Measures
    memory: Memory
    packages: Mapping[str, str] = field(default_factory=dict)  # that networks need, with the hashes of their sources
    _known: dict[tuple[str, str], Answer] = field(default_factory=dict)  # by name and digest

    def remembered(self, name: str, digest: str) -> Answer | None:
        """Return what was found of a network, if this launch knows it."""
        return self._known.get((name, digest))

    def known(self, name: str, digest: str) -> Answer | None:
        """Return what was found of a network, if it was, in this launch or for any study before.

        Raises:
            StorageAway: the database does not tell now.
        """
        if (name, digest) not in self._known:
            found = self.memory.answer(self.commands[name].key(self.image), digest)
            if found is None:
                return None
            self._known[name, digest] = found
        return self._known[name, digest]

    def ask(self, name: str, architecture: Architecture) -> "Future[Answer]":
        """Have a network measured."""
        command = self.commands[name]
        return self.bench.ask(
            Request(command=command, architecture=architecture, image=self.image, packages=self.packages)
        )

    def keep(self, name: str, digest: str, found: Answer) -> None:
        """Remember what was found.

        Raises:
            StorageAway: the database does not take it now.
        """
        self.memory.add_answer(self.commands[name].key(self.image), digest, name, found)
        self._known[name, digest] = found

    def first(self, architecture: Architecture) -> dict[str, Answer]:
        """Return what a network costs, having waited for whatever is not known of it.

        Raises:
            Unmeasured: a command gave no number.
        """
        found: dict[str, Answer] = {}
        for name in self.commands:
            known = self.known(name, architecture.digest)
            if known is None:
                known = self._wait(name, architecture)
                self.keep(name, architecture.digest, known)
            found[name] = known
        return found

    def _wait(self, name: str, architecture: Architecture) -> Answer:
        try:
            return self.ask(name, architecture).result()
        except Unmeasured as error:
            raise Unmeasured(str(error), name=name) from error
