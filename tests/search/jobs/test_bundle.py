"""What is sent to a cluster: what a wheel holds and the study's file, and nothing that lies about."""

import tomllib
from pathlib import Path

from setuptools import find_packages

from search.jobs.bundle import DATA, FILE, PACKAGES, pack, sources

ROOT = Path(__file__).resolve().parents[3]


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("text")


def test_the_sources_and_the_file_are_packed_and_nothing_else(tmp_path: Path) -> None:
    packed = pack("study: s\n", tmp_path)
    found = {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*") if file.is_file()}
    assert (tmp_path / FILE).read_text() == "study: s\n"
    assert {name.partition("/")[0] for name in found} == {FILE, *PACKAGES}
    code = {name for name in found if not name.startswith("dashboards/live/templates/")}
    assert not {Path(name).suffix for name in code} & {".db", ".pyc", ".html", ".pt", ".lock", ".npz"}
    assert {
        "search/launch.py",
        "search/storage/migrations/versions/0001_first_tables.py",
        "dashboards/publish.py",
        "dashboards/live/static/live.css",
    } <= found
    assert packed.files == len(found)
    assert packed.size_bytes == sum((tmp_path / name).stat().st_size for name in found)


def test_what_lies_in_a_source_folder_without_belonging_to_it_stays_here(tmp_path: Path) -> None:
    home = tmp_path / "search"
    write(home, "__init__.py", "a.py", "inner/__init__.py", "inner/b.py")
    write(home, "study.db", "notes.txt", ".env", "__pycache__/a.pyc", "data/photo.py", "secret.yaml", "examples/e.yaml")
    write(tmp_path, "outside/__init__.py", "outside/c.py", "key.py")
    (home / "linked").symlink_to(tmp_path / "outside")
    (home / "key.py").symlink_to(tmp_path / "key.py")
    found = [str(file.relative_to(home)) for file in sources("search", home)]
    assert found == ["__init__.py", "a.py", "inner/__init__.py", "inner/b.py"]


def test_the_data_of_packages_are_those_of_a_wheel() -> None:
    built = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert {name: list(patterns) for name, patterns in DATA.items()} == built["package-data"]
    packages = find_packages(str(ROOT), include=built["packages"]["find"]["include"])
    assert set(PACKAGES) == {name for name in packages if "." not in name}
    packed = {str(file.parent.relative_to(ROOT)).replace("/", ".")
              for name in PACKAGES for file in sources(name, ROOT / name)
              if (file.parent / "__init__.py").exists()}  # fmt: skip
    assert packed == set(packages)
