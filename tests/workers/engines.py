"""Stand in for what an engine and its actor are to those who ask: told what to tell, and ended as a process ends."""

from collections.abc import Mapping
from typing import Any

from ray.exceptions import ActorUnavailableError

from workers.serving import CPU, EngineServer


class FakeEngine:
    """Tell of each trial what a test has put there."""

    def __init__(self, **given: Any) -> None:
        self.given = given
        self.trials: dict[str, Mapping[str, Any]] = {}
        self.told: dict[str, list[dict[str, Any] | None]] = {}
        self.signed: list[tuple[str, dict[str, Any]]] = []
        self.is_lost = False

    def begin(self, ticket: str, config: Mapping[str, Any]) -> None:
        self.trials[ticket] = config

    def take(self, ticket: str, patience_s: float) -> dict[str, Any] | None:  # noqa: ARG002
        if ticket not in self.trials:
            raise KeyError(ticket)
        return self.told[ticket].pop(0)

    def signs(self) -> list[tuple[str, dict[str, Any]]]:
        signed, self.signed = self.signed, []
        return signed

    def end(self, ticket: str) -> None:
        del self.trials[ticket]


class Actor:
    """Be a server's actor whose process a test may end: another stands in its place at once, and knows nothing."""

    def __init__(self) -> None:
        self.told: dict[str, list[dict[str, Any] | None]] = {}
        self.ends: dict[str, Exception] = {}  # by a method's name, what its next call raises as the process ends
        self.asked: list[str] = []
        self.begin_anew()

    def begin_anew(self) -> None:
        self.server = EngineServer(device=CPU, threads=1, slots=2, make=FakeEngine)  # type: ignore[arg-type]
        self.engine.told = self.told

    @property
    def engine(self) -> FakeEngine:
        return self.server._engine  # type: ignore[return-value]

    def call(self, method: str, *given: Any) -> Any:
        self.asked.append(method)
        if method in self.ends:
            self.begin_anew()
            raise self.ends.pop(method)
        return getattr(self.server, method)(*given)


def unavailable() -> Exception:
    """Return what Ray raises as an actor's process ends that is begun anew."""
    return ActorUnavailableError("Socket closed", None)
