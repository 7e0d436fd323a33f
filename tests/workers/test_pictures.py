"""Test `workers.pictures`."""

import os
import socket
import struct
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from spaces.errors import InputError
from workers import images
from workers.datasets import load
from workers.pictures import MOST_LINES, SUFFIXES, read_folder
from workers.sources import DataSpec


def draw(path: Path, size: tuple[int, int] = (6, 4), mode: str = "L", value: int = 7) -> Path:
    """Save a picture `h w` of one colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    colour = value if mode in ("L", "P", "I;16") else (value, 2, 3, 255)[: len(mode)]
    Image.new(mode, (size[1], size[0]), colour).save(path)
    return path


def two_classes(root: Path, **options: object) -> Path:
    for name, value in (("cat", 10), ("dog", 20)):
        for index in range(2):
            draw(root / name / f"{index}.png", value=value + index, **options)
    return root


def test_classes_and_pictures_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    read = read_folder(two_classes(tmp_path), None, train=True)
    assert read.class_names == ("cat", "dog")
    assert list(read.labels) == [0, 0, 1, 1]
    assert list(read.images[:, 0, 0, 0]) == [10, 11, 20, 21]
    assert read.images.shape == (4, 1, 6, 4)


@pytest.mark.parametrize("suffix", ["png", "jpg", "JPEG", "bmp", "webp"])
def test_every_named_format_is_read(suffix: str, tmp_path: Path) -> None:
    two_classes(tmp_path)
    draw(tmp_path / "cat" / f"2.{suffix}", mode="RGB", value=200)
    read = read_folder(tmp_path, None, train=True)
    assert read.images.shape == (5, 3, 6, 4)
    assert abs(int(read.images[2, 0, 0, 0]) - 200) < 12


def test_one_coloured_picture_makes_all_of_three_channels(tmp_path: Path) -> None:
    draw(two_classes(tmp_path) / "dog" / "9.png", mode="RGB", value=1)
    read = read_folder(tmp_path, None, train=True)
    assert [list(pixel) for pixel in read.images[[0, -1], :, 0, 0]] == [[10, 10, 10], [1, 2, 3]]


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("LA", 1), ("RGB", 3), ("RGBA", 3), ("P", 3)])
def test_transparency_is_dropped_and_a_palette_is_colour(mode: str, channels: int, tmp_path: Path) -> None:
    read = read_folder(two_classes(tmp_path, mode=mode), None, train=True)
    assert read.images.shape == (4, channels, 6, 4)


@pytest.mark.parametrize("size", [None, (3, 9)])
def test_four_channels_are_colours_and_transparency_each_alone(size: tuple[int, int] | None, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 4, 4), dtype=np.uint8)
    pixels[..., 3] = 0  # where all is transparent, Pillow would make all black
    for number in range(2):
        path = tmp_path / "a" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(path)
    four, three = (read_folder(tmp_path, size, train=True, channels=channels).images for channels in (4, None))
    assert (four.shape[1], three.shape[1]) == (4, 3)
    assert np.array_equal(four[:, :3], three)
    assert four[:, :3].max() > 0
    assert four[:, 3].max() == 0


@pytest.mark.parametrize(("mode", "fourth"), [("L", 255), ("RGB", 255), ("RGBA", 255), ("P", 255)])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_picture_is_brought_to_the_channels_that_are_asked_for(
    mode: str, fourth: int, channels: int, tmp_path: Path
) -> None:
    read = read_folder(two_classes(tmp_path, mode=mode), None, train=True, channels=channels)
    assert read.images.shape == (4, channels, 6, 4)
    assert channels < 4 or (read.images[:, 3] == fourth).all()


def tiff(bands: NDArray[Any], *, extra: tuple[int, ...], more: int = 0) -> bytes:
    """Return a TIFF of `h w c`, the first three of which are colours and of the others each is what `extra` says."""
    h, w, c = bands.shape
    data = bands.astype(bands.dtype.newbyteorder("<")).tobytes()
    at = 8 + len(data)
    tail = struct.pack(f"<{c}H", *[8 * bands.itemsize] * c) + struct.pack("<4H", *(*extra, 0, 0, 0, 0)[:4])
    few = struct.pack("<2H", *(*extra, 0)[:2])
    tags = [(256, 4, 1, w), (257, 4, 1, h), (258, 3, c, at), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 1, 8),
            (277, 3, 1, c), (278, 4, 1, h), (279, 4, 1, len(data)), (284, 3, 1, 1),
            (338, 3, len(extra), int.from_bytes(few, "little") if len(extra) < 3 else at + 2 * c)]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return (
        struct.pack("<2sHI", b"II", 42, at + len(tail))
        + data
        + tail
        + struct.pack("<H", len(tags))
        + entries
        + (struct.pack("<I", more))
    )


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_tiff_of_four_bands_is_read_as_it_is(kind: type[Any], tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    bands = np.random.default_rng(0).integers(0, 2 ** (8 * np.dtype(kind).itemsize), (6, 5, 4)).astype(kind)
    for number in range(2):
        (tmp_path / "a" / f"{number}.tif").write_bytes(tiff(bands, extra=(2,)))
    read = read_folder(tmp_path, None, train=True, channels=4)
    upper = bands >> 8 if kind == np.uint16 else bands
    assert np.array_equal(read.images[0].transpose(1, 2, 0), upper)
    assert read.warnings == ()


@pytest.mark.parametrize("channels", [None, 4])
@pytest.mark.parametrize("extra", [(0,), (0, 0), (0, 0, 0)])
def test_bands_that_are_not_read_are_said(extra: tuple[int, ...], channels: int | None, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    bands = np.random.default_rng(0).integers(0, 256, (6, 5, 3 + len(extra)), dtype=np.uint8)
    for number in range(3):
        (tmp_path / "a" / f"{number}.tif").write_bytes(tiff(bands, extra=extra))
    read = read_folder(tmp_path, None, train=True, channels=channels)
    assert np.array_equal(read.images[0, :3].transpose(1, 2, 0), bands[..., :3])
    assert read.warnings == (
        f"3 of the pictures are read in part: 3 of {3 + len(extra)} bands (a/0.tif); an npz archive holds any number "
        "of channels",
    )


def test_pages_that_are_not_read_are_said(tmp_path: Path) -> None:
    pages = [Image.new("L", (5, 6), value) for value in (7, 8, 9)]
    two_classes(tmp_path)
    pages[0].save(tmp_path / "cat" / "9.tif", save_all=True, append_images=pages[1:])
    (line,) = read_folder(tmp_path, (6, 4), train=True).warnings
    assert line.startswith("1 of the pictures are read in part: the first page (cat/9.tif); ")


def test_pictures_of_one_size_keep_it_and_others_become_32_by_32(tmp_path: Path) -> None:
    assert read_folder(two_classes(tmp_path), None, train=True).images.shape[2:] == (6, 4)
    draw(tmp_path / "cat" / "other.png", size=(9, 9))
    assert read_folder(tmp_path, None, train=True).images.shape[2:] == (32, 32)


def test_a_size_that_is_asked_for_is_height_then_width(tmp_path: Path) -> None:
    half = Image.new("L", (8, 8))
    half.paste(255, (0, 0, 8, 4))  # the upper half is white
    two_classes(tmp_path, size=(8, 8))
    half.save(tmp_path / "cat" / "0.png")
    image = read_folder(tmp_path, (2, 4), train=True).images[0, 0]
    assert image.shape == (2, 4)
    assert (image[0] > 200).all()
    assert (image[1] < 55).all()


def test_a_picture_taken_sideways_is_turned_upright(tmp_path: Path) -> None:
    two_classes(tmp_path, size=(6, 4))
    sideways = Image.new("L", (6, 4))
    sideways.paste(255, (0, 0, 3, 4))  # the left half is white; turned by a quarter to the right it is the upper half
    exif = Image.Exif()
    exif[0x0112] = 6
    sideways.save(tmp_path / "cat" / "0.png", exif=exif)
    image = read_folder(tmp_path, None, train=True).images[0, 0]
    assert image.shape == (6, 4)
    assert (image[:3] == 255).all()
    assert (image[3:] == 0).all()


def test_hidden_and_other_files_are_passed_over(tmp_path: Path) -> None:
    two_classes(tmp_path)
    (tmp_path / ".cache").mkdir()
    for name in ("cat/.0.png", "cat/notes.txt", "readme.md"):
        (tmp_path / name).write_text("not a picture")
    assert len(read_folder(tmp_path, None, train=True).labels) == 4


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    for name in ("car", "train"):
        for index in range(2):
            draw(tmp_path / name / f"{index}.png")
    assert read_folder(tmp_path, None, train=True).class_names == ("car", "train")


def test_train_and_test_folders_are_told_apart(tmp_path: Path) -> None:
    two_classes(tmp_path / "train")
    draw(tmp_path / "test" / "dog" / "0.png", mode="RGB", size=(9, 9), value=99)
    train, test = (read_folder(tmp_path, None, train=train) for train in (True, False))
    assert len(train.labels) == 4
    assert (list(test.labels), test.class_names) == ([1], ("cat", "dog"))
    assert test.images.shape == (1, 1, 6, 4)  # as the training pictures: grey, and of their size


def test_without_a_test_folder_there_is_no_test_split(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no test split; it takes the folders train and test"):
        read_folder(two_classes(tmp_path), None, train=False)


def test_a_test_class_that_is_not_trained_is_refused(tmp_path: Path) -> None:
    two_classes(tmp_path / "train")
    draw(tmp_path / "test" / "horse" / "0.png")
    with pytest.raises(InputError, match="test: class 'horse' is not among the training pictures"):
        read_folder(tmp_path, None, train=False)


def test_missing_and_empty_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"^{tmp_path}/none: is not a folder"):
        read_folder(tmp_path / "none", None, train=True)
    with pytest.raises(InputError, match=f"^{tmp_path}: holds no folder; one for each class is required"):
        read_folder(tmp_path, None, train=True)
    (two_classes(tmp_path) / "eel").mkdir()
    draw(tmp_path / "eel" / "0.png")
    with pytest.raises(InputError, match=f"^{tmp_path}/eel: holds 1 pictures .* not 2"):
        read_folder(tmp_path, None, train=True)


@pytest.mark.parametrize("keep", [0, 20, 45])
def test_a_picture_that_cannot_be_read_is_counted_and_the_others_are_read(keep: int, tmp_path: Path) -> None:
    path = draw(two_classes(tmp_path) / "dog" / "7.png")
    whole = len(read_folder(tmp_path, None, train=True).images)
    path.write_bytes(path.read_bytes()[:keep])
    found = read_folder(tmp_path, None, train=True)
    assert len(found.images) == whole - 1
    assert found.warnings == ("1 file is not read: they cannot be read as pictures (dog/7.png)",)


def test_a_class_of_which_nothing_can_be_read_is_named(tmp_path: Path) -> None:
    for path in (two_classes(tmp_path) / "dog").iterdir():
        path.write_bytes(b"no picture")
    with pytest.raises(InputError, match=f"^{tmp_path}/dog: holds 0 pictures"):
        read_folder(tmp_path, None, train=True)


def test_a_grey_picture_of_16_bits_is_read_on_its_own_scale(tmp_path: Path) -> None:
    draw(two_classes(tmp_path) / "dog" / "7.png", mode="I;16", value=65_535)
    draw(tmp_path / "dog" / "8.png", mode="I;16", value=257 * 40)
    found = read_folder(tmp_path, (4, 4), train=True)
    assert {255, 40} <= set(found.images.reshape(len(found.images), -1)[:, 0].tolist())


def test_grey_of_12_bits_is_asked_for_its_scale_and_read_on_it(tmp_path: Path) -> None:
    draw(two_classes(tmp_path) / "dog" / "7.png", mode="I;16", value=4_080)
    likely = "`scale: 4095` of 12 bits, 16383 of 14, 32767 of 15, 65535 of 16"
    with pytest.raises(InputError, match=rf"^{tmp_path}: grey of 16 bits up to 4080 is on no scale .* as {likely}$"):
        read_folder(tmp_path, None, train=True)
    found = load(DataSpec(name="folder", path=str(tmp_path), scale=4_095, validation=0.5))
    assert found.notes == ("grey of 16 bits from 0 to 4095",)
    assert max(int(found.train_images.max()), int(found.val_images.max())) == 254  # 8 bits keep their own scale


def test_the_scale_of_16_bits_is_told_by_range_and_said(tmp_path: Path) -> None:
    draw(two_classes(tmp_path) / "dog" / "7.png", mode="I;16", value=257 * 200)
    draw(tmp_path / "dog" / "8.png", mode="I;16", value=257 * 3)
    found = read_folder(tmp_path, None, train=True)
    assert list(found.images[-2:, 0, 0, 0]) == [200, 3]
    assert found.notes == ("grey of 16 bits from 0 to 65535",)


def test_bytes_in_16_bits_stay_bytes(tmp_path: Path) -> None:
    found = read_folder(two_classes(tmp_path, mode="I;16"), None, train=True)
    assert list(found.images[:, 0, 0, 0]) == [10, 11, 20, 21]
    assert found.notes == ("grey of 16 bits from 0 to 255",)


def test_test_pictures_are_read_on_the_scale_of_the_training_pictures(tmp_path: Path) -> None:
    two_classes(tmp_path / "train", mode="I;16")
    draw(tmp_path / "train" / "dog" / "7.png", mode="I;16", value=65_535)
    two_classes(tmp_path / "test", mode="I;16")
    assert read_folder(tmp_path, None, train=False).images.max() == 0
    draw(tmp_path / "train" / "dog" / "7.png", mode="I;16", value=255)
    assert read_folder(tmp_path, None, train=False).images.max() == 21
    beyond = draw(tmp_path / "test" / "dog" / "7.png", mode="I;16", value=300)
    with pytest.raises(InputError, match=f"^{beyond}: pixels run from 0 to 300, beyond 0 to 255$"):
        read_folder(tmp_path, None, train=False)


def test_a_scale_where_no_picture_has_16_bits_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"^{tmp_path}: scale is that of grey of 16 bits, and no picture is of"):
        read_folder(two_classes(tmp_path), None, train=True, scale=15)


def test_numbers_of_32_bits_are_not_clipped(tmp_path: Path) -> None:
    path = two_classes(tmp_path) / "dog" / "7.tif"
    for low, high, message in ((0, 100_000, "up to 100000 is on no scale"), (-5, 300, "from -5 to 300 has pixels bel")):
        Image.fromarray(np.array([[low, high]], np.int32)).save(path)
        with pytest.raises(InputError, match=f"^{tmp_path}: grey of 16 bits {message}"):
            read_folder(tmp_path, None, train=True)


def test_numbers_of_32_bits_that_are_no_greys_are_counted_where_others_tell_the_scale(tmp_path: Path) -> None:
    draw(two_classes(tmp_path) / "dog" / "7.png", mode="I;16", value=4_080)
    for name, value in (("8", -5), ("9", 100_000)):
        Image.fromarray(np.full((6, 4), value, np.int32)).save(tmp_path / "dog" / f"{name}.tif")
    with pytest.raises(InputError, match="grey of 16 bits up to 4080 is on no scale"):
        read_folder(tmp_path, None, train=True)
    found = read_folder(tmp_path, None, train=True, scale=4_095)
    line = "2 files are not read: their greys are of 32 bits and beyond 0 to 4095 (dog/8.tif and others)"
    assert (found.images.max(), found.warnings) == (254, (line,))


def colours(path: Path, value: int) -> None:
    """Save a PNG `h w` of 6 x 4 whose colours have 16 bits each; Pillow writes none."""
    pixels = (b"\0" + struct.pack(">H", value) * 3 * 4) * 6
    parts = ((b"IHDR", struct.pack(">IIBBBBB", 4, 6, 16, 2, 0, 0, 0)), (b"IDAT", zlib.compress(pixels)), (b"IEND", b""))
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        for kind, data in parts:
            file.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))


@pytest.mark.parametrize(("value", "dim"), [(4_095, True), (60_000, False)])
def test_colours_of_16_bits_that_use_only_the_lower_ones_are_told(value: int, dim: bool, tmp_path: Path) -> None:
    colours(two_classes(tmp_path) / "dog" / "7.png", value)
    found = read_folder(tmp_path, None, train=True)
    assert found.images[-1].max() == value >> 8
    assert any("colours of 16 bits (in 1 of the pictures) reach 15 of 255" in line for line in found.warnings) == dim


def test_every_file_that_is_not_read_is_counted_by_why(tmp_path: Path) -> None:
    two_classes(tmp_path)
    for name in ("cat/a.txt", "cat/b.txt", "dog/deep/1.png", "dog/.hidden.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    found = read_folder(tmp_path, None, train=True)
    assert found.warnings == (
        f"2 files are not read: .txt is none of {', '.join(SUFFIXES)} (cat/a.txt and others)",
        "1 file is not read: they lie in a folder inside a class's (dog/deep/1.png)",
    )


@pytest.mark.parametrize("suffix", [".tif", ".tiff", ".jfif", ".gif", ".TIF"])
def test_pictures_of_other_suffixes_are_read(suffix: str, tmp_path: Path) -> None:
    before = len(read_folder(two_classes(tmp_path), None, train=True).images)
    kind = {".tif": "TIFF", ".tiff": "TIFF", ".jfif": "JPEG", ".gif": "GIF"}[suffix.lower()]
    Image.new("RGB", (8, 8), "red").save(tmp_path / "dog" / f"new{suffix}", kind)
    assert len(read_folder(tmp_path, None, train=True).images) == before + 1


def test_a_palette_is_looked_up(tmp_path: Path) -> None:
    two_classes(tmp_path)
    Image.new("RGB", (8, 8), (200, 10, 30)).quantize(4).save(tmp_path / "dog" / "p.png")
    found = read_folder(tmp_path, None, train=True)
    assert found.images.shape[1] == 3
    assert (200, 10, 30) in {tuple(image[:, 0, 0].tolist()) for image in found.images}


@pytest.mark.parametrize("part", ["val", "valid", "validation"])
def test_a_validation_part_that_a_person_made_is_used(part: str, tmp_path: Path) -> None:
    two_classes(tmp_path / "train")
    for name in ("cat", "dog"):
        draw(tmp_path / part / name / "v.png")
    found = read_folder(tmp_path, None, train=True)
    assert found.validation == 2
    data = load(DataSpec(name="folder", path=str(tmp_path)))
    assert len(data.val_labels) == 2
    assert data.notes == ("2 images set apart for validation",)


def test_an_odd_exif_tag_keeps_no_picture_from_being_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def odd(_picture: Image.Image) -> Image.Exif:
        raise struct.error("unpack requires a buffer of 4 bytes")

    monkeypatch.setattr(Image.Image, "getexif", odd)
    assert read_folder(two_classes(tmp_path), None, train=True).warnings == ()


@pytest.mark.timeout(20)
def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    two_classes(tmp_path)
    os.mkfifo(tmp_path / "cat" / "pipe.png")
    (tmp_path / "cat" / "loop.png").symlink_to(tmp_path / "cat" / "loop.png")
    (tmp_path / "cat" / "nowhere.png").symlink_to(tmp_path / "none")
    with socket.socket(socket.AF_UNIX) as listening:
        here = Path.cwd()
        os.chdir(tmp_path)  # a socket's path is short
        listening.bind("dog/socket.png")
        os.chdir(here)
    assert read_folder(tmp_path, None, train=True).warnings == (
        "4 files are not read: they are no files (cat/loop.png and others)",
    )


def test_folders_that_lead_in_a_circle_are_walked_once(tmp_path: Path) -> None:
    two_classes(tmp_path)
    (tmp_path / "cat" / "again").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "cat" / "itself").symlink_to(tmp_path / "cat" / "itself")
    found = read_folder(tmp_path, None, train=True)
    assert len(found.images) == 4
    assert [line.partition(":")[0] for line in found.warnings] == ["4 files are not read", "1 file is not read"]


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    """Give two classes, one with a picture so far below it that neither Python nor pytest could remove it."""
    here = Path.cwd()
    os.chdir(two_classes(tmp_path) / "cat")
    for _ in range(1_100):
        Path("d").mkdir()
        os.chdir("d")
    draw(Path("deep.png"))
    os.chdir(here)
    yield tmp_path
    subprocess.run(["rm", "-rf", str(tmp_path / "cat")], check=True)


def test_folders_deeper_than_python_calls_itself_are_counted(deep: Path) -> None:
    assert read_folder(deep, None, train=True).warnings[0].startswith("1 file is not read: they lie in a folder")


def test_names_are_shown_and_not_obeyed(tmp_path: Path) -> None:
    two_classes(tmp_path)
    (tmp_path / "cat" / "a\nb\x1b[2J\r.\x1b]0;title\x07").write_text("x")
    Path(os.fsdecode(bytes(tmp_path / "dog") + b"/\xff\xfe.txt")).write_text("x")
    for line in (found := read_folder(tmp_path, None, train=True).warnings):
        assert line.isprintable()
    assert r"(cat/a\nb\x1b[2J\r.\x1b]0;title\x07)" in found[0]
    assert r"(dog/\udcff\udcfe.txt)" in found[1]


def test_a_picture_whose_name_is_not_text_is_read(tmp_path: Path) -> None:
    Path(os.fsdecode(bytes(two_classes(tmp_path)) + b"/\xff")).mkdir()
    for name in (b"\xfe.png", b"\n.png"):
        os.link(tmp_path / "cat" / "0.png", os.fsdecode(bytes(tmp_path) + b"/\xff/" + name))
    assert len(read_folder(tmp_path, None, train=True).images) == 6


def test_as_many_suffixes_as_files_are_a_few_lines(tmp_path: Path) -> None:
    for number in range(40):
        (two_classes(tmp_path) / "cat" / f"a.{number}").write_text("x")
    lines = read_folder(tmp_path, None, train=True).warnings
    assert len(lines) == MOST_LINES
    assert sum(int(line.split()[0]) for line in lines) == 40


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(path: Path) -> list[Path]:
        raise PermissionError(13, "Permission denied", str(path))

    two_classes(tmp_path)
    monkeypatch.setattr(Path, "iterdir", closed)
    with pytest.raises(InputError, match=f"^{tmp_path}: cannot be read: Permission denied$"):
        read_folder(tmp_path, None, train=True)


@pytest.mark.parametrize("name", ["x" * 256, "a\0b"])
def test_a_folder_that_cannot_be_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a folder"):
        read_folder(tmp_path / name, None, train=True)


def test_a_picture_that_may_not_be_opened_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = two_classes(tmp_path) / "dog" / "2.png"
    draw(closed)
    whole = Image.open

    def refusing(path: Path, **options: object) -> Image.Image:
        if path == closed:
            raise PermissionError(13, "Permission denied", str(path))
        return whole(path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Image, "open", refusing)
    assert "(dog/2.png)" in read_folder(tmp_path, None, train=True).warnings[0]


def test_a_program_for_printers_is_no_picture_whatever_its_name(tmp_path: Path) -> None:
    (two_classes(tmp_path) / "dog" / "9.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 6 4\n%%EOF\n")
    assert "(dog/9.png)" in read_folder(tmp_path, None, train=True).warnings[0]


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_broken_picture_decides_neither_the_size_nor_the_colour_of_others(mode: str, tmp_path: Path) -> None:
    broken = draw(two_classes(tmp_path) / "cat" / "9.jpg", size=(99, 80), mode=mode)
    broken.write_bytes(broken.read_bytes()[:-300])
    found = read_folder(tmp_path, None, train=True)
    assert found.images.shape == (4, 1, 6, 4)
    assert "(cat/9.jpg)" in found.warnings[0]


def test_classes_that_differ_in_case_alone_are_told(tmp_path: Path) -> None:
    draw(draw(two_classes(tmp_path) / "Cat" / "0.png").with_name("1.png"))
    found = read_folder(tmp_path, None, train=True)
    assert found.class_names == ("Cat", "cat", "dog")
    assert found.warnings == ("classes 'Cat' and 'cat' differ in case alone: are they two?",)


def test_pictures_that_would_fill_the_memory_are_refused_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "available", lambda: 500_000_000)
    draw(two_classes(tmp_path, size=(6_000, 6_000)) / "cat" / "2.png", size=(6_000, 6_000))
    for number in range(3):
        os.link(tmp_path / "cat" / "2.png", tmp_path / "cat" / f"more{number}.png")
    with pytest.raises(InputError, match=r"8 images of 1x6000x6000 would take 576,000,000 .* left; a smaller"):
        read_folder(tmp_path, None, train=True)
    assert read_folder(tmp_path, (5, 5), train=True).images.shape == (8, 1, 5, 5)


def test_a_size_that_no_machine_holds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"4 images of 1x1000000x1000000 would take .* are left; a smaller"):
        read_folder(two_classes(tmp_path), (10**6, 10**6), train=True)


def test_a_photograph_in_many_passes_is_read_and_one_in_far_too_many_is_not(tmp_path: Path) -> None:
    path = two_classes(tmp_path) / "dog" / "9.jpg"
    Image.new("RGB", (4, 6)).save(path, progressive=True)
    assert len(read_folder(tmp_path, None, train=True).images) == 5
    content = path.read_bytes()
    at = content.rindex(b"\xff\xda")
    path.write_bytes(content[:at] + content[at:-2] * 300 + content[-2:])
    assert "(dog/9.jpg)" in read_folder(tmp_path, None, train=True).warnings[0]
