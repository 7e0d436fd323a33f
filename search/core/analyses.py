"""What an analysis of a study is: a kind, of which trials, by which settings, and the rows that it found."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Row = Mapping[str, Any]  # plain values by name; None: not known, or does not apply


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is analysed: equal questions have equal answers."""

    kind: str  # ensemble, lesion, filters, marginals or flow
    trials: tuple[int, ...]  # their numbers
    settings: Mapping[str, Any] = field(default_factory=dict)  # plain values
    weights: str = ""  # SHA-256 of what is analysed: weights, or what trials came to
    fingerprint: str = ""  # of the images

    @property
    def key(self) -> str:
        """Return 64 hexadecimal digits that equal questions share."""
        told = [self.kind, list(self.trials), dict(self.settings), self.weights, self.fingerprint]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """What was found."""

    question: Question
    rows: tuple[Row, ...]
    at: datetime  # UTC
    images: int = 0  # that were looked at; 0: none, as of weights alone
    device: str = ""  # that computed it; nothing: the tables told it
    took_s: float = 0.0
    kept: bool = False  # it was read, not computed

    def to_json(self, study: str, units: Mapping[str, str]) -> dict[str, Any]:
        """Return all of it as plain values.

        Args:
            study: whose it is.
            units: of the rows' numbers, by name.
        """
        asked = self.question
        return {
            "study": study, "kind": asked.kind, "trials": list(asked.trials), "settings": dict(asked.settings),
            "weights": asked.weights, "fingerprint": asked.fingerprint, "images": self.images, "device": self.device,
            "took_s": self.took_s, "at": self.at.isoformat(), "kept": self.kept, "units": dict(units),
            "rows": [dict(row) for row in self.rows],
        }  # fmt: skip
