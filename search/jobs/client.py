"""Speak to a cluster's job server: send a study there, and see what became of it. Ray's words stay in here."""

import asyncio
import logging
import os
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from search.core.environment import without
from search.jobs.server import ANSWER_S, Lost, address_of, authorisation, check_server, told
from spaces.errors import InputError, StudyError, unknown

try:
    from aiohttp import ClientError
    from ray.job_submission import JobSubmissionClient

    INSTALLED = True
except ImportError:  # Ray without its extra
    INSTALLED = False

SILENCE_S = 90.0  # a study speaks every 30 s
AWAY_S = 600.0  # that a connection may be lost for while a study is followed
STOP_S = 90  # for a driver to record and end, before Ray kills it
STATES = {"PENDING": "waiting", "RUNNING": "running", "SUCCEEDED": "done", "FAILED": "failed", "STOPPED": "stopped"}
OPEN = ("waiting", "running")
_OVERRIDING = ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS")  # Ray prefers these to any address it is given
_MARK = "widefront"  # in the metadata of our jobs; the value is the version of what stands beside it
_PROGRESS = re.compile(r"\d+(/\d+)? trials: |DATABASE AWAY|error: ")
_CHATTER = re.compile(r"Running entrypoint for job |.*\t(INFO|WARNING) ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """Describe one sending of a study."""

    id: str
    study: str
    by: str
    state: str  # one of the values of STATES
    file: str  # the study's file, without its storage
    command: str  # what is executed on the head
    started_at: datetime | None = None
    ended_at: datetime | None = None
    exit_code: int | None = None
    message: str = ""  # what Ray says of the state

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self.state in OPEN


class Cluster:
    """The connection to a job server.

    Raises:
        InputError: of each method: the server refuses the token.
        StudyError: of each method: it cannot be reached any more (Lost), or says no.
    """

    def __init__(self, address: str, client: Any) -> None:
        self.address = address
        self._client = client

    def submissions(self) -> list[Submission]:
        """Return what was submitted since the cluster was started, the latest last."""
        with told(self.address):
            found = [_submission(job) for job in self._client.list_jobs() if _MARK in (job.metadata or {})]
        return sorted(found, key=lambda each: (each.started_at or datetime.max.replace(tzinfo=UTC), each.id))

    def latest(self, study: str) -> Submission:
        """Return the last submission of a study; an unknown one is an InputError."""
        every = self.submissions()
        for each in reversed(every):
            if each.study == study:
                return each
        names = dict.fromkeys(each.study for each in every)
        raise InputError(f"{unknown('study', study, names)} (submitted to {self.address} since that was started)")

    def submission(self, id_: str) -> Submission:
        """Return what is known of a submission now."""
        with told(self.address):
            return _submission(self._client.get_job_info(id_))

    def submit(self, study: str, *, by: str, file: str, command: str, folder: Path) -> str:
        """Send a folder, have a command executed in it on the head, and return the submission's id.

        Args:
            study: its name.
            by: who sends it.
            file: the text of the study's file, to be found again.
            command: a shell's; everyone on the cluster can read it.
            folder: what is sent.
        """
        id_ = f"{re.sub('[^A-Za-z0-9_.-]', '-', study)}-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}"
        with told(self.address):
            self._client.submit_job(
                entrypoint=command,
                submission_id=id_,
                runtime_env={"working_dir": str(folder), "env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": str(STOP_S)}},
                metadata={_MARK: "1", "study": study, "by": by, "file": file},
                entrypoint_num_cpus=0,
            )
        return id_

    def stop(self, id_: str, *, sleep: Callable[[float], None] = time.sleep) -> Submission:
        """Ask the driver to record and end, wait until it has, and return what became of it."""
        with told(self.address):
            self._client.stop_job(id_)
        end = time.monotonic() + STOP_S + ANSWER_S
        while (found := self.submission(id_)).is_open and time.monotonic() < end:
            sleep(0.5)
        return found

    def log(self, id_: str) -> str:
        """Return everything that the driver has said."""
        with told(self.address):
            return str(self._client.get_job_logs(id_))

    def last_word(self, id_: str) -> str:
        """Return how far the driver said it was; nothing where it has not spoken, or its node is gone."""
        lines: list[str] = []
        with suppress(StudyError):
            lines = [line for line in self.log(id_).splitlines() if line.strip() and not _CHATTER.match(line)]
        telling = [line for line in lines if _PROGRESS.match(line)] or lines
        return telling[-1].strip() if telling else ""

    def follow(
        self, id_: str, write: Callable[[str], None], *, sleep: Callable[[float], None] = time.sleep
    ) -> Submission:
        """Pass on what the driver says, from its first word, until it ends; a lost connection is taken up again."""
        shown, lost_at = 0, None

        def count(text: str) -> None:
            nonlocal shown, lost_at
            write(text)
            shown, lost_at = shown + len(text), None

        while True:
            try:
                with told(self.address):
                    asyncio.run(self._pass_on(id_, count, shown))
                found = self.submission(id_)
            except Lost as lost:
                if lost_at is None:
                    write(f"\n({lost}; trying again)\n")
                lost_at = lost_at or time.monotonic()
                if time.monotonic() - lost_at > AWAY_S:
                    raise
            else:
                if not found.is_open:
                    return found
            sleep(1.0)

    async def _pass_on(self, id_: str, write: Callable[[str], None], shown: int) -> None:
        """Write what comes after the first `shown` characters."""
        seen = 0
        async for text in _spoken(self._client.tail_job_logs(id_)):
            new = text[max(0, shown - seen) :]
            seen += len(text)
            if new:
                write(new)


async def _spoken(texts: AsyncIterator[str]) -> AsyncIterator[str]:
    """Yield what comes, until the end or a break: a connection can be dead without a word."""
    while True:
        try:
            text = await asyncio.wait_for(anext(texts), SILENCE_S)
        except (StopAsyncIteration, TimeoutError, ClientError, RuntimeError):  # it is then asked whether it has ended
            return
        yield text


def connect(address: str, environment: Mapping[str, str] = os.environ) -> Cluster:
    """Return the connection to a job server.

    Args:
        address: of the head's dashboard, such as http://head:8265.
        environment: where the token is looked for: RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH, or else ~/.ray/auth_token.

    Raises:
        InputError: no Ray answers there, it is too old, it refuses the token, or the client is not installed here.
    """
    if not INSTALLED:
        raise InputError("the client of Ray's job server is not installed here: `pip install 'widefront[cluster]'`")
    for name in ("ray", "ray.dashboard.modules.dashboard_sdk", "ray.dashboard.modules.job.sdk"):
        logging.getLogger(name).setLevel(logging.ERROR)
    url, headers = address_of(address), authorisation(environment)
    check_server(url, headers)
    with told(url), without(_OVERRIDING, os.environ):
        return Cluster(url, JobSubmissionClient(url, headers=headers))


def is_open(cluster: Cluster) -> bool:
    """Whether a cluster answers who shows no token."""
    try:
        check_server(cluster.address, {})
    except InputError:
        return False
    return True


def _submission(job: Any) -> Submission:
    known = job.metadata or {}
    return Submission(
        id=job.submission_id or "",
        study=known.get("study", ""),
        by=known.get("by", ""),
        state=STATES[job.status.value],
        file=known.get("file", ""),
        command=job.entrypoint,
        started_at=_moment(job.start_time),
        ended_at=_moment(job.end_time),
        exit_code=job.driver_exit_code,
        message=job.message or "",
    )


def _moment(milliseconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else None
