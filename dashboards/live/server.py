"""Serve the page: its files, a study as JSON, and what is new as server-sent events. Every address is relative."""

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any

import uvicorn
from anyio import Event
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboards import theme
from dashboards.live.acting import Acting
from dashboards.live.feed import Feed
from search.core.environment import hide
from spaces.errors import InputError, WidefrontError, visible

HERE = Path(__file__).parent
LOCAL = ("127.0.0.1", "localhost", "[::1]", "::1")
GRACE_S = 3.0  # in which browsers are told that the server ends
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_PAGES = Environment(
    loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)


class Guarded:
    """Put the headers on every answer that keep a browser from doing more than the page needs."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its answer back with these headers."""

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-cache")
            await send(message)

        await self.app(scope, receive, answer)


TOKEN = "x-widefront-token"
MOST_BYTES = 20_000  # of what is asked
NO_TOKEN = "the address that the launch has said has a token, and without it nobody may ask"


class Answers:
    """What the server answers to each of the page's questions."""

    def __init__(self, feed: Feed, acting: Acting | None = None) -> None:
        self.feed = feed
        self.acting = acting

    async def page(self, request: Request) -> Response:
        """Return the page's frame."""
        name = self.feed.chosen(request.query_params.get("study"))
        return HTMLResponse(_PAGES.get_template("page.html").render(name=name or "Widefront"))

    async def colours(self, _request: Request) -> Response:
        """Return the colours, light and dark."""
        return Response(theme.style_sheet(), media_type="text/css")

    async def state(self, request: Request) -> Response:
        """Return a study, or what is waited for."""
        text = await run_in_threadpool(self.feed.state, request.query_params.get("study"))
        return Response(text, media_type="application/json", headers={"Cache-Control": "no-store"})

    async def trial(self, request: Request) -> Response:
        """Return all that is known of one trial."""
        told = await run_in_threadpool(self.feed.trial, request.query_params.get("study"), _whole(request, "number"))
        if told is None:
            raise HTTPException(404, "there is no such trial")
        return JSONResponse(told, headers={"Cache-Control": "no-store"})

    async def gains(self, request: Request) -> Response:
        """Return which paused trials go on next."""
        told = await run_in_threadpool(self.feed.gains, request.query_params.get("study"))
        return JSONResponse(told, headers={"Cache-Control": "no-store"})

    async def analyses(self, request: Request) -> Response:
        """Return what analyses have found, as a part of the page."""
        told = await run_in_threadpool(self.feed.analyses, request.query_params.get("study"))
        return HTMLResponse(told, headers={"Cache-Control": "no-store"})

    async def may(self, request: Request) -> Response:
        """Return whether who asks may ask for more than to look."""
        return JSONResponse({"may": self._acting(request) is not None}, headers={"Cache-Control": "no-store"})

    async def started(self, request: Request) -> Response:
        """Return how the command is that was started last; without the token, nothing."""
        acting = self._acting(request)
        if acting is None:
            raise HTTPException(403, NO_TOKEN)
        told = await run_in_threadpool(acting.commands.told)
        return JSONResponse(told, headers={"Cache-Control": "no-store"})

    def _acting(self, request: Request) -> Acting | None:
        token = request.headers.get(TOKEN, "")
        return self.acting if self.acting and self.acting.allows(token) else None

    async def act(self, request: Request) -> Response:
        """Write one row of what somebody asks, and return a line on it; without the token, nothing."""
        acting = self._acting(request)
        if acting is None:
            raise HTTPException(403, NO_TOKEN)
        if not acting.is_from_here(request.headers.get("origin", ""), request.headers.get("host", "")):
            raise HTTPException(403, "only this page may ask")
        told = await _asked(request)
        try:
            return JSONResponse({"said": await run_in_threadpool(acting.act, told)})
        except WidefrontError as error:
            code = 400 if isinstance(error, InputError) else 503
            return JSONResponse({"said": visible(hide(str(error)))}, status_code=code)

    async def events(self, request: Request) -> Response:
        """Return what is new, as it comes."""
        last = request.headers.get("last-event-id", "")  # of a browser that comes back by itself
        after = _number(last)
        after = _whole(request, "after") if after is None else after
        ending = Event()
        told = _sent(self.feed, request.query_params, after, ending.is_set)
        return EventSourceResponse(told, shutdown_event=ending, shutdown_grace_period=GRACE_S, headers=_UNBUFFERED)


async def _asked(request: Request) -> dict[str, Any]:
    """Return the JSON object that a request brings."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "application/json is required")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise HTTPException(413, f"at most {MOST_BYTES} bytes are read")
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise HTTPException(400, "a JSON object is required")
    return told


def application(
    feed: Feed,
    hosts: Sequence[str] = LOCAL,
    *,
    acting: Acting | None = None,
    ready: Callable[[], object] = lambda: None,
) -> Starlette:
    """Return the server's application.

    Args:
        feed: what it shows.
        hosts: names by which it may be asked: a page of another site that found its way here has another.
        acting: takes what people ask of the study; without it the page is only to look at.
        ready: called when it serves.
    """

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        watching = asyncio.create_task(feed.watch())
        ready()
        yield
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        if acting is not None:
            await run_in_threadpool(acting.commands.close)
        await run_in_threadpool(feed.close)

    answers = Answers(feed, acting)
    routes = [
        Route("/", answers.page),
        Route("/colours.css", answers.colours),
        Route("/state", answers.state),
        Route("/trial", answers.trial),
        Route("/gains", answers.gains),
        Route("/analyses", answers.analyses),
        Route("/events", answers.events),
        Route("/may", answers.may),
        Route("/started", answers.started),
        Route("/act", answers.act, methods=["POST"]),
        Mount("/static", StaticFiles(directory=HERE / "static")),
    ]
    guards = [
        Middleware(Guarded),
        Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False),
        Middleware(GZipMiddleware, minimum_size=1_000, compresslevel=5),
    ]
    return Starlette(routes=routes, middleware=guards, lifespan=lifespan)


def serve_at(
    feed: Feed,
    listening: socket.socket,
    *,
    hosts: Sequence[str] = LOCAL,
    acting: Acting | None = None,
    ready: Callable[[], object] = lambda: None,
    until_eof: bool = False,
) -> None:
    """Serve at a socket that listens, until a signal comes or, where that is asked for, standard input ends.

    Args:
        feed: what is shown.
        listening: the socket; it is closed at the end.
        hosts: see `application`.
        acting: see `application`.
        ready: called when it serves.
        until_eof: end with standard input: so whoever has its other end need not live to end this.
    """
    settings = uvicorn.Config(
        application(feed, hosts, acting=acting, ready=ready), log_level="warning", access_log=False,
        server_header=False, proxy_headers=False, lifespan="on", timeout_graceful_shutdown=int(2 * GRACE_S),
    )  # fmt: skip
    server = uvicorn.Server(settings)

    def wait() -> None:
        while sys.stdin.buffer.read(1):
            pass
        server.should_exit = True

    if until_eof:
        Thread(target=wait, daemon=True).start()
    with listening:
        server.run(sockets=[listening])


_UNBUFFERED = {"X-Accel-Buffering": "no", "Cache-Control": "no-store"}  # a proxy between must pass events on at once


async def _sent(
    feed: Feed, asked: Mapping[str, str], after: int, over: Callable[[], bool]
) -> AsyncIterator[ServerSentEvent]:
    async for message in feed.follow(asked.get("study"), after, asked.get("label", ""), over):
        number = None if message.seq is None else str(message.seq)
        yield ServerSentEvent(json.dumps(message.data), event=message.kind, id=number)


def _whole(request: Request, name: str) -> int:
    found = _number(request.query_params.get(name, ""))
    if found is None:
        raise HTTPException(400, f"{name} has to be a whole number")
    return found


def _number(text: str) -> int | None:
    """Return a whole number of up to 18 digits, or None."""
    return int(text) if text.removeprefix("-").isdecimal() and len(text) <= 18 else None
