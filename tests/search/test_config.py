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

from search.config import StudyConfig, load, parse
from search.study import look
from spaces.cost import Cost
from spaces.errors import InputError
from spaces.space import PARAMETERS

ROOT = Path(__file__).parents[2]
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


def refusal(call: Callable[[], object]) -> str:
    """Return the one line with which something is refused."""
    with pytest.raises(InputError) as refused:
        call()
    message = str(refused.value)
    assert "\n" not in message
    assert len(message) < 400
    for jargon in ("Input should", "Value error", "pydantic", "Traceback", "validation error", "dict", "tuple", "None"):
        assert jargon not in message
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
    assert (config.scheduler.name, config.scheduler.max_epochs, config.full_recipe.epochs) == ("pareto-asha", 9, 9)
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
    merged = (
        "budget: &it {trials: 5}\n" + TEXT.replace("budget:    {trials: 60}", "") + "resources: {<<: *it, trials: 1}"
    )
    assert "resources" in refusal(lambda: load(write(merged.replace("resources: {gpus", "recipe: {gpus"))))


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
        ("checkpoints=a=b", "checkpoints", "a=b"),
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


REFUSED = [
    ("objective=[a, b]", "unknown key 'objective' (did you mean 'objectives'?); known are study, data, space, objectives, "
     "constraints, sampler, scheduler, budget, recipe, resources, storage, checkpoints"),
    ("scheduler.max_epoch=3", "scheduler: unknown key 'max_epoch' (did you mean 'max_epochs'?); known are name, "
     "grace_epochs, max_epochs, reduction_factor, keep, floor"),
    ("space.depth={int: [1, 2], steps: 1}", "space.depth: unknown key 'steps' (did you mean 'step'?); known are int, step, "
     "log, when"),
    ("space.depth={ints: [1, 2]}", "space.depth: {'ints': [1, 2]} names none of choice, int, float"),
    ("space.depth={int: [1, 2], choice: [1]}", "space.depth: unknown key 'int'; known are choice, when"),
    ("space.block={choice: [basik]}", "space.block.choice: unknown block 'basik' (did you mean 'basic'?); known are basic, "
     "bottleneck, resnext, preact, preact_bottleneck"),
    ("space.block={choice: []}", "space.block.choice: there is nothing to choose from"),
    ("space.block={choice: basic}", "space.block.choice: 'basic' is not a list"),
    ("space.block={choice: [[basic]]}", "space.block.choice: ['basic'] is not a number, a word, true or false"),
    ("space.block={choice: [basic, ]}", None),
    ("space.block={choice: [basic, null]}", "space.block.choice: is empty"),
    ("space.depth.int=[4, 1]", "space.depth.int: low 4 is above high 1"),
    ("space.depth.int=[1, 2, 3]", "space.depth.int: [1, 2, 3] is not a low and a high, such as [1, 4]"),
    ("space.depth.int=[1]", "space.depth.int: [1] is not a low and a high, such as [1, 4]"),
    ("space.depth.int=4", "space.depth.int: 4 is not a low and a high, such as [1, 4]"),
    ("space.depth.int=[a, b]", "space.depth.int: 'a' is not a whole number"),
    ("space.depth.int=[1, 2.5]", "space.depth.int: 2.5 is not a whole number"),
    ("space.depth.int=[true, 4]", "space.depth.int: true is not a number"),
    ("space.depth.int=[0, 4]", "space.depth.int: depth 0 is not a whole number of at least 1"),
    ("space.depth.step=half", "space.depth.step: 'half' is not a whole number"),
    ("space.depth.log=maybe", "space.depth.log: 'maybe' is neither true nor false"),
    ("space.dropout_rate.float=[.nan, 0.5]", "space.dropout_rate.float: nan is not a finite number"),
    ("space.dropout_rate.float=[0, .inf]", "space.dropout_rate.float: inf is not a finite number"),
    ("space.dropout_rate.float=[low, 1]", "space.dropout_rate.float: 'low' is not a number"),
    ("space.cardinality.when={dropout: none}", "space.cardinality.when.dropout: cardinality can depend only on parameters "
     "above it, and dropout is not one"),
    ("space.cardinality.when={blok: resnext}", "space.cardinality.when.blok: unknown earlier parameter 'blok' (did you mean "
     "'block'?); known are block, depth, widening_factor"),
    ("space.cardinality.when={block: [resnet]}", "space.cardinality.when.block: block cannot take 'resnet'; it takes basic, "
     "bottleneck, resnext, preact"),
    ("space.cardinality.when={block: {a: b}}", "space.cardinality.when.block: {'a': 'b'} is not a number, a word, true or "
     "false"),
    ("space.cardinality.when=resnext", "space.cardinality.when: 'resnext' is not a mapping"),
    ("space.block=basic", "space.cardinality.when.block: cardinality can depend only on parameters above it, and block is "
     "fixed"),
    ("space.widths=[16, a]", "space.widths: [16, 'a'] is neither a value nor a list of whole numbers"),
    ("space.wide={int: [1, 2]}", "space.wide: unknown parameter 'wide' (did you mean 'widths'?); known are depth, block, "
     "depths, widths, widening_factor, cardinality, base_width, shortcut, stride_in, dropout, dropout_rate, stem, stem_width"),
    ("space={}", "space: there is no parameter to search"),
    ("space=null", "space: is empty"),
    ("space=5", "space: 5 is not a mapping"),
    ("objectives=[accuracy]", "objectives: a front needs at least two different objectives"),
    ("objectives=[macs, macs]", "objectives: a front needs at least two different objectives"),
    ("objectives=[params, macs]", "objectives: at least one objective must be revealed by training, such as accuracy"),
    ("objectives=[accuracy, mac]", "objectives: unknown objective 'mac' (did you mean 'macs'?); known are accuracy, loss, "
     "params, macs, activations, weight_bytes"),
    ("objectives=accuracy", "objectives: 'accuracy' is not a list"),
    ("objectives=[accuracy, 3]", "objectives: 3 is not text; put it in quotes"),
    ("constraints.accuracy=>= 0.9", None),
    ("constraints.accuracy='>= 0.9'", "constraints.accuracy: is known only after training; constraints are checked before"),
    ("constraints.param=<= 1e6", "constraints.param: unknown constraint 'param' (did you mean 'params'?); known are params, "
     "macs, activations, weight_bytes"),
    ("constraints.params=about a million", "constraints.params: 'about a million' is not a bound above 0 such as \"<= 1e6\" "
     "or \"<= 1.5M\""),
    ("constraints.params=1000", "constraints.params: 1000 is not text; put it in quotes"),
    ("constraints=[params]", "constraints: ['params'] is not a mapping"),
    ("sampler.seed=-1", "sampler.seed: -1 is below 0"),
    ("sampler.seed=1e10", "sampler.seed: 10000000000.0 is not below 2.14748e+09"),
    ("sampler.name=3", "sampler.name: 3 is not text; put it in quotes"),
    ("sampler=[tpe]", "sampler: ['tpe'] is not a mapping"),
    ("scheduler.grace_epochs=10", "scheduler.grace_epochs: grace_epochs 10 is above max_epochs 9"),
    ("scheduler.max_epochs=0", "scheduler.max_epochs: 0 is below 1"),
    ("scheduler.max_epochs=2.5", "scheduler.max_epochs: 2.5 is not a whole number"),
    ("scheduler.max_epochs=true", "scheduler.max_epochs: true is not a number"),
    ("scheduler.reduction_factor=1", "scheduler.reduction_factor: 1 is not above 1"),
    ("scheduler.keep=2", "scheduler.keep: 2 is above 1"),
    ("scheduler.floor=1", "scheduler.floor: 1 is not below 1"),
    ("scheduler=null", "scheduler: is empty"),
    ("budget={}", "budget: name at least one of trials, epochs, hours"),
    ("budget.trials=null", "budget: name at least one of trials, epochs, hours"),
    ("budget.trials=0", "budget.trials: 0 is below 1"),
    ("budget.trials=many", "budget.trials: 'many' is not a whole number"),
    ("budget.hours=0", "budget.hours: 0 is not above 0"),
    ("budget.gpu_hour=3", "budget: unknown key 'gpu_hour' (did you mean 'hours'?); known are trials, epochs, hours"),
    ("budget=60", "budget: 60 is not a mapping"),
    ("recipe.learning_rate=-1", "recipe.learning_rate: -1.0 is not a number of at least 0"),
    ("recipe.learning_rate=.nan", "recipe.learning_rate: nan is not a finite number"),
    ("recipe.precision=half", "recipe.precision: 'half' is not 'auto', 'float32' or 'bfloat16'"),
    ("recipe.batch_size=1", "recipe.batch_size: 1 is below 2"),
    ("recipe.momentum=1", "recipe.momentum: 1.0 is not at least 0 and below 1"),
    ("resources.cpus_per_trial=0", "resources.cpus_per_trial: 0 is below 1"),
    ("resources.gpus_per_trial=1.5", "resources.gpus_per_trial: 1.5 is neither at most 1 nor a whole number"),
    ("resources.concurrent_trials=0", "resources.concurrent_trials: 0 is below 1"),
    ("study=a/b", "study: 'a/b' is no name: at most 100 letters, digits and _ . + - make one, the first no sign"),
    ("study=''", "study: '' is no name: at most 100 letters, digits and _ . + - make one, the first no sign"),
    ("study=..", "study: '..' is no name: at most 100 letters, digits and _ . + - make one, the first no sign"),
    ("study=3", "study: 3 is not text; put it in quotes"),
    ("study=2026-01-02", "study: 2026-01-02 is not text; put it in quotes"),
    ("data=digit", "data: unknown data set 'digit'; did you mean 'digits'?"),
    ("data=3", "data: 3 is neither a data set's name nor a mapping such as {npz: file.npz}"),
    ("data=null", "data: is empty"),
    ("data={npz: x.npz, limits: 3}", "data: unknown key 'limits'; did you mean 'limit'?"),
    ("data.validation=2", "data.validation: 2 is not a fraction between 0 and 1"),
    ("data.augment={crop: -1}", "data.augment.crop: -1 is not a whole number of pixels, 0 or more"),
    ("storage=3", "storage: what is given is not text; put it in quotes"),
    ("checkpoints=null", "checkpoints: is empty"),
    ("nonsense", "--set: 'nonsense' is not of the form section.key=value"),
    ("=3", "--set: '=3' is not of the form section.key=value"),
    ("objectives=[accuracy, macs", "--set objectives: is not YAML: expected ',' or ']', but got '<stream end>'"),
    ("budget={trials: 1, trials: 2}", "--set budget: key 'trials' stands twice"),
    ("budget={1: 2}", "--set budget: key 1 is not a word (put it in quotes)"),
]  # fmt: skip


@pytest.mark.parametrize(("setting", "message"), [pair for pair in REFUSED if pair[1]])
def test_what_is_wrong_is_said_in_one_line_with_its_place(setting: str, message: str) -> None:
    assert refusal(set_to(setting)) == message


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
        ("sampler=annealing", "sampler.name: unknown sampler 'annealing'; known are auto, random, tpe, nsga2, gp"),
        (
            "sampler.name=nsga",
            "sampler.name: unknown sampler 'nsga' (did you mean 'nsga2'?); known are auto, random, tpe, ",
        ),
        ("scheduler=hyperband", "scheduler.name: unknown scheduler 'hyperband'; known are pareto-asha, asha, fifo"),
        (
            "scheduler.name=pareto",
            "scheduler.name: unknown scheduler 'pareto' (did you mean 'pareto-asha'?); known are ",
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
        ("study: a\n---\nstudy: b", " line 2: is not YAML: expected a single document in the stream but found another document"),
        ("study: !!python/object/apply:os.getcwd []", " line 1: is not YAML: could not determine a constructor for the tag "
         "'tag:yaml.org,2002:python/object/apply:os.getcwd'"),
        ("study: \x01", ": is not YAML: unacceptable character #x0001: special characters are not allowed"),
        ("study: 2026-13-45", ": is not YAML: month must be in 1..12"),
        ("study: &a [*a]", ": a part of the file holds itself"),
        ("study: " + 5000 * "[", ": is not YAML that can be read: it is nested too deeply"),
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
    nested = TEXT.replace("[basic, bottleneck", "[basic, ${BLOCK}")
    assert refusal(lambda: load(write(nested), environment={})) == (
        "space.block.choice: the environment variable BLOCK is not set"
    )


# Whatever is given


WORDS = st.sampled_from([
    *StudyConfig.model_fields, *PARAMETERS, "choice", "int", "float", "when", "step", "log", "name", "digits", "accuracy",
    "macs", "<= 1e6", "none", "basic", "resnext", "trials", "max_epochs", "seed", "path", "npz", "augment", "limit",
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
    except InputError as refused:
        assert "\n" not in str(refused)
        return
    assert parse(config.plain()).plain() == config.plain()


SOUND = st.fixed_dictionaries(
    {
        "study": st.from_regex(r"[a-z][a-z0-9.+-]{0,9}", fullmatch=True),
        "data": st.just("digits") | st.fixed_dictionaries({"name": st.just("digits"), "validation": st.floats(0.01, 0.99)}),
        "space": st.fixed_dictionaries(
            {"block": st.lists(st.sampled_from(["basic", "resnext", "preact"]), min_size=1, unique=True).map(
                lambda blocks: {"choice": blocks}
            )},
            optional={
                "depth": st.tuples(st.integers(1, 4), st.integers(4, 9)).map(lambda ends: {"int": list(ends), "step": 2}),
                "dropout_rate": st.tuples(st.floats(0, 0.4), st.floats(0.5, 0.9)).map(lambda ends: {"float": list(ends)}),
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
        "recipe": st.fixed_dictionaries({}, optional={"learning_rate": st.floats(0, 1), "batch_size": st.integers(2, 99)}),
    },
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(SOUND)
def test_what_is_sound_is_read_and_its_plain_values_read_the_same(given_file: dict[str, Any]) -> None:
    config = parse(given_file)
    again = parse(json.loads(json.dumps(config.plain())))
    assert again.plain() == config.plain()
    assert again.search_space == config.search_space
    assert again.full_recipe == config.full_recipe
    assert again.data_spec == config.data_spec
