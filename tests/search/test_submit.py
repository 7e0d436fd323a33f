"""Sending a study: what is refused here, what is sent, and what is said of what became of it. No cluster is needed."""

import json
import shlex
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
import yaml
from ray.job_submission import JobStatus

from search import submit
from search.config.study import load
from search.jobs import client as jobs
from search.jobs.client import Cluster, Submission
from search.jobs.status import exit_code
from spaces.errors import StudyError

SECRET = "hunter2-x"
TEXT = """
study: small  # a comment
data: digits
space: {depth: {int: [1, 2]}}
constraints: {params: "<= 1e6"}
"""


class Server:
    """Stand in for Ray's client: jobs in memory, a log in pieces, and a connection that can be lost."""

    def __init__(self) -> None:
        self.jobs: list[SimpleNamespace] = []
        self.log: list[str] = ["small: a new study\n", "0/9 trials: 0 complete\n", "report: small.html\n"]
        self.ends_as = ("SUCCEEDED", 0, "")
        self.breaks = 0
        self.packed: dict[str, str] = {}

    def add(self, study: str, status: str = "RUNNING", **changes: Any) -> None:
        usual: dict[str, Any] = {
            "metadata": {"widefront": "1", "study": study, "by": "ada@desk", "file": '{"study": "small"}'},
            "start_time": 1_700_000_000_000 + len(self.jobs),
            "end_time": None,
            "driver_exit_code": None,
            "message": "",
            "entrypoint": "exec python -m search.launch space.yaml --within '/mnt/my work'",
        }
        id_ = changes.pop("submission_id", f"{study}-{len(self.jobs)}")
        self.jobs.append(SimpleNamespace(submission_id=id_, status=JobStatus(status), **{**usual, **changes}))

    def list_jobs(self) -> list[SimpleNamespace]:
        return [*reversed(self.jobs), SimpleNamespace(metadata=None, submission_id="somebody-else's")]

    def get_job_info(self, id_: str) -> SimpleNamespace:
        return next(job for job in self.jobs if job.submission_id == id_)

    def submit_job(self, *, entrypoint: str, submission_id: str, metadata: dict[str, str], **given: Any) -> None:
        folder = Path(given["runtime_env"]["working_dir"])
        self.packed = {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}
        self.given = {"entrypoint": entrypoint, "metadata": metadata, **given}
        self.add(metadata["study"], entrypoint=entrypoint, metadata=metadata, submission_id=submission_id)

    def stop_job(self, id_: str) -> None:
        self.get_job_info(id_).status = JobStatus.STOPPED

    def get_job_logs(self, _id: str) -> str:
        return "".join(self.log)

    async def tail_job_logs(self, id_: str) -> AsyncIterator[str]:
        for number, text in enumerate(self.log):
            if number == 1 and self.breaks:
                self.breaks -= 1
                raise requests.ConnectionError("Connection reset") if self.breaks else RuntimeError("closed")
            yield text
        job = self.get_job_info(id_)
        status, job.driver_exit_code, job.message = self.ends_as
        job.status = JobStatus(status)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Server:
    """Give a server, and let the command find it; stand in an empty folder."""
    found = Server()
    monkeypatch.setattr(submit, "connect", lambda address: Cluster(address, found))
    monkeypatch.setattr(jobs.Cluster.follow, "__kwdefaults__", {"sleep": lambda _seconds: None})
    monkeypatch.chdir(tmp_path)
    (tmp_path / "space.yaml").write_text(TEXT)
    return found


def ask(*given: str) -> int:
    return submit.main([*given, "--address", "http://head:8265"])


def test_a_study_is_sent_followed_to_its_end_and_its_exit_code_returned(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask("space.yaml") == 0
    said = capsys.readouterr().out
    assert "it stands in ~/widefront there" in said
    assert said.endswith("".join(server.log))
    assert server.given["entrypoint_num_cpus"] == 0


@pytest.mark.parametrize("option", ["--sqlite-on-driver", "--grow"])
def test_what_is_agreed_to_here_is_passed_on(server: Server, option: str) -> None:
    assert ask("space.yaml", "--detach", option) == 0
    assert option in shlex.split(server.given["entrypoint"])


def test_what_is_sent_is_launched_as_the_file_says_with_its_storage_apart(server: Server, tmp_path: Path) -> None:
    storage = "postgresql+psycopg://${USER}:${DB_PW}@db.internal/x"
    settings = ["--set", f"storage={storage}", "--set", "budget.trials=7"]
    assert ask("space.yaml", *settings, "--folder", "/mnt/my work", "--detach") == 0
    words = shlex.split(server.given["entrypoint"])
    assert words[:5] == ["exec", "python", "-m", "search.launch", "space.yaml"]
    assert words[words.index("--within") + 1] == "/mnt/my work"
    assert not {"--sqlite-on-driver", "--grow"} & set(words)
    assert not [name for name, text in server.packed.items() if "db.internal" in text]  # workers see all of these
    assert "db.internal" not in json.dumps(server.given["metadata"])  # and these

    (tmp_path / "there.yaml").write_text(server.packed["space.yaml"])
    there = load(tmp_path / "there.yaml", [words[words.index("--set") + 1]], {"USER": "ada", "DB_PW": SECRET})
    here = load(tmp_path / "space.yaml", ["budget.trials=7"])
    assert there.plain() == here.plain()
    assert there.storage == f"postgresql+psycopg://ada:{SECRET}@db.internal/x"
    assert there.storage_variables == ("USER", "DB_PW")


def test_no_value_of_a_variable_is_looked_up_here(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB", f"postgresql+psycopg://ada:{SECRET}@h/d")
    monkeypatch.setenv("IMAGES", f"/{SECRET}")
    assert ask("space.yaml", "--set", "storage=${DB}", "--set", "data={npz: '${IMAGES}'}", "--detach") == 0
    assert SECRET not in json.dumps([server.given, server.packed])


def test_comments_are_not_sent(server: Server) -> None:
    assert ask("space.yaml", "--detach") == 0
    assert "a comment" not in json.dumps([server.given, server.packed["space.yaml"]])


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (f"storage: postgresql+psycopg://ada:{SECRET}@h/d", "storage: a password in the file"),
        (f"storage: postgresql+psycopg://ada@h/d?password={SECRET}", "storage: a password in the file"),
        (f"storage: postgresql+psycopg://ada:{SECRET}${{X}}@h/d", "storage: a password in the file"),
        (f"# storage: postgresql+psycopg://ada:{SECRET}@h/d", "line 6: holds an address with a password"),
        ("storage: sqlite:////etc/study.db", "storage: '/etc/study.db' leaves the working folder"),
        ("checkpoints: ../elsewhere", "checkpoints: '../elsewhere' leaves the working folder"),
        ("budget: {trails: 3}", "unknown key 'trails'"),
        (f"# {'é' * 40_000}\nresources: {{x: 1}}", "unknown key 'x'"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_before_anything_is_sent(
    change: str, why: str, server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "space.yaml").write_text(f"{TEXT}{change}\n")
    assert ask("space.yaml") == 2
    said = capsys.readouterr().err
    assert why in said
    assert SECRET not in said
    assert len(said.splitlines()) == 1
    assert not server.jobs


@pytest.mark.usefixtures("server")
def test_a_file_too_long_to_be_found_again_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    many = yaml.safe_dump({"constraints": {"params": "<= 1e6"}, "data": {"npz": "é" * 30_000}, "study": "long",
                           "space": {"depth": {"int": [1, 2]}}}, allow_unicode=True)  # fmt: skip
    (tmp_path / "space.yaml").write_text(many)
    assert ask("space.yaml") == 2
    assert "is longer than" in capsys.readouterr().err


@pytest.mark.parametrize(
    "given",
    [
        (),
        ("space.yaml", "--status"),
        ("--stop", "a", "--logs", "a"),
        ("--resume", "a", "--set", "x=1"),
        ("nofile.yaml",),
    ],
)
def test_a_command_that_cannot_be_meant_is_refused(
    given: tuple[str, ...], server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(*given) == 2
    assert capsys.readouterr().err.startswith("error: ")
    assert not server.jobs


@pytest.mark.usefixtures("server")
def test_an_address_must_be_given(capsys: pytest.CaptureFixture[str]) -> None:
    assert submit.main(["space.yaml"]) == 2
    assert capsys.readouterr().err == "error: --address: is required, such as http://head:8265\n"


def test_a_study_that_is_there_already_is_not_sent_twice(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.add("small", "PENDING")
    assert ask("space.yaml") == 2
    said = capsys.readouterr().err
    assert "small is waiting there since 2023-11-14 22:13 UTC, sent by ada@desk" in said
    assert "--status small" in said
    assert "--stop small" in said
    assert len(server.jobs) == 1


@pytest.mark.parametrize(
    ("status", "code", "message", "returned", "said"),
    [
        ("SUCCEEDED", 0, "", 0, ""),
        ("STOPPED", None, "", 130, ""),
        ("FAILED", 130, "logs:\ninterrupted; nothing is lost", 130, ""),
        ("FAILED", 2, "logs:\nerror: storage: the environment variable DB is not set", 2, ""),
        ("FAILED", 1, "logs:\nerror: all 3 trials failed", 1, ""),
        (
            "FAILED",
            1,
            "Traceback\nModuleNotFoundError: No module named 'optuna'",
            1,
            "its Python lacks optuna: install",
        ),
        ("FAILED", 127, "sh: 1: exec: python: not found", 1, "exec: python: not found"),
        ("FAILED", -9, "", 1, "exit code -9"),
        ("FAILED", None, "runtime_env setup failed:\nno space left", 1, "no space left"),
    ],
)
def test_the_end_of_a_study_there_is_the_end_of_the_command_here(
    status: str, code: int | None, message: str, returned: int, said: str, server: Server,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    server.ends_as = (status, code, message)
    assert ask("space.yaml") == returned
    assert said in capsys.readouterr().err


def test_a_lost_connection_is_taken_up_again_and_nothing_is_said_twice(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.breaks = 2
    assert ask("space.yaml") == 0
    said = capsys.readouterr().out
    assert "lost the connection to http://head:8265: connection reset; trying again" in said
    for line in server.log:
        assert said.count(line) == 1


def test_a_connection_that_stays_lost_is_given_up_in_the_end(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(jobs, "AWAY_S", -1.0)
    server.breaks = 2
    assert ask("space.yaml") == 1
    assert "error: lost the connection" in capsys.readouterr().err


def test_ctrl_c_lets_go_of_a_study_and_says_how_to_find_it(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_given: object) -> Submission:
        raise KeyboardInterrupt

    monkeypatch.setattr(Cluster, "follow", interrupted)
    assert ask("space.yaml") == 130
    said = capsys.readouterr().err
    assert "the study goes on" in said
    assert "--logs small --follow" in said
    assert "--stop small" in said
    assert server.jobs[0].status is JobStatus.RUNNING


def test_status_says_how_far_each_study_is_by_its_last_submission(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask("--status") == 0
    assert "nothing was submitted" in capsys.readouterr().out
    server.add("small", "FAILED", driver_exit_code=2)
    server.add("other", "SUCCEEDED")
    server.add("small", "RUNNING")
    assert ask("--status") == 0
    rows = capsys.readouterr().out.splitlines()
    assert [row.split()[:2] for row in rows] == [["study", "state"], ["small", "running"], ["other", "done"]]
    assert ask("--status", "small") == 0
    assert capsys.readouterr().out == "small is running: 0/9 trials: 0 complete\n"


def test_status_as_json_holds_all_there_is_to_know(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.add("small", "FAILED", driver_exit_code=2, end_time=1_700_000_100_000)
    server.log = ["starting\n", "error: no such file\n"]
    assert ask("--status", "small", "--json") == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found == {
        "study": "small", "state": "failed", "exit_code": 2, "by": "ada@desk", "folder": "/mnt/my work",
        "started_at": "2023-11-14T22:13:20+00:00", "ended_at": "2023-11-14T22:15:00+00:00", "submission": "small-0",
        "last": "error: no such file",
    }  # fmt: skip


@pytest.mark.parametrize("what", ["--status", "--logs", "--stop", "--resume"])
def test_a_study_nobody_sent_is_refused_with_the_known_ones(
    what: str, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.add("small")
    assert ask(what, "smal") == 2
    assert "unknown study 'smal' (did you mean 'small'?); known are small" in capsys.readouterr().err


def test_logs_are_those_of_the_last_submission(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.add("small")
    assert ask("--logs", "small") == 0
    assert capsys.readouterr().out == "".join(server.log)
    assert ask("--logs", "small", "--follow") == 0
    assert capsys.readouterr().out == "".join(server.log)


def test_stopping_waits_for_the_end_and_says_how_to_go_on(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.add("small")
    assert ask("--stop", "small") == 0
    assert "small is stopped; go on with it" in capsys.readouterr().out
    assert ask("--stop", "small") == 2
    assert "small is not running there: it is stopped" in capsys.readouterr().err


def test_a_study_goes_on_with_the_file_and_the_command_it_was_last_sent_with(server: Server, tmp_path: Path) -> None:
    assert ask("space.yaml", "--folder", "/mnt/w", "--python", "python3.12", "--set", "budget.trials=9") == 0
    first = dict(server.given), server.packed["space.yaml"]
    (tmp_path / "space.yaml").unlink()
    assert ask("--resume", "small") == 0
    assert (server.given["entrypoint"], server.packed["space.yaml"]) == (first[0]["entrypoint"], first[1])
    assert len(server.jobs) == 2


def test_a_running_study_is_not_resumed(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.add("small")
    assert ask("--resume", "small") == 2
    assert "small is running there" in capsys.readouterr().err


def test_an_identity_is_made_of_letters_that_every_file_system_takes(server: Server) -> None:
    assert ask("space.yaml", "--set", "study=größe+1", "--detach") == 0
    assert server.jobs[0].submission_id.isascii()
    assert "+" not in server.jobs[0].submission_id
    assert server.given["metadata"]["study"] == "größe+1"


def test_without_the_client_the_command_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(jobs, "INSTALLED", False)
    assert ask("--status") == 2
    assert "pip install 'widefront[cluster]'" in capsys.readouterr().err


def test_an_end_without_a_word_is_an_error_of_its_own() -> None:
    ended = Submission(id="i", study="s", by="b", state="failed", file="", command="", exit_code=2, message="usage: x")
    with pytest.raises(StudyError, match="s could not be launched on the cluster: usage: x"):
        exit_code(ended)
