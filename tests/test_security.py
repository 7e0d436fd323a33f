"""What a hostile file, name or neighbour can try, and that it comes to nothing."""

import ast
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import psycopg
import pytest
import yaml

from dashboards.report import main as report
from search.core.records import Rejection, State, StudyRecord, TrialRecord
from search.storage.store import Store
from search.storage.tables import METADATA
from spaces.errors import InputError
from tests.end_to_end.conftest import SMALL
from tests.end_to_end.invariants import check_whole
from workers import checkpoint
from workers.images import read_npz

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = [path for folder in ("spaces", "workers", "search", "dashboards") for path in (ROOT / folder).rglob("*.py")]
SECRET = "s3cr3t-of-the-database"
HOSTILE = "'; DROP TABLE nas_trial; --"


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Yield each call with its name as it is written."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def given(call: ast.Call, name: str) -> str | None:
    return next((ast.unparse(word.value) for word in call.keywords if word.arg == name), None)


# What is shipped


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_that_is_read_can_execute(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    modules = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    modules |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    named = {module.partition(".")[0] for module in modules}
    assert not named & {"pickle", "cloudpickle", "shelve", "marshal", "dill", "joblib"}
    for name, call in calls(tree):
        assert name not in ("eval", "exec", "compile", "pd.read_pickle", "yaml.unsafe_load", "yaml.full_load")
        if name == "torch.load":
            assert given(call, "weights_only") == "True"
        if name == "np.load":
            assert given(call, "allow_pickle") == "False"
        if name == "yaml.load":
            assert ast.unparse(call.args[1]) == "_Loader"  # a SafeLoader: the next test
        assert given(call, "shell") in (None, "False")


Scope = dict[str, list[ast.expr | None]]  # what is bound to each name; None where that is not written there


def scope(node: ast.Module | ast.FunctionDef | ast.AsyncFunctionDef) -> Scope:
    """Return what is bound to names in a module or a function, what is in a function within left out."""
    found: Scope = {}
    if not isinstance(node, ast.Module):
        found = {each.arg: [None] for each in ast.walk(node.args) if isinstance(each, ast.arg)}
    waiting: list[ast.AST] = list(node.body)
    while waiting:
        each = waiting.pop()
        if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name):
            found.setdefault(each.targets[0].id, []).append(each.value)
        elif isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
            found.setdefault(each.target.id, []).append(each.value)
        elif isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
            found.setdefault(each.id, []).append(None)
        else:
            waiting += ast.iter_child_nodes(each)
    return found


def is_fixed(part: ast.expr | None, scopes: list[Scope]) -> bool:
    """Say whether a text is the program's own whatever it is given: literals, put together."""
    match part:
        case ast.Constant():
            return True
        case ast.JoinedStr(values=parts):
            return all(is_fixed(each, scopes) for each in parts)
        case ast.FormattedValue(value=value) | ast.BinOp(left=value, op=ast.Mult()):  # repeated, or left out
            return is_fixed(value, scopes)
        case ast.BinOp(left=left, op=ast.Add(), right=right) | ast.IfExp(body=left, orelse=right):
            return is_fixed(left, scopes) and is_fixed(right, scopes)
        case ast.Name(id=name):
            bound = next((each[name] for each in scopes if name in each), [None])
            return all(is_fixed(each, scopes) for each in bound)
    return False


def statements(tree: ast.Module) -> Iterator[tuple[ast.expr, list[Scope]]]:
    """Yield each text that a database is given to read, with the names that are known where it stands."""
    imported = {
        (each.asname or each.name) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
        for each in node.names if node.module == "sqlalchemy" and each.name in ("text", "literal_column")
    }  # fmt: skip
    inner = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    names = {call: [scope(node), scope(tree)] for node in inner for _, call in calls(node)}
    for name, call in calls(tree):
        last = name.split(".")[-1]
        if name in imported or name in ("sa.text", "sa.literal_column", "op.execute") or last == "exec_driver_sql":
            yield call.args[0], names.get(call, [scope(tree)])


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_value_is_put_into_sql_as_text(path: Path) -> None:
    for text, scopes in statements(ast.parse(path.read_text(encoding="utf-8"))):
        assert is_fixed(text, scopes), ast.unparse(text)


@pytest.mark.parametrize(
    ("fixed", "line"),
    [
        (True, "text('SELECT 1')"),
        (True, "text(f'SELECT {TURN_S}')"),
        (True, "text(f\"SELECT{'_shared' * given}\")"),
        (True, "here = 'a = :a'; text(f'SELECT {here}')"),
        (False, "text(given)"),
        (False, "text(f'SELECT {given}')"),
        (False, "text('SELECT %s' % given)"),
        (False, "text('SELECT {}'.format(given))"),
        (False, "text('SELECT ' + given)"),
        (False, "here = f'a = {given}'; text(f'SELECT {here}')"),
        (False, "here = 'a'; here = given; text(here)"),
        (False, "connection.exec_driver_sql(f'SELECT {given}')"),
        (False, "op.execute(f'SELECT {given}')"),
    ],
)
def test_a_value_in_sql_would_be_seen(fixed: bool, line: str) -> None:
    source = f"from sqlalchemy import text\nTURN_S = 5\ndef ask(given):\n    {line}\n"
    ((found, scopes),) = statements(ast.parse(source))
    assert is_fixed(found, scopes) == fixed


def test_no_column_holds_what_would_have_to_be_unpickled() -> None:
    kinds = {type(column.type).__name__ for table in METADATA.tables.values() for column in table.columns}
    assert kinds <= {"Integer", "BigInteger", "String", "Text", "Double", "DateTime"}


# What is read


def command(*words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        "!!python/object/apply:os.system ['touch caught']",
        "!!python/name:os.system",
        "!!python/object/new:os.system [x]",
    ],
)
def test_a_file_that_names_python_objects_is_refused_in_one_line(line: str, tmp_path: Path) -> None:
    (tmp_path / "space.yaml").write_text(f"study: {line}\ndata: digits\n")
    done = command("search.launch", "space.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "could not determine a constructor" in done.stderr
    assert not (tmp_path / "caught").exists()


class Trap:
    """Leave a trace when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return (Path.touch, (self.trace,))


def test_a_checkpoint_that_would_execute_is_not_read(tmp_path: Path) -> None:
    import hashlib
    import io

    import torch

    state = io.BytesIO()
    torch.save({"network": Trap(tmp_path / "caught")}, state)
    path = tmp_path / "0.pt"
    path.write_bytes(hashlib.sha256(state.getvalue()).digest() + state.getvalue())  # its hash is right
    assert checkpoint.load(path) is None
    assert not (tmp_path / "caught").exists()
    pickle.loads(pickle.dumps(Trap(tmp_path / "caught")))
    assert (tmp_path / "caught").exists()  # the trap works


def test_images_that_would_execute_are_not_read(tmp_path: Path) -> None:
    trap = np.empty(1, dtype=object)
    trap[0] = Trap(tmp_path / "caught")
    np.savez(tmp_path / "images.npz", images=trap, labels=np.zeros(1, dtype=np.int64))
    with pytest.raises(InputError):
        read_npz(tmp_path / "images.npz", train=True)
    assert not (tmp_path / "caught").exists()


# Names and texts


def test_a_hostile_name_is_a_name_like_another(
    store: Store, make_study: Callable[..., StudyRecord], make_trial: Callable[..., TrialRecord]
) -> None:
    store.add_study(make_study(HOSTILE))
    store.add_trial(HOSTILE, make_trial(0, accuracies=[0.5], params={HOSTILE: HOSTILE}))
    store.add_rejection(HOSTILE, Rejection(params={HOSTILE: 1}, violations={HOSTILE: 1.0}, reason=HOSTILE))
    assert store.names() == [HOSTILE]
    with store.hold(HOSTILE.replace("/", "")):
        trial = store.trials(HOSTILE)[0]
    assert dict(trial.params) == {HOSTILE: HOSTILE}
    assert "nas_trial" in store.tables()
    with pytest.raises(InputError, match="there is no study"):
        store.trials("' OR '1'='1")


class Elements(HTMLParser):
    """Count elements, and keep what they refer to."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.references: list[str] = []
        self.handlers: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(tag)
        self.references += [value or "" for name, value in attrs if name in ("src", "href")]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]


def test_no_text_of_a_study_becomes_part_of_the_report(
    sqlite_url: str, tmp_path: Path, make_study: Callable[..., StudyRecord], make_trial: Callable[..., TrialRecord]
) -> None:
    pages = []
    for text in ("harmless", "</script><script>alert(1)</script><img src=http://x.example/ onerror=alert(1)>"):
        url = f"{sqlite_url}.{len(pages)}"
        with Store.open(url) as store:
            store.add_study(make_study("study", config={"study": text, "note": text}))
            failed = {"reason": text, "failure_kind": text, "failure_details": text, "state": State.FAILED}
            store.add_trial("study", make_trial(0, params={"block": text}, **failed))
            curve = [0.2] * 9
            store.add_trial("study", make_trial(1, params={"block": text}, accuracies=curve, state=State.COMPLETE))
            store.add_rejection("study", Rejection(params={"block": text}, violations={text: 1.0}, reason=text))
            store.open_session("study", started_at=make_study().created_at, machine={text: text})
        assert report([url, "--study", "study", "-o", str(tmp_path / "report.html")]) == 0
        pages.append(Elements((tmp_path / "report.html").read_text()))
    harmless, hostile = pages
    assert hostile.found.count("script") == harmless.found.count("script")
    assert hostile.found.count("img") == harmless.found.count("img")
    assert not hostile.handlers
    assert not [where for where in hostile.references if not where.startswith(("#", "data:,"))]


# Secrets


@pytest.mark.slow
@pytest.mark.parametrize("words", [
    ("search.launch", "space.yaml"), ("search.front", "${DB}"), ("search.doctor", "${DB}"),
    ("dashboards.report", "${DB}", "--study", "s"), ("dashboards.publish", "${DB}", "--study", "s"),
])  # fmt: skip
@pytest.mark.parametrize("url", [
    f"postgresql+psycopg://me:{SECRET}@127.0.0.1:9/x", f"postgresql+psycopg://me:{SECRET}@[broken/x",
    f"mysql://me:{SECRET}@host/x",
])  # fmt: skip
def test_no_complaint_shows_a_password(words: tuple[str, ...], url: str, tmp_path: Path) -> None:
    (tmp_path / "space.yaml").write_text(yaml.safe_dump({**SMALL, "storage": "${DB}"}))
    done = command(*words, cwd=tmp_path, DB=url)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert SECRET not in done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.cluster
def test_a_study_writes_its_password_nowhere(tmp_path: Path, postgres_url: str) -> None:
    """Neither into a table, an output, the report, Ray's logs or a checkpoint, nor onto any command line."""
    url = postgres_url.replace("postgres:@", f"postgres:{SECRET}@")
    assert SECRET in url
    (tmp_path / "space.yaml").write_text(yaml.safe_dump({**SMALL, "storage": "${DB}", "budget": {"trials": 3}}))
    scratch = Path(tempfile.mkdtemp(prefix="wf-", dir="/tmp"))  # short: Ray's sockets have long names
    try:
        said, lines = launch(tmp_path, DB=url, RAY_TMPDIR=str(scratch))
        check_whole(url, trials=3)
        assert SECRET not in said
        assert not [line for line in lines if SECRET in line]
        assert any("Trainable" in line for line in lines)  # workers were seen
        logs = [path for path in scratch.rglob("*") if path.is_file()]
        assert len(logs) > 10
        written = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert (tmp_path / "report.html") in written
        for path in (*logs, *written):
            assert SECRET.encode() not in path.read_bytes(), path
        assert SECRET not in dump(postgres_url)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def launch(folder: Path, **environment: str) -> tuple[str, set[str]]:
    """Return what a launch said, and every command line of its processes."""
    with (folder / "out.txt").open("w") as out:
        driver = subprocess.Popen(
            [sys.executable, "-m", "search.launch", "space.yaml", "--verbose"],
            cwd=folder, env={**os.environ, **environment}, stdout=out, stderr=subprocess.STDOUT,
        )  # fmt: skip
    lines: set[str] = set()
    while driver.poll() is None:
        lines |= command_lines(driver.pid)
        time.sleep(0.05)
    said = (folder / "out.txt").read_text()
    assert driver.returncode == 0, said
    return said, lines


def command_lines(pid: int) -> set[str]:
    try:
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return set()
    found = set()
    for process in family:
        try:
            found.add(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


def dump(url: str) -> str:
    """Return all that stands in any table of a database."""
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        rows = [connection.execute(psycopg.sql.SQL("SELECT * FROM {}").format(psycopg.sql.Identifier(name))).fetchall()
                for (name,) in tables]  # fmt: skip
    assert len(tables) > 10
    return repr(rows)
