"""The server answers browsers of this machine alone, lets a page do no more than it needs, and events pass at once."""

import asyncio
import json
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from dashboards import theme
from dashboards.live import __main__ as command
from dashboards.live.acting import Acting
from dashboards.live.feed import Feed
from dashboards.live.server import HERE, application
from search.storage import requests
from search.storage.url import typed
from tests.dashboards.live.conftest import NAME, Written, server
from tests.dashboards.test_contrast import contrast, parsed

Get = Callable[..., httpx.Response]


@pytest.fixture
def get(written: Written) -> Iterator[Get]:
    """Give `get(path, host="127.0.0.1")`: what the server answers."""
    written.begin()
    feed = Feed(written.url, None)
    feed.look()
    app = application(feed)

    def ask(path: str, host: str = "127.0.0.1:8480") -> httpx.Response:
        async def asked() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
                return await client.get(path, headers={"Host": host})

        return asyncio.run(asked())

    yield ask
    feed.close()


def test_every_answer_keeps_the_browser_from_doing_more(get: Get) -> None:
    for path in ("/", "/state", "/static/live.js", "/colours.css", "/nowhere", "/trial?number=x"):
        policy = get(path).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert get(path).headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("host", ["127.0.0.1:8480", "localhost:9", "[::1]:8480", "LOCALHOST"])
def test_a_browser_of_this_machine_is_answered(get: Get, host: str) -> None:
    assert get("/state", host).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "0.0.0.0:8480", ""])
def test_a_page_of_another_name_that_leads_here_is_refused(get: Get, host: str) -> None:
    assert get("/state", host).status_code == 400
    assert "digits" not in get("/state", host).text


def test_the_page_names_no_address_but_relative_ones(get: Get) -> None:
    page = get("/").text
    found = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(found) == 4
    assert not [each for each in found if each.startswith(("/", "http"))]
    assert "style=" not in page
    assert "<script>" not in page
    for script in (HERE / "static").glob("*.js"):
        text = script.read_text(encoding="utf-8")
        assert not re.search(
            r"""fetch\(["'`]/|https?://(?!www\.w3\.org/2000/svg)|innerHTML|insertAdjacentHTML|eval\(""", text
        ), script


def test_a_hostile_name_is_text(tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>"
    written = Written(f"sqlite:///{tmp_path}/study.db", hostile)
    feed = Feed(written.url, None)
    feed.look()

    async def page() -> str:
        transport = httpx.ASGITransport(application(feed))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return (await client.get("/")).text

    text = asyncio.run(page())
    assert hostile not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    feed.close()
    written.close()


def test_a_number_that_is_none_is_refused(get: Get) -> None:
    assert get("/events?after=x&label=y").status_code == 400
    assert get(f"/events?after={'9' * 5000}").status_code == 400


def test_a_trial_is_told_and_one_that_is_not_there_is_not(get: Get) -> None:
    assert get("/trial?number=0").json()["number"] == 0
    assert get("/trial?number=7").status_code == 404
    assert get("/trial?number=7.5").status_code == 400
    assert get("/trial").status_code == 400
    assert get(f"/trial?number={10**30}").status_code == 400


@pytest.mark.parametrize("named", [theme.LIGHT, theme.DARK], ids=["light", "dark"])
def test_every_colour_is_read_and_every_mark_is_seen(named: dict[str, str]) -> None:
    ground, raised = parsed(named["ground"])[0], parsed(named["raised"])[0]
    for name in ("ink", "quiet", "accent"):
        assert contrast(parsed(named[name])[0], ground) >= 4.5
        assert contrast(parsed(named[name])[0], raised) >= 4.5
    for name in ("front", "dominated", "stopped", "running", "failed", "other", "rule"):
        assert contrast(parsed(named[name])[0], ground) >= 3, name


def test_colours_are_those_of_the_figures(get: Get) -> None:
    sheet = get("/colours.css").text
    assert f"--front: {theme.FRONT};" in sheet
    assert "prefers-color-scheme: dark" in sheet
    named = set(re.findall(r"var\(--(\w+)\)", (HERE / "static" / "live.css").read_text(encoding="utf-8")))
    assert named <= theme.LIGHT.keys()


@pytest.mark.slow
def test_events_come_as_they_happen_and_from_where_a_browser_was(written: Written) -> None:
    written.begin()
    with server(written.url) as address, httpx.Client(base_url=address, timeout=60) as client:
        begun = client.get("state").json()
        while "study" not in begun:
            begun = client.get("state").json()
        asked = {"study": NAME, "after": begun["seq"], "label": begun["study"]["label"]}
        written.train(0, 0.5)
        first = until_update(client, asked)
        assert [event["kind"] for event in first[1]["events"]] == ["measured"]
        written.train(0, 0.6)
        second = until_update(client, asked, {"Last-Event-ID": first[0]})  # which is what counts
        assert [event["seq"] for event in second[1]["events"]] == [int(first[0]) + 1]


def until_update(
    client: httpx.Client, asked: dict[str, Any], headers: dict[str, str] | None = None
) -> tuple[str, dict[str, Any]]:
    """Return number and data of the first update that is sent."""
    with client.stream("GET", "events", params=asked, headers=headers or {}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["x-accel-buffering"] == "no"
        told: dict[str, str] = {}
        for line in answer.iter_lines():
            name, _, value = line.partition(": ")
            told[name] = value
            if not line and told.get("event") == "update":
                return told["id"], json.loads(told["data"])
            told = told if line else {}
    raise AssertionError("no update came")


TOKEN = "a-token-that-nobody-guesses"
HERE_NOW = {"Host": "127.0.0.1:8480", "Origin": "http://127.0.0.1:8480", "X-Widefront-Token": TOKEN}
Post = Callable[..., httpx.Response]


@pytest.fixture
def post(written: Written) -> Iterator[Post]:
    """Give `post({"kind": "pause"}, Origin=None)`: what the server answers; headers replace those of its own page."""
    written.begin()
    feed = Feed(written.url, None)
    feed.look()
    app = application(feed, acting=Acting(written.url, TOKEN, behind=["public.example"], seen=feed.look))

    def ask(told: object, path: str = "/act", method: str = "POST", **headers: str | None) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"Content-Type": "application/json", **HERE_NOW, **named}
        content = told if isinstance(told, bytes) else json.dumps(told).encode()

        async def asked() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
                kept = {name: value for name, value in sent.items() if value is not None}
                return await client.request(method, path, content=content, headers=kept)

        return asyncio.run(asked())

    yield ask
    feed.close()


def asked_of(written: Written) -> list[str]:
    return [str(each) for each in requests.requests(written.store, NAME)]


PAUSE = {"kind": "pause", "study": NAME}


def test_who_shows_the_token_from_this_page_asks_and_notes(post: Post, written: Written) -> None:
    written.alive()
    assert post(PAUSE).json() == {"said": "asked: pause"}
    assert post({"kind": "stop", "study": NAME, "values": {"trial": 0}}).json() == {"said": "asked: stop trial 0"}
    assert post({"kind": "note", "study": NAME, "trial": 0, "text": "<b>"}).status_code == 200
    assert post({"kind": "star", "study": NAME, "trial": 0}).json() == {"said": "noted of trial 0"}
    assert asked_of(written) == ["pause", "stop trial 0"]
    told = post(None, path="/trial?number=0", method="GET").json()
    assert (told["star"], told["note"]) == (True, "<b>")
    assert post(PAUSE, Origin="https://public.example").status_code == 200
    assert post(PAUSE, Host="[::1]:8480", Origin="http://[::1]:8480").status_code == 200


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"X_Widefront_Token": None}, 403),
        ({"X_Widefront_Token": TOKEN[:-1]}, 403),
        ({"X_Widefront_Token": TOKEN + "x"}, 403),
        ({"Origin": None}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:3000"}, 403),
        ({"Origin": "http://127.0.0.1:8480.evil.example"}, 403),
        ({"Origin": "http://[127.0.0.1:8480"}, 403),
        ({"Host": "evil.example", "Origin": "http://evil.example"}, 400),
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Type": "application/x-www-form-urlencoded"}, 415),
    ],
)
def test_whoever_else_asks_is_refused_and_nothing_is_written(
    headers: dict[str, str | None], code: int, post: Post, written: Written
) -> None:
    given = {name: value for name, value in headers.items() if name != "Content_Type"}
    kind = headers.get("Content_Type")
    answer = post(PAUSE, **given, **({"Content-Type": kind} if kind else {}))
    assert answer.status_code == code
    assert asked_of(written) == []


@pytest.mark.parametrize(
    ("told", "code", "said"),
    [
        (b"{", 400, "a JSON object is required"),
        ([1], 400, "a JSON object is required"),
        (b"[" * 15_000, 400, "a JSON object is required"),
        (b"x" * 30_000, 413, "at most 20000 bytes"),
        ({"kind": "pause"}, 400, "name a study"),
        ({"kind": ["pause"], "study": NAME}, 400, "unknown request"),
        ({"kind": "train", "study": NAME, "values": {"params": {"depth": 1}}}, 400, "text: a text is required"),
        ({"kind": "train", "study": "another", "text": "depth: 1"}, 400, "unknown study"),
        ({"kind": "export", "study": "another", "trial": 0}, 400, "unknown study"),
        ({"kind": "export", "study": NAME, "trial": "0 --debug"}, 400, "is no trial's number"),
        ({"kind": "confirm", "study": NAME, "trial": -1}, 400, "is no trial's number"),
        ({"kind": "stop", "study": NAME, "values": {"trial": "0"}}, 400, "is no trial's number"),
        ({"kind": "stop", "study": NAME, "values": 3}, 400, "values by their names are required"),
        ({"kind": "star", "study": NAME, "trial": 99}, 400, "has no trial 99"),
        ({"kind": "note", "study": NAME, "trial": 0, "text": 5}, 400, "a text is required"),
        ({"kind": "pause", "study": "'; DROP TABLE nas_study; --"}, 400, "unknown study"),
    ],
)
def test_what_cannot_be_asked_is_one_line(told: object, code: int, said: str, post: Post, written: Written) -> None:
    answer = post(told)
    assert answer.status_code == code
    assert said in answer.text
    assert asked_of(written) == []


@pytest.mark.parametrize("kind", ["train", "export", "confirm"])
def test_nobody_starts_a_command_or_looks_at_one_without_the_token(kind: str, post: Post) -> None:
    asked = {"kind": kind, "study": NAME, "trial": 0, "text": "depth: 1"}
    assert post(asked, X_Widefront_Token="x").status_code == 403
    assert post(None, path="/started", method="GET", X_Widefront_Token="x").status_code == 403
    assert post(None, path="/started", method="GET").json() == {}


def test_values_that_the_study_would_not_propose_are_refused_in_one_line(post: Post, written: Written) -> None:
    answer = post({"kind": "train", "study": NAME, "text": "deepth: 3"})
    assert answer.status_code == 400
    assert "deepth" in answer.json()["said"]
    assert asked_of(written) == []


def test_a_page_without_a_token_takes_nothing_from_anybody(get: Get, written: Written) -> None:
    assert get("/may").json() == {"may": False}
    app = application(Feed(written.url, None))

    async def asked() -> int:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
            answer = await client.post("/act", json=PAUSE, headers={**HERE_NOW, "X-Widefront-Token": ""})
            return answer.status_code

    assert asyncio.run(asked()) == 403
    assert asked_of(written) == []


def test_who_has_the_token_is_told_so(post: Post) -> None:
    assert post(None, path="/may", method="GET").json() == {"may": True}
    assert post(None, path="/may", method="GET", X_Widefront_Token="x").json() == {"may": False}
    assert post(None, method="GET").status_code == 405


def test_a_port_that_is_taken_is_one_line(written: Written, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        assert command.main([written.url, "--port", str(port)]) == 2
    assert capsys.readouterr().err.startswith(f"error: --port: cannot listen at 127.0.0.1:{port}: ")


def test_what_is_missing_is_one_line_with_how_to_get_it(
    written: Written, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "find_spec", lambda name: None if name == "sse_starlette" else name)
    assert command.main([written.url]) == 2
    assert (
        capsys.readouterr().err
        == "error: the page needs sse-starlette, and pip install 'widefront[page]' brings that\n"
    )


def test_an_address_that_no_database_has_is_refused_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["mysql://host/x"]) == 2
    assert "unsupported database 'mysql'" in capsys.readouterr().err


def test_commands_on_the_page_name_the_database_without_its_password() -> None:
    url = "postgresql+psycopg://me:s3cr3t@host/db"
    assert typed(url, {}) == "postgresql+psycopg://me:***@host/db"
    assert typed("${DB}", {"DB": url}) == "${DB}"
