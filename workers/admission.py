"""Let trials into an engine: any number of them together, or one alone. Free of Ray and torch."""

from threading import Condition


class Admission:
    """Know who trains in an engine now.

    A trial that is tried alone waits until the others have left, and nobody enters before it meanwhile, or it might
    wait for ever. Once it has shown what it can, others may join it.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._inside: set[str] = set()
        self._alone: str | None = None  # who is inside and must have no company
        self._next: dict[str, None] = {}  # who waits to be alone, first come first

    def enter(self, ticket: str, *, alone: bool, patience_s: float) -> bool:
        """Wait to be let in, for so many seconds, and say whether it is; who is not keeps its place by asking again."""
        with self._changed:
            if ticket in self._inside:  # and the answer was lost
                return True
            if alone:
                self._next.setdefault(ticket)
            if not self._changed.wait_for(lambda: self._may(ticket, alone=alone), patience_s):
                return False
            self._next.pop(ticket, None)
            self._inside.add(ticket)
            self._alone = ticket if alone else None
            return True

    def _may(self, ticket: str, *, alone: bool) -> bool:
        if alone:
            return not self._inside and next(iter(self._next), ticket) == ticket
        return self._alone is None and not self._next

    def settle(self, ticket: str) -> None:
        """Let others join a trial that was alone until now."""
        with self._changed:
            if self._alone == ticket:
                self._alone = None
                self._changed.notify_all()

    def has(self, ticket: str) -> bool:
        """Whether a trial was let in and has not left."""
        with self._changed:
            return ticket in self._inside

    @property
    def is_empty(self) -> bool:
        """Whether nobody is inside."""
        with self._changed:
            return not self._inside

    def leave(self, ticket: str) -> None:
        """Let a trial be inside no more, nor wait."""
        with self._changed:
            self._inside.discard(ticket)
            self._next.pop(ticket, None)
            self._alone = None if self._alone == ticket else self._alone
            self._changed.notify_all()
