"""Describe a study's file as a JSON schema, by which editors complete and check it."""

from typing import Any

from search.config.study import StudyConfig
from search.samplers import registry as samplers
from search.schedulers import registry as schedulers
from search.schedulers.base import keys
from spaces.space import PARAMETERS
from workers.objectives import OBJECTIVES


def schema() -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12) of a study's file, with the names that are known."""
    described = StudyConfig.model_json_schema(by_alias=True)
    sections = described["properties"]
    sections["space"]["propertyNames"] = {"enum": list(PARAMETERS)}
    sections["objectives"]["items"] = {"anyOf": [{"enum": list(OBJECTIVES)}, {"$ref": "#/$defs/CommandForm"}]}
    static = [name for name, each in OBJECTIVES.items() if each.static]
    others = [name for name in OBJECTIVES if name not in static]  # any other may be a command's
    sections["constraints"]["propertyNames"] = {"anyOf": [{"enum": static}, {"not": {"enum": others}}]}
    sections["sampler"] = _sampler(described["$defs"]["SamplerForm"])
    sections["scheduler"] = _scheduler(described["$defs"].pop("SchedulerForm"))
    sections["checkpoints"] = {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/CheckpointsForm"}]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **described, "title": "space.yaml"}


def _sampler(form: dict[str, Any]) -> dict[str, Any]:
    form["properties"]["name"]["enum"] = samplers.names()
    return {"anyOf": [{"enum": samplers.names()}, {"$ref": "#/$defs/SamplerForm"}]}


def _scheduler(form: dict[str, Any]) -> dict[str, Any]:
    """Return a name, or a form of its own for each scheduler, with the keys that it reads."""
    usual = schedulers.ALIASES[form["properties"]["name"]["default"]]
    forms = [
        {
            "title": name,
            "description": each.summary,
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "name": {"enum": [name, *schedulers.aliases(name)]},
                **{key: form["properties"][key] for key in keys(each.options_class)},
            },
            "required": [] if name == usual else ["name"],
        }
        for name, each in schedulers.SCHEDULERS.items()
    ]
    return {"anyOf": [{"enum": schedulers.names()}, *forms]}
