"""The files for clusters can be used as they are, but for the few values that are marked."""

import ast
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import psutil
import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config
from setuptools import find_packages

from search.config.study import load
from search.launch import _parser
from tests.conftest import usual_signals
from tests.end_to_end.conftest import SMALL, wait_until
from tests.end_to_end.invariants import check_whole, read

ROOT = Path(__file__).resolve().parents[2]
CLUSTERS = ROOT / "workers" / "clusters"
NAMES = ("Dockerfile", "launcher.yaml", "rayjob.yaml", "slurm.sh")


def text(name: str) -> str:
    return (CLUSTERS / name).read_text(encoding="utf-8")


def pinned(package: str) -> str:
    """Return the version that constraints.txt names."""
    found = re.search(rf"^{package}==(.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


# What is common to all


def test_the_files_come_with_the_package() -> None:
    assert {entry.name for entry in files("workers").joinpath("clusters").iterdir()} == set(NAMES)
    assert "clusters/*" in project()["tool"]["setuptools"]["package-data"]["workers"]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_to_be_changed_is_marked_and_is_little(name: str) -> None:
    marked = [line for line in text(name).splitlines() if "<- change" in line]
    assert 1 <= len(marked) <= 10


@pytest.mark.parametrize("name", NAMES)
def test_no_example_of_an_address_stands_where_nobody_is_told_to_change_it(name: str) -> None:
    for line in text(name).splitlines():
        if "example.org" in line and not line.lstrip().startswith("#"):
            assert "<- change" in line


@pytest.mark.parametrize("name", NAMES)
def test_a_password_is_only_named(name: str) -> None:
    assert not re.search(r"://[^:\s/]+:(?!PASSWORD@)[^@\s]+@", text(name))


def test_images_are_of_this_version() -> None:
    images = {found for name in NAMES for found in re.findall(r"widefront:(\d[\w.]*)", text(name))}
    assert images == {project()["project"]["version"]}


def test_the_image_has_a_python_that_is_allowed_and_the_versions_that_are_pinned() -> None:
    python = re.search(r"^FROM python:(\d+\.\d+)", text("Dockerfile"), re.MULTILINE)
    assert python is not None
    assert project()["project"]["requires-python"] == f">={python[1]}"
    assert '--constraint constraints.txt ".[cluster]"' in text("Dockerfile")


def test_the_image_holds_all_that_is_installed() -> None:
    copied = [line.split()[1:-1] for line in text("Dockerfile").splitlines() if line.startswith("COPY")]
    given = {name for names in copied for name in names}
    packages = set(find_packages(str(ROOT), include=project()["tool"]["setuptools"]["packages"]["find"]["include"]))
    modules = {f"{name}.py" for name in project()["tool"]["setuptools"]["py-modules"]}
    assert given == {name for name in packages if "." not in name} | modules | {
        "pyproject.toml", "constraints.txt", "README.md", "LICENSE",
    }  # fmt: skip
    assert all((ROOT / name).exists() for name in given)


# Ray's cluster launcher


@pytest.fixture
def launcher() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(text("launcher.yaml"))
    return found


def test_ray_accepts_the_launchers_file(launcher: dict[str, Any]) -> None:
    validate_config(prepare_config(launcher))


def test_rays_validation_would_refuse_a_key_it_does_not_know(launcher: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        validate_config(prepare_config({**launcher, "max_wrokers": 8}))


def test_the_launchers_head_trains_nothing_and_the_trainers_come_and_go(launcher: dict[str, Any]) -> None:
    kinds = launcher["available_node_types"]
    head, trainer = kinds[launcher["head_node_type"]], kinds["trainer"]
    assert head["resources"] == {"CPU": 0}
    assert "--num-cpus=0" in launcher["head_start_ray_commands"][-1]
    assert trainer["min_workers"] == 0 < trainer["max_workers"] <= launcher["max_workers"]


def test_the_launchers_ray_asks_for_a_token_and_shows_its_dashboard_to_the_head_alone(
    launcher: dict[str, Any],
) -> None:
    assert "--env RAY_AUTH_MODE=token" in launcher["docker"]["run_options"]
    assert "/home/ray/.ray/auth_token" in launcher["file_mounts"]
    assert "--dashboard-host=127.0.0.1" in launcher["head_start_ray_commands"][-1]


def test_the_launcher_copies_no_password_to_a_trainer(launcher: dict[str, Any]) -> None:
    assert list(launcher["file_mounts"]) == ["/home/ray/.ray/auth_token"]
    assert "pgpass" not in yaml.safe_dump(launcher)


def test_the_launchers_shared_storage_is_mounted_in_every_container(launcher: dict[str, Any]) -> None:
    assert "--volume /mnt/shared:/mnt/shared" in launcher["docker"]["run_options"]
    (mount,) = (line for line in launcher["initialization_commands"] if "mount -t nfs4" in line)
    assert mount.split(" #")[0].rstrip().endswith("/mnt/shared")
    for command in launcher["initialization_commands"]:
        assert subprocess.run(["bash", "-n", "-c", command], check=False).returncode == 0


# KubeRay


def _object(required: str, also: str = "", **named: Any) -> dict[str, Any]:
    """Return the schema of an object with these keys and no others."""
    names = {name: {} for name in f"{required} {also}".split()}
    given = {name.replace("_", "-"): schema for name, schema in named.items()}
    return {
        "type": "object",
        "required": required.split(),
        "properties": {**names, **given},
        "additionalProperties": False,
    }


COUNT: dict[str, Any] = {"type": "integer", "minimum": 0}
TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
TEXTS: dict[str, Any] = {"type": "object", "additionalProperties": TEXT}  # also of numbers: they stand in quotes
ENTRY = _object(
    "name",
    "value",
    valueFrom=_object("secretKeyRef", secretKeyRef=_object("name key", name=TEXT, key=TEXT)),
)
CONTAINER = _object(
    "name image resources volumeMounts",
    name=TEXT,
    image=TEXT,
    env={"type": "array", "items": ENTRY},
    resources=_object("requests limits", requests=TEXTS, limits=TEXTS),
    volumeMounts={"type": "array", "items": _object("name mountPath", readOnly={"type": "boolean"})},
)
VOLUME = _object(
    "name",
    persistentVolumeClaim=_object("claimName", claimName=TEXT),
    configMap=_object("name", name=TEXT),
)
TEMPLATE = _object(
    "spec",
    spec=_object(
        "containers volumes",
        terminationGracePeriodSeconds=COUNT,
        containers={"type": "array", "items": CONTAINER, "minItems": 1, "maxItems": 1},
        volumes={"type": "array", "items": VOLUME},
        tolerations={"type": "array", "items": _object("key operator effect")},
    ),
)
# The part of ray.io/v1 that is used: its RayJobSpec, RayClusterSpec, HeadGroupSpec and WorkerGroupSpec.
RAY_JOB = _object(
    "apiVersion kind metadata spec",
    apiVersion={"const": "ray.io/v1"},
    kind={"const": "RayJob"},
    metadata=_object("name", name={"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]{0,45}[a-z0-9])?$"}),
    spec=_object(
        "entrypoint rayClusterSpec",
        entrypoint=TEXT,
        backoffLimit=COUNT,
        shutdownAfterJobFinishes={"type": "boolean"},
        ttlSecondsAfterFinished=COUNT,
        rayClusterSpec=_object(
            "headGroupSpec workerGroupSpecs rayVersion",
            rayVersion={"type": "string", "pattern": r"^\d+\.\d+\.\d+$"},
            enableInTreeAutoscaling={"type": "boolean"},
            autoscalerOptions=_object(
                "",
                idleTimeoutSeconds=COUNT,
                upscalingMode={"enum": ["Default", "Aggressive", "Conservative"]},
            ),
            authOptions=_object("mode", mode={"enum": ["token", "disabled"]}),
            headGroupSpec=_object(
                "rayStartParams template",
                serviceType={"enum": ["ClusterIP", "NodePort", "LoadBalancer"]},
                rayStartParams=TEXTS,
                template=TEMPLATE,
            ),
            workerGroupSpecs={
                "type": "array",
                "items": _object(
                    "groupName minReplicas maxReplicas rayStartParams template",
                    groupName=TEXT,
                    replicas=COUNT,
                    minReplicas=COUNT,
                    maxReplicas=COUNT,
                    rayStartParams=TEXTS,
                    template=TEMPLATE,
                ),
            },
        ),
    ),
)


@pytest.fixture
def manifests() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(text("rayjob.yaml")))


@pytest.fixture
def ray_job(manifests: list[dict[str, Any]]) -> dict[str, Any]:
    return manifests[1]


def pod(group: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = group["template"]["spec"]
    return found


def test_the_manifest_is_a_ray_job_as_kuberay_describes_it(ray_job: dict[str, Any]) -> None:
    jsonschema.validate(ray_job, RAY_JOB)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "RayJobs"},
        {"spec": {"entrypoint": "x"}},
        {"metadata": {"name": "Digits Front"}},
        {"replicas": 1},
    ],
)
def test_the_schema_refuses_what_is_no_ray_job(ray_job: dict[str, Any], wrong: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**ray_job, **wrong}, RAY_JOB)


def test_the_manifests_ray_is_the_pinned_one(ray_job: dict[str, Any]) -> None:
    assert ray_job["spec"]["rayClusterSpec"]["rayVersion"] == pinned("ray")


def test_the_entrypoint_is_our_launch_of_the_mounted_file(ray_job: dict[str, Any], tmp_path: Path) -> None:
    entrypoint = ray_job["spec"]["entrypoint"]
    # KubeRay from 1.5.1 on pastes it unquoted into a line like this, which a shell of the submitter's pod reads.
    line = f"ray job submit --address http://head:8265 --no-wait -- {entrypoint} ; echo rest"
    (tmp_path / "ray").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (tmp_path / "ray").chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True, env={"PATH": path})
    sent, rest = done.stdout.split("--\n")[1].splitlines()[:-1], done.stdout.splitlines()[-1]
    assert (sent, rest) == (shlex.split(entrypoint), "rest")  # all of it goes to the cluster, and nothing runs here
    assert sent[:3] == ["python", "-m", "search.launch"]
    given = _parser().parse_args(sent[3:])
    assert (given.address, given.file) == ("auto", Path("/etc/widefront/space.yaml"))
    assert given.folder == "/mnt/shared/widefront"
    mounts = pod(ray_job["spec"]["rayClusterSpec"]["headGroupSpec"])["containers"][0]["volumeMounts"]
    assert {"/etc/widefront", "/mnt/shared"} == {mount["mountPath"] for mount in mounts}


def test_the_study_in_the_manifest_is_a_whole_one_on_postgresql(
    manifests: list[dict[str, Any]], tmp_path: Path
) -> None:
    (tmp_path / "space.yaml").write_text(manifests[0]["data"]["space.yaml"])
    config = load(tmp_path / "space.yaml", environment={"WIDEFRONT_DATABASE": "postgresql+psycopg://me@db/x"})
    assert config.study == manifests[0]["metadata"]["name"] == manifests[1]["metadata"]["name"]
    assert config.storage == "postgresql+psycopg://me@db/x"
    assert config.storage_variables == ("WIDEFRONT_DATABASE",)


def test_a_trial_fits_into_a_trainer(manifests: list[dict[str, Any]], tmp_path: Path) -> None:
    (tmp_path / "space.yaml").write_text(manifests[0]["data"]["space.yaml"])
    resources = load(tmp_path / "space.yaml", environment=None).resources
    (group,) = manifests[1]["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    has = pod(group)["containers"][0]["resources"]["limits"]
    at_once = min(
        int(has["cpu"]) // resources.cpus_per_trial, int(int(has["nvidia.com/gpu"]) / resources.gpus_per_trial)
    )
    assert at_once * group["maxReplicas"] == resources.concurrent_trials


def test_the_address_of_the_database_comes_from_a_secret_and_to_the_head_alone(ray_job: dict[str, Any]) -> None:
    cluster = ray_job["spec"]["rayClusterSpec"]
    (entry,) = pod(cluster["headGroupSpec"])["containers"][0]["env"]
    assert entry["name"] == "WIDEFRONT_DATABASE"
    assert set(entry["valueFrom"]) == {"secretKeyRef"}
    assert "env" not in pod(cluster["workerGroupSpecs"][0])["containers"][0]
    assert "runtimeEnvYAML" not in ray_job["spec"]  # it would reach every worker


def test_the_manifests_head_trains_nothing_and_its_trainers_come_and_go(ray_job: dict[str, Any]) -> None:
    cluster = ray_job["spec"]["rayClusterSpec"]
    assert cluster["headGroupSpec"]["rayStartParams"] == {"num-cpus": "0", "num-gpus": "0"}
    assert cluster["enableInTreeAutoscaling"] is True
    for group in cluster["workerGroupSpecs"]:
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]


def test_every_node_of_the_manifest_mounts_the_same_claim(ray_job: dict[str, Any]) -> None:
    cluster = ray_job["spec"]["rayClusterSpec"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        (claim,) = (each for each in pod(group)["volumes"] if "persistentVolumeClaim" in each)
        mounts = {mount["name"]: mount["mountPath"] for mount in pod(group)["containers"][0]["volumeMounts"]}
        assert claim["persistentVolumeClaim"]["claimName"] == "widefront-shared"
        assert mounts[claim["name"]] == "/mnt/shared"
        assert {each["name"] for each in pod(group)["volumes"]} == set(mounts)


def test_the_manifests_ray_asks_for_a_token_and_is_no_service_to_the_outside(ray_job: dict[str, Any]) -> None:
    cluster = ray_job["spec"]["rayClusterSpec"]
    assert cluster["authOptions"] == {"mode": "token"}
    assert cluster["headGroupSpec"]["serviceType"] == "ClusterIP"


# SLURM


def test_bash_and_shellcheck_find_nothing_in_the_script() -> None:
    checker = Path(sys.executable).with_name("shellcheck")
    for command in (["bash", "-n"], [str(checker)]):
        done = subprocess.run([*command, str(CLUSTERS / "slurm.sh")], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_the_script_asks_slurm_for_stands_before_its_first_command() -> None:
    lines = text("slurm.sh").splitlines()
    asked = [number for number, line in enumerate(lines) if line.startswith("#SBATCH")]
    first = next(number for number, line in enumerate(lines) if line and not line.startswith("#"))
    assert lines[0] == "#!/bin/bash"
    assert max(asked) < first


def test_the_token_is_made_by_what_python_has() -> None:
    (command,) = re.findall(r"python -c '([^']+)'", text("slurm.sh"))
    ast.parse(command)


@pytest.mark.parametrize("asked", ["partition", "account", "mem", "time", "nodes", "cpus-per-task", "gpus-per-node"])
def test_what_sites_ask_for_can_be_told(asked: str) -> None:
    assert re.search(rf"^##?SBATCH --{asked}=.*# <- ", text("slurm.sh"), re.MULTILINE)


def test_the_drivers_that_the_readme_names_come_with_the_cluster() -> None:
    described = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = described["project"]["optional-dependencies"]
    assert "s3://" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert any(each.startswith("s3fs") for each in extras["cluster"])
    assert any(each.startswith("s3fs") for each in extras["s3"])
    assert pinned("s3fs") == pinned("fsspec")  # they are released together, and ask for each other's version


SRUN = """#!/bin/bash
while [[ $1 == --* ]]; do shift; done
env > "$HOME/environment-of-a-step"
exec "$@"
"""
SCONTROL = """#!/bin/bash
if [[ $1 == show ]]; then echo one; echo two; else echo "$*" >> "$HOME/asked-of-slurm"; fi
"""


@dataclass
class Allocation:
    """Stand in for SLURM: two nodes that are both this machine."""

    home: Path
    id: int = 0
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @staticmethod
    def number(launch: int) -> int:
        """Return a number that nobody else on this machine has, since ports and folders are named by it."""
        return 1_000_000 + os.getpid() % 10_000 + 10_000 * launch

    def submit(self) -> subprocess.Popen[bytes]:
        self.id = self.number(len(self.started))
        with (self.home / "out.txt").open("ab") as out:
            script = subprocess.Popen(
                ["bash", str(CLUSTERS / "slurm.sh"), "space.yaml"],
                cwd=self.home,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=usual_signals,
                env={
                    "HOME": str(self.home),
                    "PATH": f"{self.home}/bin:{os.environ['PATH']}",
                    "WIDEFRONT_FOLDER": str(self.home),
                    "WIDEFRONT_ENVIRONMENT": str(Path(sys.executable).parents[1]),
                    "SLURM_JOB_ID": str(self.id),
                    "SLURM_JOB_NODELIST": "n[1-2]",
                    "SLURM_CPUS_PER_TASK": "2",
                },
            )
        self.started.append(script)
        return script

    @property
    def said(self) -> str:
        return (self.home / "out.txt").read_text()

    def left(self) -> list[psutil.Process]:
        """Return what still lives of the sessions that were started."""
        mine = {script.pid for script in self.started}
        found = []
        for process in psutil.process_iter():
            try:
                if os.getsid(process.pid) in mine and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except (OSError, psutil.Error):
                continue
        return found


@pytest.fixture
def allocation(tmp_path: Path, postgres_url: str) -> Iterator[Allocation]:
    """Give two nodes, with a small study and its database's address; whatever was started there is ended."""
    (tmp_path / "bin").mkdir()
    for name, script in (("srun", SRUN), ("scontrol", SCONTROL)):
        (tmp_path / "bin" / name).write_text(script)
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / ".widefront-database").write_text(postgres_url)
    study = {"storage": "${WIDEFRONT_DATABASE}", "data": "digits", "scheduler": {"name": "fifo", "max_epochs": 8}}
    (tmp_path / "space.yaml").write_text(yaml.safe_dump({**SMALL, **study, "budget": {"trials": 4}}))
    made = Allocation(tmp_path)
    yield made
    for process in made.left():
        process.kill()
    for number in range(len(made.started)):
        shutil.rmtree(f"/tmp/widefront-{made.number(number)}", ignore_errors=True)  # Ray's logs


@pytest.mark.slow
@pytest.mark.cluster
def test_the_script_starts_ray_on_every_node_and_a_study_that_was_cut_off_goes_on(
    allocation: Allocation, postgres_url: str
) -> None:
    script = allocation.submit()
    wait_until(lambda: allocation.said.count("Ray runtime started.") == 2 or script.poll() is not None)
    wait_until(lambda: "a new study" in allocation.said or script.poll() is not None)  # its tables are there by then
    wait_until(lambda: any(trial.epochs for trial in read(postgres_url)[1]) or script.poll() is not None)
    script.send_signal(signal.SIGUSR1)  # as SLURM does, some minutes before the time limit
    assert script.wait(120) == 130, allocation.said
    assert (allocation.home / "asked-of-slurm").read_text() == f"requeue {allocation.id}\n"
    before = read(postgres_url)[1]
    assert allocation.submit().wait(240) == 0, allocation.said
    check_whole(postgres_url, trials=4)
    after = read(postgres_url)[1]
    for old, new in zip(before, after, strict=False):
        assert new.measurements[: old.epochs] == old.measurements
    wait_until(lambda: not allocation.left())
    assert not list(allocation.home.glob(".token-*"))
    assert not any(Path(f"/tmp/widefront-{allocation.number(number)}").exists() for number in (0, 1))
    told = (allocation.home / "environment-of-a-step").read_text()
    assert "RAY_AUTH_MODE=token" in told
    assert postgres_url not in told
