"""Find out, once per machine, what it computes right and what is fast there: measured, since no call tells.

python -m workers.probe [--threads 1] [--image 1x8x8] [--batch 64]

A library's fault can be wrong numbers, a signal or a loop without end, so a process of its own looks for it.
"""

import argparse
import ctypes
import hashlib
import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock

from spaces import cli
from spaces.architecture import Architecture, ImageSpec
from spaces.network import build
from spaces.settings import read_image
from workers.device import cache_folder, fingerprint, use_threads
from workers.numerics import CANDIDATES, Numerics, allowed, usual
from workers.recipe import Recipe
from workers.truth import wrong

ANSWER_S = 120.0  # for one process of the probe; the slowest emulation takes a tenth of it
BLAMED = ("no answer", *(f"ended by SIG{name}" for name in ("SEGV", "ABRT", "ILL", "BUS", "FPE")))
ROUNDS = 4  # of timing; the least counts, and the first only warms up
HOPELESS = 3.0  # times the fastest: no further round
MOST_NUMBERS = 2**17  # of a batch that is timed
VARIABLES = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY", "ONEDNN_DEFAULT_FPMATH_MODE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a machine computes right, and how fast."""

    kind: str  # of machine and setting: the processor, its variables, the threads of a trial
    host: str
    product: str  # the version of this program
    torch: str
    step_ms: dict[str, float] = field(default_factory=dict)  # by name, of a small network; those that are right
    wrong: dict[str, str] = field(default_factory=dict)  # by name, in what way

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return asdict(self)


def verdict_of(recipe: Recipe, image: ImageSpec, device: torch.device, *, threads: int) -> Verdict:
    """Return what a device computes right: a processor by `examine`, a GPU by `examine_gpu`."""
    if device.type == "cpu":
        return examine(image, batch=recipe.batch_size, threads=threads)
    return examine_gpu(recipe, device)


def examine(image: ImageSpec, *, batch: int, threads: int) -> Verdict:
    """Return this machine's verdict: that of its last probe with this setting, or of one now (one to two seconds)."""
    asked = Asked(image=(image.channels, image.height, image.width), batch=batch, threads=threads)
    try:
        folder = cache_folder()
        with FileLock(folder / f"{asked.key}.lock"):
            return _kept(folder / f"{asked.key}.json", asked)
    except OSError:  # no place to keep it, or no room: it is measured each time
        return _probe(asked)


def _kept(path: Path, asked: "Asked") -> Verdict:
    """Return the verdict in a file, made now where it holds none."""
    with suppress(OSError, ValueError, TypeError):
        return Verdict(**json.loads(path.read_text(encoding="utf-8")))
    found = _probe(asked)
    if found.step_ms:  # else the probe could not run, which may pass
        with suppress(OSError):
            path.write_text(json.dumps(found.to_json()), encoding="utf-8")
    return found


@lru_cache(maxsize=8)
def examine_gpu(recipe: Recipe, device: torch.device) -> Verdict:
    """Return a GPU's verdict: the first candidate that is right, of those that a recipe allows what is usual first.

    A fault of CUDA's is an exception, so this process can look for it.
    """
    first = usual(recipe, device)
    ranked = [first, *(each for each in allowed(recipe) if each != first)]
    faults: dict[str, str] = {}
    for rank, each in enumerate(ranked):
        if not (fault := wrong(each, device=device)):
            return _verdict(torch.cuda.get_device_name(device), {each.name: float(rank)}, faults)
        faults[each.name] = fault
    return _verdict(torch.cuda.get_device_name(device), {}, faults)


def _verdict(kind: str, step_ms: dict[str, float], faults: dict[str, str]) -> Verdict:
    return Verdict(kind=kind, host=platform.node(), product=_product(), torch=str(torch.__version__),
                   step_ms=step_ms, wrong=faults)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What one probe is about."""

    image: tuple[int, int, int]  # c h w
    batch: int
    threads: int

    @property
    def kind(self) -> str:
        """Name the kind of machine and setting, for which a choice once made stays."""
        known = fingerprint(torch.device("cpu"))
        given = [f"{name}={os.environ[name]}" for name in VARIABLES if name in os.environ]
        return ", ".join((known["device"], platform.machine(), *given, f"{self.threads} threads"))

    @property
    def key(self) -> str:
        """Name the file in which the verdict is kept."""
        said = (self.kind, platform.node(), _product(), torch.__version__, self.image, self.batch)
        return hashlib.sha256(repr(said).encode()).hexdigest()[:24]


def _product() -> str:
    try:
        return version("widefront")
    except PackageNotFoundError:  # sources that are not installed
        return "unknown"


def _probe(asked: Asked) -> Verdict:
    """Ask processes of their own until one has been through all candidates that are left."""
    right: dict[str, float] = {}
    faults: dict[str, str] = {}
    while True:
        told, death = _ask(asked, list(faults))
        begun = None
        for line in told:
            begun = line.get("begin", begun)
            if line.get("wrong"):
                faults[line["name"]] = line["wrong"]
            elif "step_ms" in line:
                right[line["name"]] = line["step_ms"]
        if not death:
            return _verdict(asked.kind, right, faults)
        if begun is None or begun in faults or not death.startswith(BLAMED):  # somebody else ended it: nothing is told
            return _verdict(asked.kind, {}, {})
        faults[begun] = death
        right.clear()


def _ask(asked: Asked, skip: Sequence[str]) -> tuple[list[dict[str, Any]], str]:
    """Return what one process told, and how it died if it did not end by itself."""
    command = [sys.executable, "-m", "workers.probe", "--tell", "--threads", str(asked.threads),
               "--image", "x".join(map(str, asked.image)), "--batch", str(asked.batch), "--skip", *skip]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    death = ""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=ANSWER_S, env=environment,
            start_new_session=True,  # Ctrl-C is not for it
        )  # fmt: skip
        out, code = done.stdout, done.returncode
    except subprocess.TimeoutExpired as late:
        out, code = (late.stdout or b"").decode() if isinstance(late.stdout, bytes) else late.stdout or "", 0
        death = f"no answer in {ANSWER_S:.0f} s"
    if code:
        death = f"ended by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    return [json.loads(line) for line in out.splitlines() if line.startswith("{") and line.endswith("}")], death


def _tell(**line: Any) -> None:
    print(json.dumps(line), flush=True)


def _look(image: ImageSpec, batch: int, skip: Sequence[str]) -> None:
    """Tell of each candidate whether it is right, and of those that are how long a step takes."""
    right = []
    for each in CANDIDATES:
        if each.name not in skip:
            _tell(begin=each.name)
            fault = wrong(each)
            _tell(name=each.name, wrong=fault)
            right += [] if fault else [each]
    fast = [each for each in right if each.onednn] or right
    took = {each.name: float("inf") for each in fast}
    for _ in range(ROUNDS):
        for each in fast:
            if took[each.name] == float("inf") or took[each.name] < HOPELESS * min(took.values()):
                _tell(begin=each.name)
                took[each.name] = min(took[each.name], _step_ms(each, image, batch))
    for name, step_ms in took.items():
        _tell(name=name, step_ms=step_ms)


def _end_with_parent() -> None:
    """Let no probe outlive who asked, nor its time: one that spins in native code hears nothing but the kernel."""
    with suppress(OSError, AttributeError):  # Linux alone has it
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    signal.alarm(int(ANSWER_S) + 10)


def _step_ms(numerics: Numerics, image: ImageSpec, batch: int) -> float:
    """Return the milliseconds of a warm step of a small residual network."""
    numerics.apply()
    network = build(Architecture(depths=(1, 1, 1)), image, generator=torch.Generator().manual_seed(0))
    network = network.to(memory_format=numerics.memory_format)
    fitting = max(2, min(batch, MOST_NUMBERS // (image.channels * image.height * image.width)))
    images = torch.zeros(fitting, image.channels, image.height, image.width)
    images = images.to(memory_format=numerics.memory_format)
    took = []
    for _ in range(2):
        began = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=numerics.bfloat16):
            logits = network(images)
        logits.float().square().mean().backward()
        took.append(1000 * (time.perf_counter() - began))
    return took[-1]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 1 where anything is computed wrong."""
    return cli.run(_parser(), argv, _act)


def _act(given: argparse.Namespace) -> int:
    image = read_image(given.image, 10)
    if given.tell:
        _end_with_parent()
        use_threads(given.threads)
        _look(image, given.batch, given.skip)
        return 0
    verdict = _probe(Asked(image=(image.channels, image.height, image.width), batch=given.batch, threads=given.threads))
    print("\n".join(lines(verdict)))
    return 1 if verdict.wrong else 0


def lines(verdict: Verdict) -> list[str]:
    """Return a line for the machine and one for each candidate, the fastest first."""
    fastest = sorted(verdict.step_ms.items(), key=lambda item: item[1])
    return [
        f"{verdict.host}: {verdict.kind}, torch {verdict.torch}",
        *(f"  right  {name}: {step_ms:.1f} ms a step" for name, step_ms in fastest),
        *(f"  WRONG  {name}: {why}" for name, why in verdict.wrong.items()),
    ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m workers.probe", description="Say what this machine computes right."
    )
    parser.add_argument("--threads", type=int, default=1, help="of one trial")
    parser.add_argument("--image", default="3x32x32", metavar="CxHxW", help="what is timed")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--tell", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--skip", nargs="*", default=[], help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
