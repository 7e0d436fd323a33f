"""What a person writes is read, or refused in one line that says where and why."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from search.config.source import read
from search.config.study import StudyConfig, load, parse
from search.driver.inspection import look
from spaces.cost import Cost
from spaces.errors import InputError
from spaces.space import PARAMETERS

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "space.yaml").read_text(encoding="utf-8")
FILE: dict[str, Any] = yaml.safe_load(TEXT)

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Give `write(text)`: the path of a file that holds it."""

    def into_file(text: str) -> Path:
        (tmp_path / "space.yaml").write_text(text, encoding="utf-8")
        return tmp_path / "space.yaml"

    return into_file


def refusal(call: Callable[[], object], given: object = ()) -> str:
    """Return the one line with which something is refused; what was given may be repeated there, whatever it is."""
    words = str(given)
    with pytest.raises(InputError) as refused:
        call()
    message = str(refused.value)
    assert "\n" not in message
    assert len(message) < 500
    for jargon in ("Input should", "Value error", "pydantic", "Traceback", "validation error", "dict", "tuple", "None"):
        assert jargon not in message or jargon in words
    return message


def set_to(*pairs: str) -> Callable[[], object]:
    return lambda: load(ROOT / "space.yaml", pairs)


# What is right


def test_the_example_is_read_whole() -> None:
    config = load(ROOT / "space.yaml")
    assert config.study == "digits-front"
    assert config.data_spec.name == "digits"
    assert [parameter.name for parameter in config.search_space.parameters] == list(FILE["space"])
    assert config.objectives == ("accuracy", "macs")
    assert config.bounds["params"].limit == 1e6
    assert (config.scheduler.name, config.scheduler.max_epochs, config.full_recipe.epochs) == ("auto", 9, 9)
    assert config.budget.model_dump(exclude_none=True) == {"trials": 60}


@pytest.mark.slow
def test_the_example_stands_up_to_a_look() -> None:
    data, seen = look(load(ROOT / "space.yaml"))
    assert data.classes == 10
    assert 0 < seen.share_allowed <= 1


def test_what_is_left_out_is_at_its_default() -> None:
    config = parse({"study": "s", "data": "digits", "space": {"depth": {"int": [1, 2]}}})
    assert config.objectives == ("accuracy", "macs")
    assert config.budget.trials == 60
    assert config.sampler.name == "auto"
    assert config.constraints == {}


def test_a_sampler_and_a_scheduler_may_be_named_alone() -> None:
    config = parse({**FILE, "sampler": "nsga2", "scheduler": "fifo"})
    assert (config.sampler.name, config.sampler.seed) == ("nsga2", 0)
    assert (config.scheduler.name, config.scheduler.max_epochs) == ("fifo", 9)


def test_numbers_are_read_as_people_write_them(write: Write) -> None:
    text = TEXT.replace("digits-front", "s") + "recipe: {learning_rate: 1e-1, weight_decay: 5E-4, batch_size: 1e2}\n"
    recipe = load(write(text)).full_recipe
    assert (recipe.learning_rate, recipe.weight_decay, recipe.batch_size) == (0.1, 5e-4, 100)


def test_a_part_of_a_file_may_be_used_again_and_overridden(write: Write) -> None:
    text = TEXT.replace("data: digits", "data: {name: digits, augment: &how {crop: 1, flip: true}}")
    config = load(write(text), ["data.augment.crop=2"])
    assert config.data_spec.augmentation.crop == 2
    merged = TEXT.replace("{name: auto, seed: 0}", "&it {name: random}")
    merged = merged.replace("{name: auto, grace_epochs: 1,", "{<<: *it, grace_epochs: 2,")
    assert load(write(merged), ["scheduler.name=fifo"]).scheduler.grace_epochs == 2
    with pytest.raises(InputError, match=r"^scheduler.name: unknown scheduler 'random'"):
        load(write(merged))


@pytest.mark.parametrize(
    ("setting", "path", "value"),
    [
        ("scheduler.max_epochs=3", "scheduler.max_epochs", 3),
        ("budget.trials=5", "budget.trials", 5),
        ("study=other", "study", "other"),
        ("objectives=[loss, params]", "objectives", ["loss", "params"]),
        ("space.depth={int: [1, 2]}", "space.depth", {"int": [1, 2]}),
        ("space.depth.int=[2, 3]", "space.depth", {"int": [2, 3]}),
        ("sampler.seed=7", "sampler.seed", 7),
        ("recipe.learning_rate=5e-2", "recipe.learning_rate", 0.05),
        ("data.validation=0.1", "data", {"name": "digits", "validation": 0.1}),
        ("constraints.params=<= 2M", "constraints.params", "<= 2M"),
        ("checkpoints=a=b", "checkpoints", {"folder": "a=b", "limit": "20G"}),
        ("checkpoints.limit=5e9", "checkpoints", {"folder": "runs", "limit": "5000000000.0"}),
        ("checkpoints.folder=s3://bucket/a", "checkpoints.folder", "s3://bucket/a"),
    ],
)
def test_a_setting_replaces_one_leaf(setting: str, path: str, value: object) -> None:
    changed = load(ROOT / "space.yaml", [setting]).plain()
    found: Any = changed
    for part in path.split("."):
        found = found[part]
    assert found == value
    plain = load(ROOT / "space.yaml").plain()
    section = path.split(".")[0]
    assert {name: changed[name] for name in plain if name != section} == {
        name: plain[name] for name in plain if name != section
    }


def test_the_later_setting_counts_and_an_empty_section_can_be_set(write: Write) -> None:
    assert load(ROOT / "space.yaml", ["budget.trials=5", "budget.trials=6"]).budget.trials == 6
    text = re.sub(r"budget: .*", "budget:", TEXT)
    assert load(write(text), ["budget.trials=5"]).budget.trials == 5


def test_variables_are_looked_up_everywhere_and_never_kept_in_plain(write: Write) -> None:
    text = TEXT.replace("sqlite:///widefront.db", "postgresql+psycopg://ada:${SECRET}@host/db")
    text = text.replace("trials: 60", 'trials: "${TRIALS}"')
    config = load(write(text), environment={"SECRET": "hunter2", "TRIALS": "7"})
    assert config.storage == "postgresql+psycopg://ada:hunter2@host/db"
    assert config.budget.trials == 7
    assert "hunter2" not in json.dumps(config.plain())


def test_a_path_of_data_is_absolute_for_workers_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse({**FILE, "data": {"npz": "images.npz"}}).data_spec.path == str(tmp_path / "images.npz")


def test_violations_are_shares_of_the_limits() -> None:
    config = parse({**FILE, "constraints": {"params": "<= 1k", "macs": ">= 1k"}})
    cost = Cost(params=1500, macs=1500, activations=1, weight_bytes=1)
    assert config.violations(cost) == {"params": 0.5, "macs": -0.5}


def test_a_study_read_from_its_plain_values_is_the_same() -> None:
    config = parse({**FILE, "storage": "sqlite:///other.db", "space": {**FILE["space"], "shortcut": "A"}})
    again = parse(json.loads(json.dumps(config.plain())))
    assert again.plain() == config.plain()
    assert again.search_space == config.search_space
    assert "storage" not in config.plain()


# What is wrong with a value


def golden() -> list[tuple[str, str]]:
    """Return what is set and how it is refused, as it stands in the golden file."""
    lines = (ROOT / "tests" / "golden" / "refusals.txt").read_text(encoding="utf-8").splitlines()[1:]
    return [(setting, message.strip()) for setting, message in zip(lines[::2], lines[1::2], strict=True)]


@pytest.mark.parametrize(("setting", "message"), golden())
def test_what_is_wrong_is_said_in_one_line_with_its_place(setting: str, message: str) -> None:
    said = refusal(set_to(setting))
    assert said.startswith(message.removesuffix("...")) if message.endswith(", ...") else said == message


@pytest.mark.parametrize("section", ["study", "data", "space"])
def test_what_every_study_needs_is_missed(section: str) -> None:
    assert refusal(lambda: parse({name: FILE[name] for name in FILE if name != section})) == f"{section}: is missing"


def test_a_misspelt_section_is_told_before_the_one_that_is_missing_for_it() -> None:
    given = {**{name: FILE[name] for name in FILE if name != "space"}, "spaces": FILE["space"]}
    assert refusal(lambda: parse(given)).startswith("unknown key 'spaces' (did you mean 'space'?); known are study, ")


def test_a_storage_of_the_wrong_kind_does_not_show_its_password() -> None:
    assert "hunter2" not in refusal(lambda: parse({**FILE, "storage": ["postgresql://ada:hunter2@host/db"]}))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            "sampler=annealing",
            "sampler.name: unknown sampler 'annealing'; known are auto, front, ",
        ),
        (
            "sampler.name=nsga",
            "sampler.name: unknown sampler 'nsga' (did you mean 'nsga2'?); known are ",
        ),
        (
            "scheduler=hyperband",
            "scheduler.name: unknown scheduler 'hyperband'; known are auto, gain, ",
        ),
        (
            "scheduler.name=pareto",
            "scheduler.name: unknown scheduler 'pareto' (did you mean 'pareto-asha'?)",
        ),
        ("data={npz: /no/such/file.npz}", "data: /no/such/file.npz: cannot be read: No such file or directory"),
    ],
)
def test_what_only_a_look_can_tell_is_said_with_its_place(setting: str, message: str) -> None:
    assert refusal(lambda: look(load(ROOT / "space.yaml", [setting]))).replace("data./", "data: /").startswith(message)


# What is wrong with the file


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ": is not a mapping of study, data, space and so on"),
        ("- study\n- data\n", ": is not a mapping of study, data, space and so on"),
        ("just words", ": is not a mapping of study, data, space and so on"),
        ("study: [a\ndata: b", " line 2: is not YAML: expected ',' or ']', but got ':'"),
        ("study: a\n\tdata: b", " line 2: is not YAML: found character '\\t' that cannot start any token"),
        ("study: a\ndata: b\nstudy: c", " line 3: key 'study' stands twice"),
        ("study: a\nspace:\n  depth: 1\n  depth: 2", " line 4: key 'depth' stands twice"),
        ("study: a\n3: b", " line 2: key 3 is not a word (put it in quotes)"),
        ("study: a\n[b]: c", " line 2: key ['b'] is not a word (put it in quotes)"),
        ("study: *a", " line 1: is not YAML: found undefined alias 'a'"),
        ("study: a\n---\nstudy: b", " line 2: is not YAML: expected a single document in the stream but found another "
         "document"),
        ("study: !!python/object/apply:os.getcwd []", " line 1: is not YAML: could not determine a constructor for the "
         "tag 'tag:yaml.org,2002:python/object/apply:os.getcwd'"),
        ("study: \x01", ": is not YAML: unacceptable character #x0001: special characters are not allowed"),
        ("study: &a [*a]", ": a part of the file holds itself"),
        ("study: " + 700 * "[", ": is not YAML that can be read: it is nested too deeply"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_refused_with_its_line(write: Write, text: str, message: str) -> None:
    path = write(text)
    assert refusal(lambda: load(path)) == f"{path}{message}"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert refusal(lambda: load(tmp_path / "no.yaml")) == f"{tmp_path}/no.yaml: No such file or directory"
    assert refusal(lambda: load(tmp_path)) == f"{tmp_path}: Is a directory"


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "space.yaml").write_bytes(b"\xff\xfe\x00study")
    assert refusal(lambda: load(tmp_path / "space.yaml")) == f"{tmp_path}/space.yaml: is not text"


def test_a_variable_that_is_not_set_is_refused_at_its_place(write: Write) -> None:
    text = TEXT.replace("sqlite:///widefront.db", "postgresql+psycopg://${WHO}:${SECRET}@host/db")
    assert refusal(lambda: load(write(text), environment={"SECRET": "x"})) == (
        "storage: the environment variable WHO is not set"
    )
    nested = TEXT.replace("[basic, bottleneck", '[basic, "${BLOCK}"')
    assert refusal(lambda: load(write(nested), environment={})) == (
        "space.block.choice: the environment variable BLOCK is not set"
    )


# Whatever is given


WORDS = st.sampled_from([
    *StudyConfig.model_fields, *PARAMETERS, "choice", "int", "float", "when", "step", "log", "name", "digits",
    "accuracy", "macs", "<= 1e6", "none", "basic", "resnext", "trials", "max_epochs", "seed", "path", "npz", "augment",
    "limit",
])  # fmt: skip
SCALARS = st.none() | st.booleans() | st.integers(0, 9) | st.integers() | st.floats() | st.text(max_size=5) | WORDS
JUNK = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)
DOMAIN = st.fixed_dictionaries(
    {},
    optional={
        "choice": st.lists(SCALARS, max_size=4) | JUNK,
        "int": st.lists(st.integers(0, 9), min_size=2, max_size=2) | st.lists(SCALARS, max_size=3),
        "float": st.lists(st.floats(0, 1), min_size=2, max_size=2).map(sorted) | st.lists(SCALARS, max_size=3),
        "step": st.integers(1, 3) | SCALARS,
        "log": st.booleans() | SCALARS,
        "when": st.dictionaries(WORDS, SCALARS | st.lists(SCALARS, max_size=2), max_size=2) | JUNK,
    },
)
SPACE = st.dictionaries(st.sampled_from(PARAMETERS) | WORDS, DOMAIN | JUNK, max_size=4)
ANY_FILE = st.one_of(
    st.dictionaries(WORDS | st.text(), JUNK, max_size=6),
    SPACE.map(lambda space: {**FILE, "space": space}),
    SPACE.map(lambda space: {**FILE, "space": {**FILE["space"], **space}}),
    st.dictionaries(st.sampled_from(list(StudyConfig.model_fields)), JUNK, max_size=2).map(
        lambda some: {**FILE, **some}
    ),
)


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(ANY_FILE)
def test_whatever_is_given_is_read_or_refused_in_one_line(given_file: dict[str, Any]) -> None:
    try:
        config = parse(given_file)
    except InputError:
        refusal(lambda: parse(given_file), given_file)
        return
    assert parse(config.plain()).plain() == config.plain()


CHOSEN = st.lists(st.sampled_from(["basic", "resnext", "preact"]), min_size=1, unique=True)
LEARNED = {"learning_rate": st.floats(0, 1), "batch_size": st.integers(2, 99)}
SOUND = st.fixed_dictionaries(
    {
        "study": st.from_regex(r"[a-z][a-z0-9.+-]{0,9}", fullmatch=True),
        "data": st.just("digits") | st.floats(0.01, 0.99).map(lambda part: {"name": "digits", "validation": part}),
        "space": st.fixed_dictionaries(
            {"block": CHOSEN.map(lambda blocks: {"choice": blocks})},
            optional={
                "depth": st.integers(1, 9).map(lambda low: {"int": [low, 9], "step": 2}),
                "dropout_rate": st.floats(0, 0.4).map(lambda low: {"float": [low, 0.5]}),
                "widths": st.lists(st.integers(1, 64), min_size=1, max_size=5),
                "base_width": st.none() | st.integers(4, 64),
                "widening_factor": st.floats(0.25, 8) | st.integers(1, 8),
            },
        ),
        "objectives": st.permutations(["accuracy", "macs", "params"]).map(list),
    },
    optional={
        "constraints": st.dictionaries(st.sampled_from(["params", "macs"]), st.sampled_from(["<= 1e6", ">= 2k"])),
        "sampler": st.sampled_from(["tpe", {"name": "gp", "seed": 3}]),
        "budget": st.fixed_dictionaries({"hours": st.floats(0.1, 100)}),
        "recipe": st.fixed_dictionaries({}, optional=LEARNED),
    },
)


@settings(max_examples=100, deadline=None)
@given(SOUND)
def test_what_is_sound_is_read_and_its_plain_values_read_the_same(given_file: dict[str, Any]) -> None:
    config = parse(given_file)
    again = parse(json.loads(json.dumps(config.plain())))
    assert again.plain() == config.plain()
    assert again.search_space == config.search_space
    assert again.full_recipe == config.full_recipe
    assert again.data_spec == config.data_spec


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("010", 10), ("0o10", 8), ("0x1F", 31), ("-7", -7), ("1e6", 1e6), ("1.5E3", 1500.0), (".5", 0.5), ("+3", 3),
        ("1:30", "1:30"), ("1_000", "1_000"), ("0b11", "0b11"), ("2026-01-02", "2026-01-02"), ("yes", "yes"),
        ("off", "off"), ("true", True), ("False", False), ("~", None), ("null", None), ("none", "none"), ("", None),
    ],
)  # fmt: skip
def test_scalars_are_those_of_yaml_1_2(text: str, value: object, write: Write) -> None:
    found = read(write(f"study: s\nx: {text}\n"))["x"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("place", ["budget.hours", "resources.hours_per_trial"])
def test_an_hour_and_a_half_by_a_colon_is_refused_and_never_ninety(place: str, write: Write) -> None:
    with pytest.raises(InputError, match=f"^{place}: '1:30' is not a number"):
        load(write(TEXT), [f"{place}=1:30"])


def test_aliases_that_expand_without_bound_are_refused_at_once(write: Write) -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    bomb += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    with pytest.raises(InputError, match="holds more than 100,000 values once its aliases are written out"):
        load(write(bomb))


def test_a_file_of_megabytes_is_refused(write: Write) -> None:
    with pytest.raises(InputError, match=r"is longer than 1,000,000 characters, which are the most"):
        load(write("study: s\n" + "#" * 1_000_000))


@pytest.mark.parametrize(
    ("resources", "shared"),
    [
        ({}, False), ({"gpus_per_trial": 0.25}, False), ({"engine": "always"}, True),
        ({"gpus_per_trial": 0.25, "engine": "always"}, True),
        ({"gpus_per_trial": 0.25, "engine": "process"}, False), ({"gpus_per_trial": 2}, False),
    ],
)  # fmt: skip
def test_trials_share_a_process_where_they_share_a_gpu_or_where_it_is_asked_for(
    resources: dict[str, Any], shared: bool
) -> None:
    assert parse({**FILE, "resources": resources}).engine is shared


def test_an_engine_where_each_trial_has_a_gpu_to_itself_is_refused() -> None:
    told = refusal(set_to("resources.gpus_per_trial=2", "resources.engine=always"))
    why = "always is for trials that share a device, and gpus_per_trial is 2; take auto, or less than 1"
    assert told == f"resources.engine: {why}"


def test_an_unknown_sampler_or_scheduler_is_refused_where_a_file_is_read(write: Write) -> None:
    for section in ("sampler", "scheduler"):
        with pytest.raises(InputError, match=f"^{section}.*: unknown {section} 'zzz'"):
            load(write(TEXT), [f"{section}.name=zzz"])


def test_a_device_without_an_end_is_refused() -> None:
    with pytest.raises(InputError, match=r"^/dev/zero: is longer than 1,000,000 characters, which are the most$"):
        load(Path("/dev/zero"))


def test_a_file_of_too_many_values_is_refused_before_all_of_them_are_read(write: Write) -> None:
    text = "".join(f"a{number}: 1\n" for number in range(50_001)) + "] what is no YAML is never come to"
    with pytest.raises(InputError, match=r"holds more than 100,000 values$"):
        load(write(text))
