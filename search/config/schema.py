"""Describe a study's file as a JSON schema, by which editors complete and check it."""

from collections.abc import Iterable
from typing import Any

from search.config.study import StudyConfig
from search.samplers.registry import SAMPLERS
from search.schedulers.rungs import SCHEDULERS
from spaces.space import PARAMETERS
from workers.objectives import OBJECTIVES


def schema() -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12) of a study's file, with the names that are known."""
    described = StudyConfig.model_json_schema(by_alias=True)
    sections = described["properties"]
    sections["space"]["propertyNames"] = {"enum": list(PARAMETERS)}
    sections["objectives"]["items"] = {"enum": list(OBJECTIVES)}
    sections["constraints"]["propertyNames"] = {"enum": [name for name, each in OBJECTIVES.items() if each.static]}
    for section, form, names in (("sampler", "SamplerForm", SAMPLERS), ("scheduler", "SchedulerForm", SCHEDULERS)):
        sections[section] = _name_or_form(described["$defs"][form], f"#/$defs/{form}", names)
    sections["checkpoints"] = {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/CheckpointsForm"}]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **described, "title": "space.yaml"}


def _name_or_form(form: dict[str, Any], reference: str, names: Iterable[str]) -> dict[str, Any]:
    form["properties"]["name"]["enum"] = list(names)
    return {"anyOf": [{"enum": list(names)}, {"$ref": reference}]}
