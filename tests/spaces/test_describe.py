"""Test the command `python -m spaces.describe`, and `spaces.description` through it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from spaces.architecture import Architecture
from spaces.counting import cost
from spaces.describe import main
from spaces.names import named


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Any:
    """Give `told(*argv)`: what the command prints as JSON."""

    def run(*argv: str) -> dict[str, Any]:
        assert main([*argv, "--json"]) == 0
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    return run


def test_a_network_is_told_in_numbers(told: Any) -> None:
    found = told("resnet-56")
    assert (found["params"], found["macs"], found["layers"]) == (853_018, 125_485_696, 56)
    assert found["digest"] == named("resnet-56").architecture.digest
    assert found["activations"] == cost(named("resnet-56").architecture, named("resnet-56").image).activations
    assert found["paths"]["count"] == 2**27


def test_the_stages_add_up_to_the_whole(told: Any) -> None:
    for name in ("wrn-16-2", "densenet-bc-100-12", "dfn-mr-32-4", "mobilenet-0.5"):
        found = told(name)
        for number in ("params", "macs", "activations", "weight_bytes", "training_bytes"):
            assert sum(stage[number] for stage in found["stages"]) == found[number]


def test_a_stage_tells_its_blocks_its_channels_and_its_map(told: Any) -> None:
    stages = told("resnet50")["stages"]
    assert [stage["part"] for stage in stages] == ["stem", "stage 1", "stage 2", "stage 3", "stage 4", "head"]
    assert [stage["blocks"] for stage in stages] == [1, 3, 4, 6, 3, 1]
    assert [stage["channels"] for stage in stages] == [64, 256, 512, 1024, 2048, 1000]
    assert [stage["map"] for stage in stages] == [[size, size] for size in (56, 56, 28, 14, 7, 1)]


def test_a_transition_belongs_to_the_stage_it_opens(told: Any) -> None:
    stages = told("densenet-40-12")["stages"]
    assert [stage["blocks"] for stage in stages] == [1, 12, 12, 12, 1]
    assert [stage["channels"] for stage in stages] == [16, 160, 304, 448, 10]


@pytest.mark.parametrize(
    ("argv", "layers"),
    [
        (["wrn-28-10"], 28),
        (["wrn-16-1"], 16),
        (["wrn-40-2", "--set", "kernels=1,3,1"], 58),  # what the paper labels 40
        (["preact-resnet-164"], 164),
        (["resnet50"], 50),
        (["dfn-mr-56"], 56),
        (["densenet-bc-100-12"], 100),
        (["allconv6-3"], 6),
    ],
)
def test_layers_are_counted_as_the_authors_of_the_family_do(told: Any, argv: list[str], layers: int) -> None:
    assert told(*argv)["layers"] == layers


@pytest.mark.parametrize(
    ("argv", "params"),
    [
        (["resnet-20", "--set", "shortcut=B"], 272_474),
        (["wrn-40-2", "--set", "kernels=1,3,1"], 1_429_082),
        (["wrn-40-2", "--set", "kernels=B(3,1)"], 1_211_354),
        (["wrn-40-2", "--set", "kernels=3", "depth=12"], 2_243_546),
        (["wrn-40-2", "--set", "kernels=3", "--set", "depth=12"], 2_243_546),
        (["wrn-28-10", "--classes", "100"], 36_536_884),
        (["resnet-20", "--image", "1x28x28"], 269_722 - 2 * 9 * 16),
    ],
)
def test_fields_classes_and_images_can_be_changed(told: Any, argv: list[str], params: int) -> None:
    assert told(*argv)["params"] == params


def test_an_architecture_file_is_described_like_a_name(told: Any, tmp_path: Path) -> None:
    path = tmp_path / "found.json"
    architecture = named("wrn-16-4").architecture
    path.write_text(json.dumps(architecture.to_json()))
    assert told(str(path))["digest"] == architecture.digest
    path.write_text(json.dumps({"trial": 3, "architecture": architecture.to_json()}))
    assert told(str(path))["digest"] == architecture.digest
    assert told(str(path))["params"] == told("wrn-16-4")["params"]


def test_what_describe_writes_it_reads_back_with_image_classes_and_layers(told: Any, tmp_path: Path) -> None:
    path = tmp_path / "written.json"
    for name in ("mobilenet-0.5", "allconv6-3", "wrn-28-10", "resnet-20"):
        written = told(name)
        path.write_text(json.dumps(written))
        assert {**told(str(path)), "name": name} == written


def test_a_result_is_of_the_images_it_was_trained_on(told: Any) -> None:
    assert told("resnet-56", "--image", "3x64x64")["published"] == []


def test_what_was_published_is_told_or_the_nearest_to_it(told: Any) -> None:
    assert {"data": "CIFAR-10", "error_percent": 6.97}.items() <= told("resnet-56")["published"][0].items()
    assert told("resnet-56")["nearest_published"] is None
    assert told("resnet-50")["published"]
    assert told("resnet-62")["published"] == []
    assert told("resnet-62")["nearest_published"]["network"] == "resnet-56"


def test_the_digest_is_that_of_the_network_and_not_of_its_name(told: Any) -> None:
    assert told("preact-resnet-20", "--set", "shortcut=B")["digest"] == told("wrn-22-1")["digest"]
    assert told("resnet-20", "--set", "cardinality=8", "growth=7")["digest"] == told("resnet-20")["digest"]


def test_people_read_a_table_and_totals(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["wrn-28-10"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "wrn-28-10: 28 layers, for images of 3x32x32 in 10 classes"
    assert printed[2].split() == ["part", "blocks", "channels", "map", "params", "macs"]
    assert printed[5].split() == ["stage", "2", "4", "320", "16x16", "6,968,000", "1,782,579,200"]
    assert "params       36,479,194" in printed
    assert "fields       block=preact depths=4,4,4 widening_factor=10.0" in printed
    assert "published    4 % error on CIFAR-10 (Zagoruyko & Komodakis 2016, table 5)" in printed
    assert len({len(line) for line in printed[2:8]}) == 1


def test_a_field_that_changes_nothing_is_said_to_be_ignored(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["resnet-20", "--set", "cardinality=8", "dropout=after", "shortcut=B"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "ignored      cardinality, dropout: without effect on block basic so" in lines
    assert main(["resnet-20"]) == 0
    assert "ignored" not in capsys.readouterr().out


def test_more_paths_than_anybody_reads_are_told_by_their_digits(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["resnet-1202"]) == 0
    assert "paths        about 10^180, of 2 to 1202 layers, 602.00 in the mean" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["wrn-27-10"], "error: WRN depth must be 6N+4: 27 is not"),
        (["nothing"], "error: unknown network 'nothing'"),
        (["resnet-20", "--set", "shortcut=Z"], "error: --set: unknown shortcut 'Z'; known are A, B, C"),
        (["resnet-20", "--set", "short=A"], "error: --set: unknown field 'short' (did you mean 'shortcut'?)"),
        (["resnet-20", "--set", "depths=2,2"], "error: --set: depths [2, 2] and widths [16, 32, 64] must"),
        (["resnet-20", "--set", "dropout_rate=high"], "error: --set: dropout_rate 'high' is not a number"),
        (["resnet50", "--image", "3x16x16"], "error: an image of 16x16 is too small for stem large and 4"),
        (["resnet-20", "--image", "32x32"], "error: --image: '32x32' is not channels, height and width"),
        (["resnet-20", "--image", "0x32x32"], "error: --image: '0x32x32' is not channels"),
        (["resnet-20", "--classes", "0"], "error: --classes: 0 is below 1"),
        (["resnet-20", "--batch", "0"], "error: --batch: 0 is not from 1 to 1,000,000"),
        (["wrn-16-1", "--set", "head=cosine", "--classes", "100"], "error: head cosine needs a direction"),
        (["resnext-29-8x64d", "--set", "base_width=null", "cardinality=7"], "error: --set: cardinality 7 does"),
        (["absent.json"], "error: absent.json: cannot be read"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(argv: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(said)
    assert len(printed.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON: "),
        ("[1]", "holds no object of an architecture's fields"),
        ('{"blocks": 3}', "unknown field 'blocks' (did you mean 'block'?)"),
        ('{"dropout_rate": "much"}', "dropout_rate 'much' is not a number"),
        ('{"architecture": {}, "image": [3, 0, 3]}', "image: '3x0x3' is not channels, height and width"),
        ('{"widening_factor": -1}', "widening_factor -1 is not a number above 0"),
    ],
)
def test_a_file_that_holds_no_architecture_is_refused_by_its_name(
    text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "wrong.json"
    path.write_text(text)
    assert main([str(path)]) == 2
    assert capsys.readouterr().err.removeprefix(f"error: {path}").lstrip(":. ").startswith(said)


@pytest.mark.slow
def test_the_command_needs_neither_ray_nor_optuna_nor_a_database() -> None:
    code = (
        "import sys; from spaces.describe import main; main(['resnet-20']); "
        "print(sorted({'ray', 'optuna', 'sqlalchemy', 'pydantic', 'yaml', 'torchvision'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_description_of_the_default_network_names_no_field(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "default.json"
    path.write_text(json.dumps(Architecture().to_json()))
    assert main([str(path)]) == 0
    assert "fields       all at their default" in capsys.readouterr().out
