"""Time a folder that was handed over, as each runtime computes it: from images to probabilities."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from spaces.architecture import ImageSpec
from spaces.errors import InputError, first_line, unknown
from workers.device import fingerprint
from workers.exported import CARD, INPUT, ONNX, WEIGHTS, check_whole, load
from workers.interchange import runner
from workers.latency import Latency, timed

Run = Callable[[Tensor], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """How long a folder's network takes on one device, from uint8 images to probabilities."""

    runtime: str
    file: str
    file_bytes: int
    device: str  # the hardware
    threads: int  # of a processor
    one: Latency
    many: Latency

    def to_json(self) -> dict[str, str | int | float]:
        """Return the fields as plain values, times in milliseconds."""
        times = {
            f"latency{percentile}_ms_batch{end}": getattr(latency, f"{percentile.lstrip('_') or 'median'}_ms")
            for latency, end in ((self.one, "1"), (self.many, ""))
            for percentile in ("", "_p90", "_p99")
        }
        return {
            **{name: getattr(self, name) for name in ("runtime", "file", "file_bytes", "device", "threads")},
            "batch": self.many.batch,
            **times,
            "images_per_s": self.many.images_per_s,
        }


def usual(folder: Path) -> str:
    """Return the runtime that a folder is for where none is named."""
    return "onnxruntime" if (folder / ONNX).exists() else "torch"


def is_export(folder: Path) -> bool:
    """Whether it is a folder that was handed over.

    Raises:
        InputError: it is another folder.
    """
    if folder.is_dir() and not (folder / CARD).is_file():
        raise InputError(f"holds no {CARD}, so it is no folder that search.export has written", place=str(folder))
    return folder.is_dir()


def measure(folder: Path, runtime: str, *, batch: int, device: torch.device, threads: int) -> Timed:
    """Time a folder's network on one image and on a batch of noise.

    Args:
        folder: that `search.export` wrote.
        runtime: a key of RUNTIMES.
        batch: images at once.
        device: where torch computes; onnxruntime computes on the processor.
        threads: of the processor.

    Raises:
        InputError: a file is missing or damaged, or the runtime is unknown, not installed, or not for the device.
    """
    if runtime not in RUNTIMES:
        raise InputError(unknown("runtime", runtime, RUNTIMES), place="--runtime")
    opened = load(folder)
    run = RUNTIMES[runtime](folder, device, threads)
    one, many = (_timed(run, opened.preprocess.image, count, device) for count in (1, batch))
    file = ONNX if runtime == "onnxruntime" else WEIGHTS
    return Timed(
        runtime=runtime,
        file=file,
        file_bytes=(folder / file).stat().st_size,
        device=fingerprint(device)["device"],
        threads=threads,
        one=one,
        many=many,
    )


def _timed(run: Run, image: ImageSpec, batch: int, device: torch.device) -> Latency:
    size = (batch, image.channels, image.height, image.width)
    drawn = torch.randint(256, size, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    images = drawn.to(device)
    with torch.inference_mode():
        return timed(lambda: run(images), batch=batch, device=device)


def _onnxruntime(folder: Path, device: torch.device, threads: int) -> Run:
    if device.type != "cpu":
        raise InputError("onnxruntime computes on the processor here: give --device cpu", place="--device")
    if not (folder / ONNX).exists():
        raise InputError(f"there is no {ONNX}: export with --onnx", place=str(folder))
    check_whole(folder, ONNX)
    session = runner(folder / ONNX, threads=threads)
    return lambda images: session.run(None, {INPUT: images.numpy()})


def _torch(folder: Path, device: torch.device, _threads: int) -> Run:
    return load(folder).to(device)


def _compiled(folder: Path, device: torch.device, _threads: int) -> Run:
    """Compile at the first batch of each size; what takes that long is not timed."""
    compiled = torch.compile(load(folder).to(device), dynamic=False)

    def run(images: Tensor) -> object:
        try:
            return compiled(images)
        except Exception as error:  # of many kinds: there is no compiler, or it refuses
            raise InputError(f"torch.compile does not work here: {first_line(error)}", place="--runtime") from error

    return run


RUNTIMES: Mapping[str, Callable[[Path, torch.device, int], Run]] = {
    "onnxruntime": _onnxruntime,
    "torch": _torch,
    "torch-compile": _compiled,
}


def table(found: Timed) -> str:
    """Return it for people."""
    rows = [
        ("file", f"{found.file}, {found.file_bytes:,} bytes"),
        ("runtime", found.runtime),
        ("device", f"{found.device}, threads: {found.threads}"),
        ("latency", _said(found.one)),
        ("", _said(found.many)),
        ("images", f"{found.many.images_per_s:,.0f} per second, {found.many.batch} at once"),
    ]
    return "\n".join(f"{label:<13}{text}" for label, text in rows)


def _said(latency: Latency) -> str:
    images = "1 image" if latency.batch == 1 else f"{latency.batch} images"
    tail = f"90 % within {latency.p90_ms:.3f} ms, 99 % within {latency.p99_ms:.3f} ms"
    return f"{latency.median_ms:.3f} ms for {images}, {tail} ({latency.runs} runs)"
