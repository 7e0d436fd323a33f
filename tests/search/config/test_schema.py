"""The published schema is that of the code, and agrees with it about what a study's file may hold."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from search.config.schema import schema
from search.config.study import parse
from search.samplers.registry import SAMPLERS
from search.schedulers.base import Options, keys
from search.schedulers.registry import SCHEDULERS
from search.schema import main
from spaces.errors import InputError

ROOT = Path(__file__).parents[3]
EXAMPLE: dict[str, Any] = yaml.safe_load((ROOT / "space.yaml").read_text(encoding="utf-8"))


def test_the_published_schema_is_up_to_date() -> None:
    published = json.loads((ROOT / "space.schema.json").read_text(encoding="utf-8"))
    assert published == schema(), "run `python -m search.schema > space.schema.json`"


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(schema())
    assert schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_the_command_prints_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert json.loads(capsys.readouterr().out) == schema()


GOOD: list[dict[str, Any]] = [
    {},
    {"sampler": "tpe", "scheduler": "asha"},
    {"data": {"npz": "images.npz", "validation": 0.1}},
    {"budget": {"hours": 1.5, "trials": None}},
    {"space": {"depth": 2, "widths": [8, 16], "base_width": None, "block": {"choice": ["basic"]}}},
    {"space": {"widening_factor": {"float": [0.5, 2], "log": True}, "stem_width": {"int": [8, 32], "step": 8}}},
    {"recipe": {"precision": "bfloat16", "batch_size": 128}},
    {"constraints": {}},
    {"checkpoints": "s3://bucket/a"},
    {"checkpoints": {"folder": "runs", "limit": "20G"}},
    {"checkpoints": {"limit": 5e9}},
]


@pytest.mark.parametrize("sections", GOOD)
def test_what_a_study_takes_the_schema_takes(sections: dict[str, Any]) -> None:
    parse({**EXAMPLE, **sections})
    Draft202012Validator(schema()).validate({**EXAMPLE, **sections})
    Draft202012Validator(schema()).validate(parse({**EXAMPLE, **sections}).plain())


BAD: list[dict[str, Any]] = [
    {"objective": ["accuracy", "macs"]},
    {"study": "a/b"},
    {"study": 3},
    {"data": 3},
    {"space": {"depht": {"int": [1, 4]}}},
    {"space": {"depth": {"int": [1, 2, 3]}}},
    {"space": {"depth": {"int": ["a", "b"]}}},
    {"space": {"depth": {"int": [1, 2], "steps": 1}}},
    {"space": {"depth": {"ints": [1, 2]}}},
    {"objectives": ["accuracy", "mac"]},
    {"objectives": "accuracy"},
    {"constraints": {"accuracy": "> 0.9"}},
    {"sampler": "annealing"},
    {"sampler": {"name": "annealing"}},
    {"scheduler": {"max_epoch": 3}},
    {"scheduler": {"max_epochs": 0}},
    {"scheduler": {"max_epochs": 2.5}},
    {"budget": {"trials": 0}},
    {"budget": {"hours": 0}},
    {"recipe": {"precision": "half"}},
    {"resources": {"cpus_per_trial": 0}},
    {"checkpoints": 3},
    {"checkpoints": {"limits": "20G"}},
    {"checkpoints": {"limit": [20]}},
]


@pytest.mark.parametrize("sections", BAD)
def test_what_the_schema_refuses_a_study_refuses(sections: dict[str, Any]) -> None:
    assert not Draft202012Validator(schema()).is_valid({**EXAMPLE, **sections})
    if sections.get("sampler") not in ("annealing", {"name": "annealing"}):  # refused when the study is looked over
        with pytest.raises(InputError):
            parse({**EXAMPLE, **sections})


def test_each_scheduler_has_a_form_of_its_own() -> None:
    forms = {form["title"]: form for form in schema()["properties"]["scheduler"]["anyOf"][1:]}
    assert forms.keys() == SCHEDULERS.keys()
    for name, form in forms.items():
        assert set(form["properties"]) == {"name", *keys(SCHEDULERS[name].options_class)}
    check = Draft202012Validator(schema())
    assert check.is_valid({**EXAMPLE, "scheduler": {"share": 0.5}})
    assert check.is_valid({**EXAMPLE, "scheduler": {"name": "median", "min_trials": 3}})
    assert not check.is_valid({**EXAMPLE, "scheduler": {"name": "fifo", "keep": 0.5}})
    assert not check.is_valid({**EXAMPLE, "scheduler": {"keep": 0.5}})


def test_the_readme_names_every_sampler_and_scheduler_with_its_keys() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name, each in SCHEDULERS.items():
        own = ", ".join(f"`{key}`" for key in keys(each.options_class) if key not in keys(Options))
        assert f"| `{name}` | {each.summary} | {own} |\n" in readme
    for sampler, entry in SAMPLERS.items():
        assert f"| `{sampler}` | {entry.summary} |\n" in readme
