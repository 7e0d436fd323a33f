"""Every kind of network can be written as ONNX and as torch's own program, and computes the same there."""

import builtins
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch

from spaces.architecture import Architecture, ImageSpec
from spaces.errors import InputError, WidefrontError
from spaces.kinds import KINDS
from spaces.network import build
from workers.exported import ONNX, PREPROCESS, Exported
from workers.interchange import difference_onnx, difference_program, program_of, runner, write_onnx, write_program
from workers.preprocess import Preprocess

IMAGE = ImageSpec(channels=3, height=9, width=12, classes=4)
TOLD = Preprocess(
    channels=3, height=9, width=12, mean=(0.4, 0.5, 0.6), deviation=(0.2, 0.3, 1.0), class_names=("a", "b", "c", "d")
)
SMALL = Architecture(depths=(2, 1), widths=(8, 16), stem_width=8)
FORMS = {
    **{block: replace(SMALL, block=block, growth=4) for block in KINDS},
    "groups": replace(SMALL, block="resnext", cardinality=4),
    "shortcut A": replace(SMALL, shortcut="A"),
    "shortcut pool": replace(SMALL, shortcut="pool"),
    "shortcut C": replace(SMALL, shortcut="C"),
    "no shortcut": replace(SMALL, shortcut="none"),
    "large stem": replace(SMALL, stem="large"),
    "cosine": replace(SMALL, block="preact", head="cosine"),
    "crelu": replace(SMALL, activation="crelu"),
    "dropped batches": replace(SMALL, dropout="branch", dropout_rate=0.4, drop_unit="batch"),
    "dropped samples": replace(SMALL, dropout="branch", dropout_rate=0.4, drop_unit="sample"),
    "dropout": replace(SMALL, dropout="between", dropout_rate=0.4),
    "kernels": replace(SMALL, block="preact", kernels=(1, 3, 1)),
    "branches": replace(SMALL, block="preact", branches=3),
    "bare projection": replace(SMALL, shortcut="conv"),
    "scaled": replace(SMALL, shortcut="scaled"),
    "gated": replace(SMALL, shortcut="gated"),
    "exclusive": replace(SMALL, shortcut="exclusive"),
    "squeezed": replace(SMALL, attention="squeeze_excite", reduction=2),
    "swapout": replace(SMALL, dropout="swapout", dropout_rate=0.4),
    "levels": replace(SMALL, levels=3),
    "pooled": replace(SMALL, block="conv", downsampling="max"),
    "pointwise": replace(SMALL, head="pointwise", head_width=6),
    "hidden layers": replace(SMALL, head="layers", head_width=6),
}


def module_of(architecture: Architecture) -> Exported:
    """Return a network whose normalisations have seen images, so that none of them is the identity."""
    network = build(architecture, IMAGE, generator=torch.Generator().manual_seed(1))
    module = Exported(network, TOLD)
    with torch.no_grad():
        for _ in range(3):
            module.train()(images(8))
    return module.eval()


def images(count: int) -> torch.Tensor:
    size = (count, IMAGE.channels, IMAGE.height, IMAGE.width)
    return torch.randint(256, size, dtype=torch.uint8, generator=torch.Generator().manual_seed(count))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / PREPROCESS).write_text("{}")
    return tmp_path


# Those that export no operation that another form has not.
ALIKE = {"shortcut C", "large stem", "dropped batches", "dropped samples", "dropout", "kernels", "branches",
         "bare projection", "scaled", "exclusive", "levels", "hidden layers"}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.very_slow) if name in ALIKE else name for name in FORMS]
)
def test_every_kind_of_network_computes_the_same_in_onnxruntime_for_any_batch(name: str, folder: Path) -> None:
    module = module_of(FORMS[name])
    assert write_onnx(program_of(module), folder) >= 18
    for count in (1, 2, 7):
        assert difference_onnx(module, folder, images(count)) < 1e-5
    (given,) = onnx.load(folder / ONNX).graph.input
    assert [each.dim_param or each.dim_value for each in given.type.tensor_type.shape.dim] == ["n", 3, 9, 12]
    assert given.type.tensor_type.elem_type == onnx.TensorProto.UINT8


@pytest.mark.slow
def test_torchs_own_program_computes_the_same_for_any_batch(folder: Path) -> None:
    module = module_of(FORMS["bottleneck"])
    write_program(program_of(module), folder)
    for count in (1, 2, 7):
        assert difference_program(module, folder, images(count)) < 1e-6


@pytest.mark.slow
def test_what_differs_is_refused(folder: Path) -> None:
    module = module_of(SMALL)
    write_onnx(program_of(module), folder)
    with torch.no_grad():
        module.network.head.classifier.bias += torch.tensor([0.0, 0.0, 0.0, 0.01])
    with pytest.raises(WidefrontError, match=r"model.onnx differs from torch by .*e-03 relative, more than 1e-04"):
        difference_onnx(module, folder, images(4))


def test_what_is_not_installed_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any) -> Any:
        if name.startswith("onnx"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(InputError, match=r"--onnx: ONNX needs onnxruntime, which `pip install 'widefront\[export\]'`"):
        runner(folder / ONNX)


def test_a_file_that_is_no_onnx_is_refused_in_one_line(folder: Path) -> None:
    (folder / ONNX).write_bytes(b"no")
    with pytest.raises(InputError, match=r"model.onnx: onnxruntime cannot read it"):
        runner(folder / ONNX)
