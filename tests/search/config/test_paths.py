"""A file that was sent from elsewhere reads and writes below one folder, whatever it says."""

from pathlib import Path
from typing import Any

import pytest

from search.config.paths import check_inside, check_named, enter
from search.config.study import StudyConfig, parse
from spaces.errors import InputError

WAYS_OUT: list[tuple[dict[str, Any], str]] = [
    ({"data": {"npz": "/etc/images.npz"}}, "data.path"),
    ({"data": {"folder": "../others"}}, "data.path"),
    ({"data": {"folder": "a/../../others"}}, "data.path"),
    ({"data": {"torchvision": "CIFAR10", "root": "~/data"}}, "data.root"),
    ({"data": {"torchvision": "CIFAR10", "root": "~root/data"}}, "data.root"),
    ({"checkpoints": "/tmp"}, "checkpoints"),
    ({"checkpoints": "runs/../.."}, "checkpoints"),
    ({"checkpoints": "file:///etc"}, "checkpoints"),
    ({"checkpoints": "LOCAL:///etc"}, "checkpoints"),
    ({"checkpoints": "file://../x"}, "checkpoints"),
    ({"checkpoints": "zip://a.zip::file:///etc"}, "checkpoints"),
    ({"checkpoints": "a\nb"}, "checkpoints"),
    ({"checkpoints": "a\0b"}, "checkpoints"),
    ({"storage": "sqlite:////etc/study.db"}, "storage"),
    ({"storage": "sqlite:///../study.db"}, "storage"),
    ({"storage": "sqlite+pysqlite:////etc/study.db"}, "storage"),
    ({"storage": "sqlite:///~/study.db"}, "storage"),
    ({"storage": "postgresql+psycopg://u@h/d?passfile=/etc/shadow"}, "storage"),
    ({"storage": "postgresql+psycopg://u@h/d?sslkeylogfile=../log"}, "storage"),
    ({"storage": "mysql://u@h/d"}, "storage"),
]
INSIDE: list[dict[str, Any]] = [
    {},
    {"data": {"npz": "images.npz"}},
    {"data": {"folder": "./a/../b"}},
    {"data": {"torchvision": "CIFAR10"}},
    {"data": "fashion-mnist"},
    {"checkpoints": "."},
    {"checkpoints": "file://runs"},
    {"checkpoints": "s3://bucket/runs"},
    {"storage": "sqlite:///deep/study.db"},
    {"storage": "postgresql+psycopg://u@h/d?sslrootcert=system"},
]


def config(**changes: Any) -> StudyConfig:
    usual = {"study": "s", "data": "digits", "space": {"depth": {"int": [1, 2]}}}
    return parse({**usual, **changes})


@pytest.fixture
def stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the working folder, and stand in it."""
    monkeypatch.chdir(tmp_path)  # also puts everything back
    return enter(str(tmp_path / "work"))


@pytest.mark.parametrize(("changes", "place"), WAYS_OUT)
def test_a_way_out_is_refused_before_it_is_sent_and_where_it_arrives(
    changes: dict[str, Any], place: str, stand: Path
) -> None:
    for check in (
        lambda: check_named(config(**changes), "/mnt/work"),
        lambda: check_named(config(**changes), "~/work"),
        lambda: check_inside(config(**changes), stand, None),
    ):
        with pytest.raises(InputError) as refused:
            check()
        assert refused.value.place == place
        assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize("changes", INSIDE)
def test_what_stays_inside_is_let_through(changes: dict[str, Any], stand: Path) -> None:
    check_named(config(**changes), "~/work")
    check_inside(config(**changes), stand, Path("report.html"))


def test_an_absolute_path_below_the_folder_stays_inside(stand: Path) -> None:
    check_inside(config(checkpoints=str(stand / "runs")), stand, None)
    check_named(config(checkpoints="/mnt/work/runs"), "/mnt/work/")
    with pytest.raises(InputError, match="leaves the working folder"):
        check_named(config(checkpoints="/mnt/workshop"), "/mnt/work")


def test_links_that_lead_out_or_in_a_circle_are_refused_where_the_file_arrives(stand: Path) -> None:
    (stand / "out").symlink_to("/etc")
    (stand / "round").symlink_to("round")
    (stand / "inner").symlink_to(stand)
    for name in ("out", "out/deep", "round"):
        with pytest.raises(InputError, match="leaves the working folder"):
            check_inside(config(checkpoints=name), stand, None)
    check_inside(config(checkpoints="inner/runs"), stand, None)


def test_the_folder_may_itself_be_reached_by_a_link(stand: Path) -> None:
    (stand.parent / "link").symlink_to(stand)
    check_inside(config(), enter(str(stand.parent / "link")), Path("report.html"))


def test_the_report_may_not_leave_either(stand: Path) -> None:
    with pytest.raises(InputError, match="--report"):
        check_inside(config(), stand, Path("../report.html"))


def test_a_variable_is_left_for_where_it_is_known() -> None:
    asking = config(data={"npz": "${IMAGES}"}, storage="${DB}", checkpoints="${RUNS}/x")
    check_named(asking, "~/work")


def test_a_folder_that_cannot_be_had_is_refused(stand: Path) -> None:
    (stand / "file").write_text("")
    for folder in (str(stand / "file"), str(stand / "file" / "x"), "~nobody-of-this-name/x", "a\0b"):
        with pytest.raises(InputError, match="cannot stand in"):
            enter(folder)
    assert Path.cwd() == stand
