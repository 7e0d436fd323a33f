"""Say what a study is, by its file and its images, and whether it is the one that is stored."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from search.config.identity import check_same, growth
from search.config.study import StudyConfig
from search.core.records import StudyRecord
from search.driver.survey import Survey
from search.storage.store import Store
from spaces.errors import InputError
from workers.datasets import Dataset


def begin(store: Store, config: StudyConfig, data: Dataset, seen: Survey) -> StudyRecord:
    """Return the study's record: the stored one if the file still describes it, else a new one.

    Raises:
        InputError: the name stands for a study of another file, or of other data.
    """
    stored = store.study(config.study)
    record = record_of(config, data, seen)
    if stored is None:
        store.add_study(record)
        return record
    check_study(stored, config, data)
    if changes := growth(stored, config):
        raise not_asked(stored, changes)
    kept = replace(record, bounds=stored.bounds, created_at=stored.created_at, earlier=stored.earlier)
    store.update_config(config.study, kept)
    return kept


def check_study(stored: StudyRecord, config: StudyConfig, data: Dataset) -> None:
    """Refuse a file or images that another study is about.

    Raises:
        InputError: naming what differs.
    """
    check_same(stored, config)
    if stored.fingerprint != data.fingerprint:
        raise InputError(f"the images are not those that {config.study!r} was begun with", place="data")


def not_asked(stored: StudyRecord, changes: list[str]) -> InputError:
    """Return the error of a file that makes a study another one than it was, as nobody has said that it may."""
    return InputError(
        f"{stored.name!r} was begun with another space or other constraints ({'; '.join(changes)}); "
        "--grow goes on with these and keeps every measurement; or change it back, or give it another name",
        place="study",
    )


def record_of(config: StudyConfig, data: Dataset, seen: Survey) -> StudyRecord:
    """Return what a new study of a file is."""
    bounds = {}
    for name in config.objectives:
        if (objective := config.measures[name]).counts:
            ends = seen.ends(lambda cost, objective=objective: objective.value(cost, None))  # type: ignore[misc]
            bounds[name] = (objective.value(ends[0][1], None), objective.value(ends[1][1], None))
    return StudyRecord(
        name=config.study,
        objectives=config.objectives,
        space=config.plain()["space"],
        config={**config.plain(), **_found(data), **_packages(config)},
        max_epochs=config.scheduler.max_epochs,
        rungs=config.scheduler.rungs,
        classes=data.classes,
        image=(data.image.channels, data.image.height, data.image.width),
        bounds=bounds,
        created_at=datetime.now(UTC),
        measures=config.measures,
    )


def _found(data: Dataset) -> dict[str, Any]:
    return {"fingerprint": data.fingerprint, "validation_images": len(data.val_labels)}


def _packages(config: StudyConfig) -> dict[str, Any]:
    told = {name: package.to_json() for name, package in config.packages.items()}
    return {"packages": told} if told else {}
