"""Blocks of a person's own are laid out, built, counted and told apart as any other."""

from pathlib import Path

import pytest
import torch

from spaces.architecture import Architecture, ImageSpec
from spaces.blocks import Residual
from spaces.counting import cost, cost_by_part
from spaces.errors import InputError
from spaces.kinds import KINDS
from spaces.network import build
from spaces.operations import Operations
from spaces.packages import BUILDERS, LOADED, Package, copy_to, hash_of, know, load, source_of
from tests.own_packages import EXAMPLE, Own, forgetting, own

__all__ = ["own"]

IMAGE = ImageSpec(channels=1, height=8, width=8, classes=10)
PLAIN = (
    "from spaces.blocks import Residual\nfrom spaces.packages import Block\nBLOCKS = {'mine': Block(build=Residual)}\n"
)
LAYER = """
from torch import nn
from spaces.packages import Block
class Layer(nn.Module):
    def __init__(self, spec):
        super().__init__()
        self.conv = nn.Conv2d(spec.in_width, spec.out_width, 3, spec.stride, 1)
    def forward(self, x):
        return BODY
BLOCKS = {'mine': Block(build=Layer)}
"""


def test_a_block_that_is_one_of_ours_costs_what_ours_costs_and_computes_the_same(own: Own) -> None:
    own.write(PLAIN)
    load("own")
    mine, ours = Architecture(block="mine"), Architecture(block="basic")
    assert cost(mine, IMAGE).macs == cost(ours, IMAGE).macs
    assert cost(mine, IMAGE).params == cost(ours, IMAGE).params
    assert mine.digest != ours.digest
    networks = [build(each, IMAGE, generator=torch.Generator().manual_seed(0)).eval() for each in (mine, ours)]
    images = torch.rand(3, 1, 8, 8)
    assert torch.equal(*(each(images) for each in networks))
    assert isinstance(networks[0].stages[0][0], Residual)


def test_what_a_layer_adds_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    with forgetting():
        load("green_nets")
        given = {"depths": (1, 1, 1), "widths": (16, 32, 64)}
        plain, gated = (cost(Architecture(block=each, **given), IMAGE) for each in ("basic", "se_basic"))  # type: ignore[arg-type]
        inner = {16: 4, 32: 8, 64: 16}
        assert gated.macs - plain.macs == sum(2 * width * less for width, less in inner.items())
        assert gated.params - plain.params == sum(2 * width * less + width + less for width, less in inner.items())


def test_another_source_is_another_network_and_what_stands_beside_it_is_not(own: Own) -> None:
    path = own.write(PLAIN)
    (path.parent / "__pycache__").mkdir(exist_ok=True)
    (path.parent / "__pycache__" / "x.pyc").write_bytes(b"1")
    (path.parent / ".swp").write_text("x")
    first = source_of("own")
    path.write_bytes(PLAIN.replace("\n", "\r\n").encode())
    assert source_of("own") == first
    path.write_text(f"{PLAIN}# more\n")
    assert source_of("own") != first
    (path.parent / "data.bin").write_bytes(b"\0\r\n")
    second = source_of("own")
    (path.parent / "data.bin").write_bytes(b"\0\n")
    assert source_of("own") != second


def test_a_digest_is_the_same_where_the_package_is_not(own: Own) -> None:
    own.write(PLAIN)
    known, _ = load("own")
    digest = Architecture(block="mine").digest
    told = known.to_json()
    with forgetting():
        for table in (LOADED, KINDS):
            table.pop("own" if table is LOADED else "mine")  # type: ignore[attr-defined]
        know(Package(**told))
        there = Architecture(block="mine")
        assert there.digest == digest
        BUILDERS.clear()
        with pytest.raises(InputError, match=f"block mine is of own, source {known.source}, which is not loaded here"):
            build(there, IMAGE)


def test_a_package_can_be_copied_and_imported_from_there(own: Own, tmp_path: Path) -> None:
    own.write(PLAIN)
    (own.folder / "alone.py").write_text("x = 1\n")
    target = tmp_path / "copy"
    target.mkdir()
    assert copy_to(target, ["own", "own.more", "alone"]) == [target / "own", target / "alone.py"]
    assert (target / "own" / "__init__.py").read_text() == PLAIN
    assert hash_of([("alone.py", target / "alone.py")]) == source_of("alone")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import nowhere_at_all", "package own cannot be imported: there is no module nowhere_at_all"),
        ("1 / 0", "package own cannot be imported: ZeroDivisionError: division by zero"),
        ("BLOCKS = 3", r"own\.BLOCKS is no mapping from names"),
        ("BLOCKS = {'mine': 3}", r"own\.BLOCKS\['mine'\] is no Block"),
        (PLAIN.replace("'mine'", "'basic'"), "block 'basic' of own has the name of another"),
        (PLAIN.replace("'mine'", "'My block'"), "block 'My block' of own is no name of small letters"),
        (PLAIN.replace("build=Residual", "build=Residual, like='dense'"), "unknown like 'dense'"),
    ],
)
def test_what_is_no_package_is_refused_in_one_line(own: Own, text: str, said: str) -> None:
    own.write(text)
    with pytest.raises(InputError, match=said):
        load("own")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere_at_all", "there is no package nowhere_at_all here: install it, or start where it lies"),
        ("no name", "'no name' is no name of a Python package"),
        ("../own", "is no name of a Python package"),
        (3, "3 is no name of a Python package"),
        ("math", "lies in no single folder with an __init__.py, nor in one file"),
    ],
)
def test_what_cannot_be_found_is_told_by_its_name(name: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        load(name)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("x.no_such_thing", "block mine cannot be counted on an image of 16x8x8: AttributeError"),
        ("self.conv(x)[:, :, :1]", "block mine makes 16x1x8 of 16x8x8; with stride 1 it has to make 16x8x8"),
        ("__import__('torch').einsum('nchw->nchw', self.conv(x))", "uses einsum, whose multiply-accumulates are not"),
    ],
)
def test_a_block_that_does_not_do_what_a_block_does_is_told(own: Own, body: str, said: str) -> None:
    own.write(LAYER.replace("BODY", body))
    load("own")
    with pytest.raises(InputError, match=said):
        cost(Architecture(block="mine"), IMAGE)


def test_a_block_that_cannot_be_built_is_told(own: Own) -> None:
    own.write(PLAIN.replace("build=Residual", "build=lambda spec: 1 / 0"))
    load("own")
    with pytest.raises(InputError, match="block mine cannot be built: ZeroDivisionError"):
        build(Architecture(block="mine"), IMAGE)


def test_a_block_that_is_no_module_is_told(own: Own) -> None:
    own.write(PLAIN.replace("build=Residual", "build=lambda spec: 3"))
    load("own")
    with pytest.raises(InputError, match="block mine is built as a int, which is no module"):
        build(Architecture(block="mine"), IMAGE)


def test_products_are_counted_for_one_image_however_its_numbers_lie(own: Own) -> None:
    """Heads that are folded into the batch count as often as they are there."""
    body = "self.conv(x) + (lambda t: (t @ t.transpose(1, 2) @ t).reshape(x.shape))(x.reshape(-1, 4, 64))"
    own.write(LAYER.replace("BODY", body))
    load("own")
    parts = {
        part.name: part.cost.macs for part in cost_by_part(Architecture(block="mine", depths=(1,), widths=(16,)), IMAGE)
    }
    heads, channels, pixels = 4, 4, 64
    assert parts["1.1"] == 16 * 16 * 9 * 64 + heads * (channels * channels * pixels * 2)


@pytest.mark.parametrize(
    "body",
    [
        "torch.nn.RNNCell(3, 3)(x[0, 0])", "torch.fft.rfft2(x)", "torch.linalg.multi_dot([x[0, 0], x[0, 0]])",
        "torch.addmv(x[0, 0, 0], x[0, 0], x[0, 0, 0])", "torch.ops.aten.linear(x, x[0, 0])",
        "x[0, 0].clone().addmm_(x[0, 0], x[0, 0])",
        "torch.cdist(x, x)", "x.__rmatmul__(x)",
    ],
)  # fmt: skip
def test_what_multiplies_in_another_way_is_refused_by_whatever_name(body: str) -> None:
    x = torch.ones(1, 1, 3, 3)
    with pytest.raises(InputError, match="whose multiply-accumulates are not counted"), Operations():
        eval(body, {"torch": torch, "x": x})


@pytest.mark.parametrize(
    ("body", "macs"),
    [
        ("torch.linalg.matmul(x[0, 0], x[0, 0])", 27), ("x[0, 0].mv(x[0, 0, 0])", 9), ("torch.inner(x[0], x[0])", 27),
        ("torch.nn.functional.conv2d(weight=torch.ones(2, 1, 2, 2), input=x)", 2 * 4 * 4),
    ],
)  # fmt: skip
def test_products_are_counted_however_they_are_called(body: str, macs: int) -> None:
    with Operations() as seen:
        eval(body, {"torch": torch, "x": torch.ones(1, 1, 3, 3)})
    assert seen.macs == macs


def test_a_package_that_ends_the_process_is_told(own: Own) -> None:
    own.write("raise SystemExit(0)")
    with pytest.raises(InputError, match="package own cannot be imported: SystemExit: 0"):
        load("own")
