"""Show a study while it runs, on a page of this machine.

python -m dashboards.live URL [--study S] [--port 8480] [--host 127.0.0.1]
"""

import argparse
import os
import signal
import socket
import sys
from collections.abc import Sequence
from importlib.util import find_spec

from search import cli
from search.core.arguments import add_study, whole
from search.core.environment import expand, hide
from search.storage.url import read_url, typed
from spaces.errors import InputError

PORT = 8480
TRIED = 20  # ports from the usual one on, where none was named
NEEDED = ("starlette", "uvicorn", "sse_starlette", "jinja2")
LOCAL = ("127.0.0.1", "localhost", "::1")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return cli.run(parser(), argv, serve)


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    made = argparse.ArgumentParser(
        prog="python -m dashboards.live", description="Show a study while it runs, on a page of this machine."
    )
    add_study(made)
    made.add_argument("--port", type=whole(0, 65535), metavar="N", help=f"default: {PORT}, or the next that is free")
    made.add_argument("--host", default=LOCAL[0], metavar="H", help="the address to listen at (default: %(default)s)")
    made.add_argument(
        "--allow-host", action="append", default=[], metavar="NAME",
        help="a name by which browsers may ask for the page too, such as a reverse proxy's",
    )  # fmt: skip
    made.add_argument("--read-only", action="store_true", help="take nothing from buttons, whoever has the address")
    made.add_argument("--until-eof", action="store_true", help="end when standard input does")
    made.add_argument("--written", metavar="TEXT", help="the database as commands on the page name it")
    made.add_argument("--debug", action="store_true", help="show tracebacks")
    return made


def serve(given: argparse.Namespace) -> int:
    """Serve the page until somebody ends it, and return the exit code."""
    missing = [name.replace("_", "-") for name in NEEDED if find_spec(name) is None]
    if missing:
        raise InputError(f"the page needs {', '.join(missing)}, and pip install 'widefront[page]' brings that")
    from dashboards.live.acting import VARIABLE, Acting, new_token
    from dashboards.live.feed import Feed  # what these need may not be there
    from dashboards.live.server import serve_at

    url = expand(given.url, os.environ)
    read_url(url)  # an address that nothing can ever be read by; what is not there yet is waited for
    listening = _listen(given.host, given.port)
    if given.host not in LOCAL:
        cli.warn([f"whoever reaches {given.host} can read this study, as the page asks for no password for that"])
    shown = f"[{given.host}]" if ":" in given.host else given.host
    address = f"http://{shown}:{listening.getsockname()[1]}/"
    feed = Feed(url, given.study, written=given.written or typed(given.url, os.environ))
    acting = None
    if not given.read_only:
        token = os.environ.get(VARIABLE) or new_token()
        acting = Acting(url, token, behind=given.allow_host, seen=feed.look, written=feed.written)
        address += f"#token={token}"  # which browsers send to nobody
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # a terminal that is closed ends what the page has started
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
    serve_at(
        feed,
        listening,
        hosts=(*LOCAL, f"[{LOCAL[-1]}]", given.host, *given.allow_host),
        acting=acting,
        ready=lambda: print(f"{address} shows {hide(given.study or 'the newest study')}", flush=True),
        until_eof=given.until_eof,
    )
    return cli.DONE


def _listen(host: str, port: int | None) -> socket.socket:
    """Return a socket that listens at the port, or where none was named at the first of some that is free.

    Raises:
        InputError: there is none.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    ports = [port] if port is not None else range(PORT, PORT + TRIED)
    for each in ports:
        try:
            return socket.create_server((host, each), family=family, backlog=64)
        except OSError as error:
            why = error.strerror or str(error)
    raise InputError(f"cannot listen at {host}:{ports[0]}: {why}", place="--port")


if __name__ == "__main__":
    sys.exit(main())
