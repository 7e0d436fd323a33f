"""Test that `workers.pictures` reads or counts every picture, however damaged it is."""

import resource
import struct
import subprocess
import sys
import time
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.workers.damage import damaged, originals
from workers.pictures import MOST_PIXELS, _Form, _look, _pixels, _Seen, read_folder

SEED = 20_261
LONGEST_S = 5.0  # of the processor, for one picture
MOST_BYTES = 1_500_000_000  # more than before, for the largest picture that is read


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.fixture
def quiet(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Fail where anything is printed or warned of, by Python or by a library in C, or much memory is taken."""
    before = peak()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        yield
    assert capfd.readouterr() == ("", "")
    assert [str(each.message) for each in warned] == []
    assert peak() - before < MOST_BYTES


def read_or_counted(path: Path) -> bool:
    """Say whether a picture is read; where it is not, it is counted once, and quickly."""
    passed, began = _Seen(), time.process_time()
    found = _look(path, passed)
    read = found is not None and _pixels(found, _Form(1 if found.grey else 3, (8, 8), 65_535), passed) is not None
    assert sum(passed.counts.values()) == (not read), (path, passed.counts)
    assert time.process_time() - began < LONGEST_S, path
    return read


def try_all(folder: Path, count: int, seed: int) -> int:
    """Return how many of so many damaged pictures are read."""
    total = 0
    for number, (suffix, content) in enumerate(damaged(count, seed)):
        path = folder / f"{number}{suffix}"
        path.write_bytes(content)
        total += read_or_counted(path)
        path.unlink()
    return total


@pytest.mark.usefixtures("quiet")
def test_a_whole_picture_of_every_kind_is_read(tmp_path: Path) -> None:
    refused = []
    for number, (suffix, content) in enumerate(originals()):
        path = tmp_path / f"{number}{suffix}"
        path.write_bytes(content)
        if not read_or_counted(path):
            with Image.open(path) as picture:
                refused.append(picture.mode)
    assert refused == ["F"]


@pytest.mark.usefixtures("quiet")
def test_a_damaged_picture_is_read_or_counted_without_a_word(tmp_path: Path) -> None:
    assert 50 < try_all(tmp_path, 400, SEED) < 350


@pytest.mark.very_slow
@pytest.mark.usefixtures("quiet")
def test_ten_thousand_damaged_pictures_are_read_or_counted_without_a_word(tmp_path: Path) -> None:
    assert 1_000 < try_all(tmp_path, 10_000, SEED + 1) < 9_000


@pytest.mark.usefixtures("quiet")
def test_a_folder_of_damaged_pictures_is_read_and_each_of_them_accounted_for(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(2):
            Image.new("RGB", (8, 8), (number, 2, 3)).save(tmp_path / name / f"whole{number}.png")
        for number, (suffix, content) in enumerate(damaged(100, SEED + 2)):
            (tmp_path / name / f"{number}{suffix}").write_bytes(content)
    found = read_folder(tmp_path, None, train=True)
    counted = sum(int(line.split()[0]) for line in found.warnings if " in part" not in line)
    assert len(found.images) + counted == 204
    assert min(len(found.images), counted) > 20


def png(width: int, height: int, rows: int = 1) -> bytes:
    """Return a grey PNG whose header claims a size, and so many rows of it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(bytes(rows * (width + 1)), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "side", [8_193, 9_500, 13_500, 2**31 - 1]
)  # Pillow itself warns of the third, refuses the last
@pytest.mark.usefixtures("quiet")
def test_a_picture_that_claims_a_huge_size_is_counted_before_it_is_decoded(
    side: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bomb.png").write_bytes(png(side, side) if side > 20_000 else png(side, side, 3))
    monkeypatch.setattr(Image.Image, "load", lambda _self: pytest.fail("its pixels are decoded"))
    passed = _Seen()
    assert _look(tmp_path / "bomb.png", passed) is None
    assert passed.counts == {f"they have more than {MOST_PIXELS:,} pixels": 1}


# What a process of its own makes, and another one reads: how much memory the second took.
MAKE = """
import sys
from PIL import Image
exif = Image.Exif()
exif[0x0112] = 6
Image.new(sys.argv[2], (8192, 8192)).save(sys.argv[1], exif=exif, **eval(sys.argv[3]))
"""
READ = """
import sys
from pathlib import Path
from workers.pictures import _Form, _look, _pixels, _Seen

def peak():  # resource's is that of the process that started this one, where it was larger
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024

before = peak()
found = _look(Path(sys.argv[1]), _Seen())
assert _pixels(found, _Form(1 if found.grey else 3, (8, 8), 65_535), _Seen()) is not None
print(peak() - before)
"""


@pytest.mark.very_slow
@pytest.mark.parametrize(
    ("name", "mode", "options"),
    [
        ("a.webp", "RGBA", {"lossless": True, "quality": 0, "method": 0}),
        ("a.png", "RGBA", {"compress_level": 1}),
        ("a.jpg", "CMYK", {"progressive": True}),
        ("a.tif", "CMYK", {"compression": "tiff_lzw"}),
        ("b.tif", "I;16", {}),
    ],
)
def test_the_largest_picture_that_is_read_takes_no_more_memory_than_is_stated(
    name: str, mode: str, options: dict[str, object], tmp_path: Path
) -> None:
    for program in (MAKE, READ):
        command = [sys.executable, "-c", program, str(tmp_path / name), mode, repr(options)]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert 2**26 < int(said) < MOST_BYTES
