"""Write a network as ONNX or as torch's own exported program, and compare what they compute with torch.

Speaks onnx and onnxruntime, which `pip install 'widefront[export]'` brings.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spaces.errors import InputError, WidefrontError, first_line
from workers.exported import INPUT, ONNX, OUTPUT, PREPROCESS, PROGRAM, Exported

MOST_DIFFERENCE = 1e-4  # relative, between two runtimes
_BATCH = 64
_EXTRA = "which `pip install 'widefront[export]'` brings"


def program_of(module: Exported) -> "torch.export.ExportedProgram":
    """Return what torch exports of a module: uint8 images `n c h w` from 0 to 255 to probabilities `n k`, for any n.

    Raises:
        WidefrontError: torch cannot export it.
    """
    image = module.preprocess.image
    example = torch.zeros(2, image.channels, image.height, image.width, dtype=torch.uint8)  # of 1 it makes a constant
    with _written("what it computes"):
        program = torch.export.export(module, (example,), dynamic_shapes=_any_batch())
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # names this machine's files
    return program


def write_onnx(program: "torch.export.ExportedProgram", folder: Path) -> int:
    """Write `model.onnx` and return its opset.

    Raises:
        InputError: onnx or onnxscript is not installed.
        WidefrontError: torch cannot write it.
    """
    with _installed():
        import onnx
        import onnxscript  # noqa: F401  # torch writes by it
    with _written(ONNX):
        made: Any = torch.onnx.export(
            program, dynamo=True, input_names=[INPUT], output_names=[OUTPUT], dynamic_shapes=_any_batch(), verbose=False
        )
        model = made.model_proto
        _forget_places(model)
        onnx.helper.set_model_props(model, {PREPROCESS: (folder / PREPROCESS).read_text()})
        onnx.checker.check_model(model)
        onnx.save(model, folder / ONNX)
    return next(int(each.version) for each in model.opset_import if not each.domain)


def write_program(program: "torch.export.ExportedProgram", folder: Path) -> None:
    """Write `model.pt2`, which `torch.export.load` opens without this package.

    Raises:
        WidefrontError: torch cannot write it.
    """
    with _written(PROGRAM):
        torch.export.save(program, folder / PROGRAM, extra_files={PREPROCESS: (folder / PREPROCESS).read_text()})


def runner(path: Path, *, threads: int | None = None) -> Any:
    """Return an onnxruntime session of a file on the processor, on so many threads; else as many as it takes itself.

    Raises:
        InputError: onnxruntime is not installed, or does not read the file.
    """
    with _installed():
        import onnxruntime
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # it has a class of its own for each cause, below none but this one
        raise InputError(f"onnxruntime cannot read it: {first_line(error)}", place=str(path)) from error


def difference_onnx(module: Exported, folder: Path, images: Tensor) -> float:
    """Return how far onnxruntime is from torch: the largest difference of probabilities, over their image's largest.

    Args:
        module: what was written.
        folder: with `model.onnx`.
        images: uint8 `n c h w`.

    Raises:
        InputError: onnxruntime is not installed.
        WidefrontError: it is farther than is allowed.
    """
    session = runner(folder / ONNX)
    return _difference(module, lambda each: torch.from_numpy(session.run(None, {INPUT: each.numpy()})[0]), images, ONNX)


def difference_program(module: Exported, folder: Path, images: Tensor) -> float:
    """Return how far torch's exported program is from the module; see `difference_onnx`."""
    return _difference(module, torch.export.load(folder / PROGRAM).module(), images, PROGRAM)


def _difference(module: Exported, other: Callable[[Tensor], Tensor], images: Tensor, name: str) -> float:
    found = 0.0
    for each in torch.split(images, _BATCH):
        with torch.inference_mode():
            ours, theirs = module(each), other(each)
        apart = (theirs - ours).abs().amax(dim=1) / ours.amax(dim=1)
        found = max(found, float(apart.nan_to_num(torch.inf).max()))
    if found > MOST_DIFFERENCE:
        raise WidefrontError(f"{name} differs from torch by {found:.1e} relative, more than {MOST_DIFFERENCE:.0e}")
    return found


def _any_batch() -> dict[str, dict[int, Any]]:
    return {INPUT: {0: torch.export.Dim("n")}}


def _forget_places(model: Any) -> None:
    """Take away what torch notes of each node: among it are the names of this machine's files."""
    graph = model.graph
    for each in (model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer, *graph.value_info):
        del each.metadata_props[:]


@contextmanager
def _installed() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise InputError(f"ONNX needs {error.name}, {_EXTRA}", place="--onnx") from error


@contextmanager
def _written(name: str) -> Iterator[None]:
    try:
        yield
    except (OSError, WidefrontError):
        raise
    except Exception as error:  # torch's exporters have errors of many kinds
        raise WidefrontError(f"torch cannot write {name}: {first_line(error)}") from error
