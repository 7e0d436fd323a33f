"""Read a study's file again from the database that it was launched into."""

import os
from collections.abc import Mapping
from pathlib import Path

from search.config.source import expand_all
from search.config.study import StudyConfig, parse
from search.core.records import StudyRecord

FOUND = (
    "fingerprint",
    "validation_images",
    "packages",
)  # beside the file's sections, as they were found when the study was begun


def stored(study: StudyRecord, storage: str, environment: Mapping[str, str] | None = os.environ) -> StudyConfig:
    """Return what a study was last launched with.

    Args:
        study: the record.
        storage: the address that it was read from, as it was written: a study does not keep it.
        environment: where `${NAME}` is looked up.

    Raises:
        InputError: this version reads it differently, or a variable is not set.
    """
    known = {name: value for name, value in study.config.items() if name not in FOUND}
    given = {**known, "study": study.name, "storage": storage}
    config = parse(expand_all(given, environment, Path(study.name)))
    config._storage_text, config._written = storage, given
    return config
