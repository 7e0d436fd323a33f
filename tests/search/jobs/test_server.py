"""What stands between a person and a cluster is said in one line, and never with the token."""

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
import requests
from ray.exceptions import AuthenticationError

from search.jobs.server import Lost, address_of, authorisation, check_server, told
from spaces.errors import InputError, StudyError

TOKEN = "d5f3-token"


class Head(BaseHTTPRequestHandler):
    """Answer as a head does that asks for a token."""

    answer = (200, json.dumps({"ray_version": "2.60.0"}))

    def do_GET(self) -> None:
        given = self.headers.get("Authorization")
        status = 401 if given is None else 403 if given != f"Bearer {TOKEN}" else self.answer[0]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(self.answer[1].encode())

    def log_message(self, *_given: object) -> None:
        """Say nothing."""


@pytest.fixture
def serve() -> Iterator[Callable[[int, str], str]]:
    """Give `serve(status, body)`, which returns the address of a server that answers so."""
    servers: list[HTTPServer] = []

    def start(status: int, body: str) -> str:
        servers.append(HTTPServer(("127.0.0.1", 0), type("Answering", (Head,), {"answer": (status, body)})))
        Thread(target=servers[-1].serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(InputError) as error:
        call()
    said = str(error.value)
    assert len(said.splitlines()) == 1
    assert TOKEN not in said
    return said


def test_a_head_of_a_known_version_lets_the_right_token_in(serve: Callable[[int, str], str]) -> None:
    check_server(serve(*Head.answer), authorisation({"RAY_AUTH_TOKEN": TOKEN}))


@pytest.mark.parametrize(
    ("headers", "why"),
    [({}, "asks for a token, and there is none here"), ({"Authorization": "Bearer x"}, "refuses the token")],
)
def test_a_missing_and_a_wrong_token_say_where_to_get_one(
    headers: dict[str, str], why: str, serve: Callable[[int, str], str]
) -> None:
    said = refused(lambda: check_server(serve(*Head.answer), headers))
    assert why in said
    assert "`ray get-auth-token` on the head" in said
    assert "RAY_AUTH_TOKEN" in said


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (200, '{"ray_version": "2.9.3"}', "has Ray 2.9.3; 2.60 or later is required"),
        (200, '{"ray_version": null}', "no dashboard of a Ray head"),
        (200, "[]", "no dashboard of a Ray head"),
        (200, "<html>hello</html>", "no dashboard of a Ray head"),
        (404, "nothing here", "no dashboard of a Ray head"),
    ],
)
def test_what_is_no_head_or_too_old_is_refused(
    status: int, body: str, why: str, serve: Callable[[int, str], str]
) -> None:
    assert why in refused(lambda: check_server(serve(status, body), {"Authorization": f"Bearer {TOKEN}"}))


def test_an_address_where_nobody_listens_is_refused() -> None:
    assert "connection refused" in refused(lambda: check_server("http://127.0.0.1:9", {}))
    assert "cannot reach" in refused(lambda: check_server("http://no-such-host.invalid:8265", {}))


@pytest.mark.parametrize(
    ("given", "address"),
    [("head:8265", "http://head:8265"), ("http://head:8265/", "http://head:8265"), ("https://h/ray", "https://h/ray"),
     ("http://[::1]:8265", "http://[::1]:8265")],
)  # fmt: skip
def test_an_address_is_taken_as_people_write_it(given: str, address: str) -> None:
    assert address_of(given) == address


@pytest.mark.parametrize("given", ["", "ray://head:10001", "http://", "http://h:99999", "ftp://h", "http://[1"])
def test_what_is_no_address_is_refused(given: str) -> None:
    assert "http://head:8265 is required" in refused(lambda: address_of(given))


def test_an_address_with_a_secret_is_refused_without_showing_it() -> None:
    assert "holds no secret" in refused(lambda: address_of(f"http://user:{TOKEN}@head:8265"))


def test_the_token_is_found_where_ray_looks_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("at-home\n")
    (tmp_path / "elsewhere").write_text(" elsewhere ")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert authorisation({}) == {"Authorization": "Bearer at-home"}
    there = {"RAY_AUTH_TOKEN_PATH": str(tmp_path / "elsewhere")}
    assert authorisation(there) == {"Authorization": "Bearer elsewhere"}
    assert authorisation({**there, "RAY_AUTH_TOKEN": "first"}) == {"Authorization": "Bearer first"}
    assert authorisation({**there, "RAY_AUTH_MODE": "disabled"}) == {}
    monkeypatch.setenv("HOME", str(tmp_path / "nowhere"))
    assert authorisation({}) == {}


def test_what_is_no_token_is_not_sent_and_not_shown() -> None:
    assert "a token is one word" in refused(lambda: authorisation({"RAY_AUTH_TOKEN": f"{TOKEN}\nX-Evil: 1"}))


@pytest.mark.parametrize(
    ("raised", "kind", "said"),
    [
        (AuthenticationError("long"), InputError, "refuses the token"),
        (requests.ConnectionError("Connection refused, after many retries"), Lost, "connection refused"),
        (requests.ReadTimeout(), Lost, "no answer within"),
        (RuntimeError("Request failed: Traceback\n  many lines\nValueError: the reason\n"), StudyError, "the reason"),
        (RuntimeError(""), StudyError, "no error message"),
    ],
)
def test_what_the_client_complains_of_is_one_line(raised: Exception, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind) as error, told("http://head"):
        raise raised
    assert type(error.value) is kind
    assert said in str(error.value)
    assert len(str(error.value).splitlines()) == 1
