"""An agent searches by a real client of the protocol, within the allowance that a person has set."""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from search.allowance import DATABASE, Allowance, allowed
from search.core.analyses import Analysis, Question
from search.core.records import State
from search.mcp import Desk, main, server
from search.storage.analyses import Analyses
from search.storage.store import Store
from spaces.errors import InputError, StudyError
from tests import factories
from tests.end_to_end.conftest import SMALL

Ask = Callable[..., Awaitable[dict[str, Any]]]


def by_client(folder: Path, story: Callable[[Ask], Awaitable[None]], *options: str) -> None:
    """Let a client start the server as an agent's program would, and tell it a story."""
    from mcp import Client, StdioServerParameters

    async def run() -> None:
        arguments = ["-m", "search.mcp", "--folder", str(folder), *options]
        given = StdioServerParameters(command=sys.executable, args=arguments, cwd=Path.cwd())
        async with Client(given) as client:

            async def ask(tool: str, **arguments: Any) -> dict[str, Any]:
                found = await client.call_tool(tool, arguments)
                assert found.content[0].text.startswith("{"), found  # type: ignore[union-attr]
                told: dict[str, Any] = json.loads(found.content[0].text)  # type: ignore[union-attr]
                return told

            names = {tool.name for tool in (await client.list_tools()).tools}
            assert names == {"look", "start", "follow", "front", "pick", "confirm", "export", "analyse", "stop"}
            await story(ask)

    asyncio.run(run())


def write(folder: Path, **changes: Any) -> None:
    (folder / "space.yaml").write_text(yaml.safe_dump({**SMALL, "storage": DATABASE, **changes}))


@pytest.mark.slow
@pytest.mark.cluster
def test_an_agent_looks_starts_follows_picks_and_exports_and_cannot_raise_its_allowance(tmp_path: Path) -> None:
    write(tmp_path, scheduler={"name": "fifo", "max_epochs": 2}, budget={"trials": 50})

    async def story(ask: Ask) -> None:
        seen = await ask("look", file="space.yaml")
        assert any(line.startswith("smallest") for line in seen["preview"])
        begun = await ask("start", file="space.yaml")
        assert begun["budget"] == {"budget.trials": 3, "budget.hours": 0.5}
        assert "at work" in (await ask("start", file="space.yaml"))["error"]
        end = time.monotonic() + 240
        while (stands := await ask("follow"))["at_work"] and time.monotonic() < end:
            await asyncio.sleep(1)
        assert stands["trials"]["complete"] == 3, stands
        assert stands["left"]["trials"] == 0
        last = stands["events"][-1]["number"]
        assert (await ask("follow", after=last))["events"] == []
        for settings in ([], ["study=other"], ["budget.trials=99"]):
            assert "the allowance is spent" in (await ask("start", file="space.yaml", settings=settings))["error"]
        front = (await ask("front"))["front"]
        picked = (await ask("pick", under="macs <= 1G"))["pick"]
        assert picked["trial"] == front[-1]["trial"]
        handed = await ask("export", trial=picked["trial"])
        assert "weights.safetensors" in handed["files"]
        assert "error" in await ask("export", trial=99)

    by_client(tmp_path, story, "--trials", "3", "--hours", "0.5")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Return a desk in a folder with a study of three trials, of which two are trained again."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path)
    study = factories.study("small")
    with Store.open(DATABASE) as store:
        store.add_study(study)
        for number, accuracies in enumerate([(0.5,) * 9, (0.9,) * 9, (0.1,)]):
            state = State.COMPLETE if len(accuracies) == 9 else State.STOPPED
            cost = factories.trial(0).cost
            cost = type(cost)(**{**cost.to_json(), "macs": 10_000 * (number + 1)})
            store.add_trial("small", factories.trial(number, accuracies, state=state, cost=cost))
    return Desk(Allowance(trials=10, hours=1.0, trainings=4))


def test_what_is_left_is_what_all_studies_have_not_spent(desk: Desk) -> None:
    assert desk._left() == {"trials": 7, "hours": 1.0, "trainings": 4}
    with Store.open(DATABASE) as store:
        store.add_study(factories.study("other"))
        for number in range(5):
            store.add_trial("other", factories.trial(number))
    assert desk._left()["trials"] == 2
    config = allowed("space.yaml", ["study=small"])
    assert (
        desk.allowance.bounds(config, desk._spent())["budget.trials"] == 5
    )  # three of its own and the two that are left


def test_the_front_and_a_pick_are_short_and_say_units(desk: Desk) -> None:
    found = desk.front()
    assert found["units"] == {"accuracy": "fraction", "macs": "count per image"}
    assert [network["trial"] for network in found["front"]] == [0, 1]
    assert desk.pick(under="macs <= 10k")["pick"]["trial"] == 0
    assert desk.pick()["pick"]["trial"] in (0, 1)
    assert len(json.dumps(found)) < 1000


@pytest.mark.parametrize(
    ("file", "settings", "said"),
    [
        ("../elsewhere.yaml", [], "is outside of the folder"),
        ("/etc/passwd", [], "is outside of the folder"),
        ("space.yaml", ["storage=sqlite:///mine.db"], "storage is the person's to set"),
        ("space.yaml", ["plugins=[os]"], "plugins is the person's to set"),
        ("space.yaml", ["callbacks=[os:system]"], "callbacks is the person's to set"),
        ("space.yaml", ["space.network=os:system"], "network"),
        ("space.yaml", ["objectives=[accuracy, {name: x, command: rm, unit: y}]"], "no command is"),
        ("space.yaml", ['objectives=[accuracy, {name: x, "comm\\u0061nd": rm, unit: y}]'], "no command is"),
        ("space.yaml", ['space={"netw\\u006frk": "os:system", width: {int: [1, 2]}}'], "no command is"),
        ("space.yaml", ["objectives={name: x, command: rm, unit: y}"], "no command is"),
        ("space.yaml", ["study=${HOME}"], "study: variables of the environment"),
        ("space.yaml", ['study="\\u0024{HOME}"'], "study: variables of the environment"),
        ("space\0.yaml", [], "is no name of a file"),
        ("nowhere.yaml", [], "nowhere.yaml"),
    ],
)
def test_what_is_the_persons_is_refused(desk: Desk, file: str, settings: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        desk.start(file, settings)


@pytest.mark.usefixtures("desk")
def test_a_command_and_a_variable_of_the_persons_own_stay_and_a_name_may_hold_any_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NAMED", "mine")
    asked = {"name": "x", "command": "echo {digest}", "unit": "y"}
    write(Path.cwd(), objectives=["accuracy", asked], study="${NAMED}")
    assert allowed("space.yaml", ["objectives=[accuracy, macs]"]).objectives == ("accuracy", "macs")
    assert allowed("space.yaml", ["budget.trials=3"]).study == "mine"
    assert allowed("space.yaml", ["study=my-network"]).study == "my-network"


def test_what_starts_trains_nothing_beyond_the_allowance_of_trainings(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[tuple[str, ...]] = []
    monkeypatch.setattr(Desk, "_begin", lambda _desk, *arguments: begun.append(arguments))
    write(Path.cwd(), confirm={"seeds": 50})
    desk.start("space.yaml")
    assert "confirm.seeds=0" in begun[0]


def test_one_thing_is_at_work_in_a_folder_also_where_its_server_has_died(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("slow.py").write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    desk._begin("slow")
    other = Desk(desk.allowance)
    for ask in (lambda: other.start("space.yaml"), other.confirm):
        with pytest.raises(StudyError, match="another server's study is at work"):
            ask()
    assert desk._at_work is not None
    desk._at_work.kill()
    desk._at_work.wait()
    other._check_idle()


def test_a_study_in_another_database_is_refused_since_nobody_would_count_it(desk: Desk, tmp_path: Path) -> None:
    write(tmp_path, storage="sqlite:///other.db")
    with pytest.raises(InputError, match=f"storage has to be {DATABASE}"):
        desk.look("space.yaml")


def test_nothing_is_confirmed_beyond_the_allowance(desk: Desk) -> None:
    desk.allowance = Allowance(trials=10, hours=1.0, trainings=0)
    with pytest.raises(StudyError, match="the allowance of 0 trainings is spent"):
        desk.confirm()


def analysed(monkeypatch: pytest.MonkeyPatch, took_s: float) -> list[tuple[str, ...]]:
    """Let what would be run keep an analysis that took so long; give how it was asked for."""
    asked = list[tuple[str, ...]]()

    def run(_desk: Desk, *arguments: str, limit_s: float) -> str:
        asked.append((*arguments, f"{limit_s:.0f}"))
        if took_s < 0:
            raise StudyError("it failed")
        found = Analysis(question=Question(kind="filters", trials=(len(asked),)), rows=(), took_s=took_s,
                         at=factories.STARTED)  # fmt: skip
        with Store.open(DATABASE) as store:
            Analyses(store, "small").add(found)
        return json.dumps([{"rows": []}])

    monkeypatch.setattr(Desk, "_run", run)
    return asked


def test_what_is_analysed_counts_in_the_hours_and_ends_with_them(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = analysed(monkeypatch, 2700.0)
    assert desk.analyse("filters", trial=1) == {"rows": []}
    assert desk._left()["hours"] == 0.25
    desk.analyse("speed", networks=["wrn-16-1", "resnet-20 order=full"])
    assert asked[0] == ("search.analyse", "filters", DATABASE, "--study", "small", "--json", "--trial", "1", "3600")
    assert asked[1][-4:] == ("--networks", "wrn-16-1", "resnet-20 order=full", "900")
    with pytest.raises(StudyError, match="hours of the allowance are spent"):
        desk.analyse("filters", trial=1)


def test_an_analysis_that_fails_counts_as_long_as_it_took(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    analysed(monkeypatch, -1)
    clock = iter([0.0, 1800.0])
    monkeypatch.setattr("search.mcp.time.monotonic", lambda: next(clock))
    with pytest.raises(StudyError, match="it failed"):
        desk.analyse("filters", trial=1)
    assert desk._left()["hours"] == 0.5
    desk._check_idle()


@pytest.mark.parametrize(
    ("kind", "networks", "said"),
    [("--help", [], "unknown analysis"), ("speed", ["--device"], "no name of a network"),
     ("speed", ["/etc/hosts.json"], "no name of a network")],
)  # fmt: skip
def test_no_option_and_no_file_is_given_as_a_kind_or_a_network(
    desk: Desk, kind: str, networks: list[str], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        desk.analyse(kind, networks=networks)


def test_stopping_what_is_not_at_work_does_nothing(desk: Desk) -> None:
    assert desk.stop() == {"stopped": False}


def test_the_package_is_named_where_it_is_missing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mcp.server", None)
    with pytest.raises(InputError, match=r"pip install 'widefront\[agents\]'"):
        server(desk)


def test_an_allowance_has_to_be_given(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--trials", "3"])
    assert "--hours" in capsys.readouterr().err


def test_what_is_spent_is_read_once_however_many_studies_there_are(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store.open(DATABASE) as store:
        for name in ("second", "third"):
            store.add_study(factories.study(name))
    opened: list[str] = []
    reading = Store.reading
    monkeypatch.setattr(Store, "reading", lambda url, warn: opened.append(url) or reading(url, warn))
    assert desk._left()["trials"] == 7
    assert opened == [DATABASE]
    desk.follow("small")
    assert opened == [DATABASE] * 2
