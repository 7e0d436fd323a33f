"""Test `workers.pictures`."""

import struct
from pathlib import Path

import pytest
from PIL import Image

from spaces.errors import InputError
from workers.datasets import load
from workers.pictures import SUFFIXES, read_folder
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
