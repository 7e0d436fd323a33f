"""Test `workers.images`."""

import gzip
import os
import random
import resource
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from spaces.errors import InputError
from tests.workers.damage import broken
from workers import images as module
from workers.images import Labelled, as_nchw, read_idx, read_npz

LARGE = 2**27  # bytes


def idx(values: NDArray[np.uint8]) -> bytes:
    return bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


def ramp(*shape: int) -> NDArray[np.uint8]:
    return (np.arange(np.prod(shape)) % 256).astype(np.uint8).reshape(shape)


def archive(path: Path, **arrays: Any) -> Path:
    given = {"images": ramp(4, 5, 6), "labels": np.array([0, 1, 1, 0]), **arrays}
    np.savez(path / "set.npz", **{name: values for name, values in given.items() if values is not None})
    return path / "set.npz"


@given(shape=st.lists(st.integers(0, 4), min_size=1, max_size=3).map(tuple), packed=st.booleans())
def test_an_idx_file_is_read_back_as_it_was_written(
    shape: tuple[int, ...], packed: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("idx") / ("set.gz" if packed else "set")
    path.write_bytes(gzip.compress(idx(ramp(*shape))) if packed else idx(ramp(*shape)))
    assert np.array_equal(read_idx(path), ramp(*shape))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not an IDX file of bytes"),
        (b"\0\0\x0d\x01" + bytes(8), "is not an IDX file of bytes"),
        (b"\0\0\x08\x03\0\0", "is not an IDX file of bytes"),
        (idx(ramp(2, 3))[:-1], "holds 5 values where its header says 6"),
        (idx(ramp(2, 3)) + b"\0", "holds more than 6 values where its header says 6"),
    ],
)
def test_a_broken_idx_file_is_named(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "images"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"^{path}: {message}$"):
        read_idx(path)


@pytest.mark.parametrize("content", [b"not gzip", gzip.compress(idx(ramp(9)), mtime=0)[:-9]])
def test_a_broken_gzip_file_is_named_in_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "images.gz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"^{path}: cannot be read: [^\n]+$"):
        read_idx(path)


def test_a_missing_file_is_named_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"^{tmp_path}/none: cannot be read: No such file or directory$"):
        read_idx(tmp_path / "none")
    with pytest.raises(InputError, match=f"^{tmp_path}/none.npz: cannot be read: No such file or directory$"):
        read_npz(tmp_path / "none.npz", train=True)


def test_axes_are_told_apart_by_the_channels() -> None:
    assert as_nchw(ramp(2, 4, 5)).shape == (2, 1, 4, 5)
    assert as_nchw(ramp(2, 3, 4, 5)).shape == (2, 3, 4, 5)
    assert as_nchw(ramp(2, 4, 5, 1)).shape == (2, 1, 4, 5)
    assert np.array_equal(as_nchw(ramp(2, 4, 5, 3))[1, 2, 3, 4], ramp(2, 4, 5, 3)[1, 3, 4, 2])


@pytest.mark.parametrize("shape", [(2, 4), (2, 4, 5, 6), (2, 3, 5, 3), (2, 1, 5, 3), (2, 3, 4, 5, 6)])
def test_axes_that_cannot_be_told_apart_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=f"images of shape {' x '.join(map(str, shape))} are not clearly"):
        as_nchw(ramp(*shape))


@pytest.mark.parametrize(
    ("shape", "order"),
    [
        ((2, 5, 8, 8), "first"),
        ((2, 8, 8, 5), "last"),
        ((2, 2, 32, 32), "first"),
        ((2, 64, 80, 80), "first"),
        ((2, 4, 100, 90), "first"),
        ((2, 100, 90, 13), "last"),
        ((2, 90, 100, 64), "last"),
        ((2, 65, 65, 64), "last"),
    ],
)
def test_many_channels_are_told_by_squares_and_by_their_number(shape: tuple[int, ...], order: str) -> None:
    images = ramp(*shape)
    expected = images if order == "first" else images.transpose(0, 3, 1, 2)
    assert np.array_equal(as_nchw(images), expected)
    assert np.array_equal(as_nchw(images, order), expected)


@pytest.mark.parametrize(
    "shape", [(2, 4, 5, 6), (2, 8, 8, 8), (2, 100, 60, 60), (2, 60, 60, 100), (2, 48, 32, 32), (2, 80, 90, 100)]
)
def test_channels_that_nothing_tells_are_asked_for_and_taken_as_said(shape: tuple[int, ...]) -> None:
    images = ramp(*shape)
    with pytest.raises(InputError, match=r"; say `channels: first` or `channels: last`$"):
        as_nchw(images)
    assert as_nchw(images, "first").shape == shape
    assert as_nchw(images, "last").shape == (shape[0], shape[3], shape[1], shape[2])


def test_images_without_an_axis_of_channels_take_no_order() -> None:
    with pytest.raises(InputError, match="images of shape 2 x 4 x 5 have no axis of channels: `channels: last` is not"):
        as_nchw(ramp(2, 4, 5), "last")


@pytest.mark.parametrize("train", [True, False])
def test_parts_are_of_one_order_and_it_is_said(train: bool, tmp_path: Path) -> None:
    images = ramp(4, 6, 7, 5)
    path = archive(tmp_path, images=images, test_images=images[:2], test_labels=np.array([0, 1]),
                   val_images=images[:1], val_labels=np.array([1]))  # fmt: skip
    read = read_npz(path, train=train, order="last")
    assert read.images.shape[1:] == (5, 6, 7)
    assert np.array_equal(read.images[0], images[0].transpose(2, 0, 1))
    assert read.notes == ("5 channels, on the last of 4 axes",)
    assert read_npz(path, train=train, order="first").notes == ("6 channels, on the second of 4 axes",)


def test_an_image_has_pixels(tmp_path: Path) -> None:
    for shape in ((4, 0, 6), (4, 3, 0, 6), (4, 5, 6, 0)):
        path = archive(tmp_path, images=np.zeros(shape, np.uint8))
        with pytest.raises(InputError, match="have no pixel"):
            read_npz(path, train=True, order="last" if len(shape) == 4 else None)


def test_the_white_of_arrays_is_kept_where_it_is_not_255(tmp_path: Path) -> None:
    assert read_npz(archive(tmp_path), train=True).scale is None
    assert read_npz(archive(tmp_path, images=ramp(4, 5, 6) / 255), train=True).scale == 1
    assert read_npz(archive(tmp_path, images=ramp(4, 5, 6).astype(np.uint16)), train=True, scale=4095).scale == 4095


def test_an_archive_of_bytes_is_read_as_it_is(tmp_path: Path) -> None:
    read = read_npz(archive(tmp_path), train=True)
    assert np.array_equal(read.images, ramp(4, 1, 5, 6))
    assert (read.images.dtype, read.labels.dtype) == (np.uint8, np.int64)
    assert (list(read.labels), read.class_names) == ([0, 1, 1, 0], ("0", "1"))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int16, np.uint64])
def test_numbers_from_0_to_255_are_bytes(dtype: type[Any], tmp_path: Path) -> None:
    read = read_npz(archive(tmp_path, images=ramp(4, 5, 6).astype(dtype)), train=True)
    assert np.array_equal(read.images, ramp(4, 1, 5, 6))


def test_floats_up_to_1_are_shares_of_255(tmp_path: Path) -> None:
    path = archive(tmp_path, images=ramp(4, 8, 8) / 255)
    assert np.array_equal(read_npz(path, train=True).images, ramp(4, 1, 8, 8))


def test_whole_numbers_up_to_1_stay_whole_numbers(tmp_path: Path) -> None:
    read = read_npz(archive(tmp_path, images=np.ones((4, 5, 6), dtype=np.int64)), train=True)
    assert (read.images == 1).all()


def test_test_images_are_read_on_the_scale_of_the_training_images(tmp_path: Path) -> None:
    tested = {"test_images": np.full((2, 5, 6), 0.5), "test_labels": np.array([1, 1])}
    small = read_npz(archive(tmp_path, images=ramp(4, 5, 6) / 255, **tested), train=False)
    large = read_npz(archive(tmp_path, images=ramp(4, 5, 6) / 1.0, **tested), train=False)
    assert (small.images == 128).all()
    assert (large.images == 0).all()
    assert (list(small.labels), small.class_names) == ([1, 1], ("0", "1"))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": None}, "has no array 'images'; it holds labels"),
        ({"labels": None}, "has no array 'labels'; it holds images"),
        ({"images": ramp(3, 5, 6)}, "3 images do not go with 4 labels"),
        ({"images": ramp(0, 5, 6), "labels": np.array([], dtype=int)}, "there is no image"),
        ({"images": ramp(0, 5, 6), "labels": np.array([], dtype="U3")}, "there is no image"),
        ({"images": np.full((4, 5, 6), np.nan)}, "images: a pixel is not a finite number"),
        ({"images": np.full((4, 5, 6), np.inf)}, "images: a pixel is not a finite number"),
        ({"images": np.full((4, 5, 6), -0.5)}, "images: pixels run from -0.5 to 0.0, beyond 0 to 1"),
        (
            {"images": np.full((4, 5, 6), 255.5)},
            "images: float64 up to 255.5 is on no scale that can be told; say which",
        ),
        ({"images": np.full((4, 5, 6), 256)}, "images: int64 up to 256 is on no scale that can be told; say which"),
        ({"images": ramp(4, 5, 6) / 16}, "images: float64 up to 7.4375 is on no scale that can be told; say which"),
        ({"images": np.full((4, 5, 6), "a")}, "images: <U1 is neither whole numbers nor floats"),
        ({"images": ramp(4, 5, 6, 7)}, "images: images of shape 4 x 5 x 6 x 7 are not clearly"),
        ({"labels": np.array([0, 3, 3, 5])}, "labels: class 1, 2, 4 of 0 to 5 has no image"),
        ({"labels": np.array([0, 1, 1, 10**12])}, "labels: class 2, 3, 4, 5 of 0 to 1000000000000 has no image"),
        ({"labels": np.array([-1, 0, 1, 0])}, "labels run from -1 to 1; 2 classes are numbered 0 to 1"),
        (
            {"labels": np.array([0.0, 1, 1, 0])},
            "labels: float64 of 1 axes is not one whole number or word for each image",
        ),
        (
            {"labels": np.zeros((4, 1), dtype=int)},
            "labels: int64 of 2 axes is not one whole number or word for each image",
        ),
        ({"images": np.array([None] * 4)}, "images: is an array of Python objects, of which none is read"),
    ],
)
def test_what_is_wrong_with_an_archive_is_said_in_one_line(
    arrays: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = archive(tmp_path, **arrays)
    with pytest.raises(InputError) as raised:
        read_npz(path, train=True)
    assert str(raised.value).startswith((f"{path}: {message}", f"{path}.{message}"))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "has no array 'test_images'"),
        ({"test_images": ramp(1, 5, 6)}, "has no array 'test_labels'"),
        ({"test_images": ramp(1, 5, 6), "test_labels": np.array([2])}, "labels run from 2 to 2; 2 classes"),
        ({"test_images": ramp(1, 5, 7), "test_labels": np.array([0])}, "test images are 1x5x7, not 1x5x6"),
    ],
)
def test_what_is_wrong_with_a_test_split_is_said(arrays: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        read_npz(archive(tmp_path, **arrays), train=False)


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", ramp(3))
    (tmp_path / "text.npz").write_text("images")
    (tmp_path / "cut.npz").write_bytes(archive(tmp_path).read_bytes()[:-30])
    with pytest.raises(InputError, match="is a single array, not an npz archive"):
        read_npz(tmp_path / "one.npy", train=True)
    for name in ("text.npz", "cut.npz", "."):
        with pytest.raises(InputError, match=r"cannot be read: [^\n]+$"):
            read_npz(tmp_path / name, train=True)


def test_labels_beyond_the_classes_are_refused() -> None:
    with pytest.raises(InputError, match="labels run from 0 to 2; 2 classes are numbered 0 to 1"):
        Labelled(images=ramp(2, 1, 3, 3), labels=np.array([0, 2]), class_names=("a", "b"))


@pytest.mark.parametrize(
    ("images", "white", "note"),
    [
        (np.linspace(0, 1, 30).reshape(1, 5, 6).astype(np.float32), 255, ("float32 from 0 to 1",)),
        (np.nextafter(np.ones((1, 5, 6), np.float32), np.float32(2)), 255, ("float32 from 0 to 1",)),
        (np.ones((1, 5, 6), bool), 255, ("bool from 0 to 1",)),
        (np.full((1, 5, 6), 65_535, np.uint16), 255, ("uint16 from 0 to 65535",)),
        (np.full((1, 5, 6), 16.0), 16, ("float64 from 0 to 255",)),  # whole numbers stay as they are
        (np.full((1, 5, 6), 254.7), 255, ("float64 from 0 to 255",)),
        (np.full((1, 5, 6), 7, np.int64), 7, ("int64 from 0 to 255",)),
        (np.full((1, 5, 6), 200, np.uint8), 200, ()),
    ],
)
def test_the_scale_is_told_from_type_and_range(
    images: np.ndarray, white: int, note: tuple[str, ...], tmp_path: Path
) -> None:
    np.savez(tmp_path / "a.npz", images=np.concatenate([images, images]), labels=np.array([0, 1]))
    found = read_npz(tmp_path / "a.npz", train=True)
    assert found.images.max() == white
    assert found.notes == note


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.int32, np.uint64])
@pytest.mark.parametrize(
    ("high", "likely"),
    [
        (1_000, "`scale: 1023` of 10 bits, 4095 of 12, 16383 of 14, 32767 of 15, 65535 of 16"),
        (4_080, "`scale: 4095` of 12 bits, 16383 of 14, 32767 of 15, 65535 of 16"),
        (16_383, "`scale: 16383` of 14 bits, 32767 of 15, 65535 of 16"),
        (32_767, "`scale: 32767` of 15 bits, 65535 of 16"),
    ],
)
def test_whole_numbers_between_8_and_16_bits_are_asked_for_their_scale(
    dtype: type[Any], high: int, likely: str, tmp_path: Path
) -> None:
    path = archive(tmp_path, images=np.full((4, 5, 6), high, dtype))
    told = f"{np.dtype(dtype)} up to {high} is on no scale that can be told; say which value is white, such as {likely}"
    with pytest.raises(InputError) as raised:
        read_npz(path, train=True)
    assert str(raised.value) == f"{path}.images: {told}"
    assert read_npz(path, train=True, scale=high).images.min() == 255


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.int64])
def test_whole_numbers_that_need_16_bits_are_of_16_bits(dtype: type[Any], tmp_path: Path) -> None:
    read = read_npz(archive(tmp_path, images=np.full((4, 5, 6), 40_000, dtype)), train=True)
    assert (read.images.max(), read.notes) == (156, (f"{np.dtype(dtype)} from 0 to 65535",))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.full((4, 5, 6), 100_000), "int64 up to 100000 is on no scale .*, such as `scale: 100000`"),
        (np.full((4, 5, 6), 4095.0), "float64 up to 4095 is on no scale .*, such as `scale: 4095` of 12 bits, 16383"),
        (np.full((4, 5, 6), -3, np.int16), "int16 from -3 to -3 has pixels below 0, the value of black: add 3 to all"),
    ],
)
def test_other_ranges_are_asked_for_what_they_need(images: NDArray[Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"\.images: {message}"):
        read_npz(archive(tmp_path, images=images), train=True)


def test_12_bits_keep_their_greys(tmp_path: Path) -> None:
    images = np.arange(4_096, dtype=np.uint16).reshape(2, 1, 32, 64)
    read = read_npz(archive(tmp_path, images=images, labels=np.array([0, 1])), train=True, scale=4_095)
    assert (len(np.unique(read.images)), read.notes) == (256, ("uint16 from 0 to 4095",))


def test_a_scale_that_is_given_is_taken(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=np.full((2, 5, 6), 7.4), labels=np.array([0, 1]))
    assert read_npz(tmp_path / "a.npz", train=True, scale=14.8).images.max() == 128


def test_a_validation_part_in_an_archive_is_used(tmp_path: Path) -> None:
    images = np.zeros((4, 5, 6), np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=np.array([0, 1, 0, 1]), valid_images=images[:2] + 9,
             valid_labels=np.array([1, 0]))  # fmt: skip
    found = read_npz(tmp_path / "a.npz", train=True)
    assert (found.validation, found.images[-2:].min(), found.labels.tolist()) == (2, 9, [0, 1, 0, 1, 1, 0])


@pytest.mark.parametrize("kind", ["U", "S"])
def test_labels_that_are_words_name_the_classes_in_sorted_order(kind: str, tmp_path: Path) -> None:
    labels = np.array(["dog", "cat", "dog", "ant"]).astype(kind)
    parts = {"val_images": ramp(2, 5, 6), "val_labels": np.array(["dog", "ant"]),
             "test_images": ramp(1, 5, 6), "test_labels": np.array(["cat"])}  # fmt: skip
    read = read_npz(archive(tmp_path, labels=labels, **parts), train=True)
    assert (read.class_names, read.labels.tolist()) == (("ant", "cat", "dog"), [2, 1, 2, 0, 2, 0])
    assert (read.labels.dtype, read.validation, read.warnings) == (np.int64, 2, ())
    tested = read_npz(tmp_path / "set.npz", train=False)
    assert (tested.class_names, tested.labels.tolist()) == (("ant", "cat", "dog"), [1])


def test_names_may_stand_beside_numbers(tmp_path: Path) -> None:
    beside = {"label_names": np.array(["zebra", "ant"]), "val_images": ramp(2, 5, 6), "val_labels": np.array([1, 0])}
    read = read_npz(archive(tmp_path, **beside), train=True)
    assert (read.class_names, read.labels.tolist()) == (("zebra", "ant"), [0, 1, 1, 0, 1, 0])
    worded = read_npz(archive(tmp_path, **{**beside, "val_labels": np.array(["ant", "zebra"])}), train=True)
    assert worded.labels.tolist() == read.labels.tolist()


CAT = np.array(["cat", "dog", "cat", "dog"])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"labels": CAT, "val_images": ramp(1, 5, 6), "val_labels": np.array(["dogs"])},
            "val_labels: unknown class 'dogs' (did you mean 'dog'?); known are cat, dog",
        ),
        (
            {"labels": CAT, "val_images": ramp(1, 5, 6), "val_labels": np.array(["a\x1b[2J\n"])},
            "val_labels: unknown class 'a\\x1b[2J\\n'; known are cat, dog",
        ),
        (
            {"val_images": ramp(1, 5, 6), "val_labels": np.array(["0"])},
            "val_labels: <U1 of 1 axes is not one whole number or word for each image",
        ),
        ({"labels": np.array(["a", "", "b", "a"])}, "labels: word 1 is empty"),
        ({"labels": np.array(["a", "b", " ", "a"])}, "labels: word 2 is empty"),
        (
            {"labels": np.array(["a", "b", "c" * 300, "a"])},
            "labels: word 2 has 300 characters, not at most 255: cccccccccccccccccccc [...] ccccccccccccc",
        ),
        ({"labels": CAT[:, None]}, "labels: <U3 of 2 axes is not one whole number or word for each image"),
        ({"labels": CAT.astype(object)}, "labels: is an array of Python objects, of which none is read; whole numbers"),
        ({"labels": CAT, "label_names": np.array(["a", "b"])}, "label_names: names whole numbers, and labels are"),
        ({"label_names": np.array(["a", "a"])}, "label_names: 'a' stands there twice"),
        ({"label_names": np.array(["a", "b", "c"])}, "label_names: class 2, 'c', has no image"),
        ({"label_names": np.array(["a"])}, "labels run from 0 to 1; 1 classes are numbered 0 to 0"),
        ({"label_names": np.array([5, 6])}, "label_names: int64 of 1 axes is not one name for each class"),
        (
            {"labels": np.array([0x110000] * 4, np.uint32).view("<U1")},
            "labels: holds characters that there are not",
        ),
        ({"labels": CAT[:3]}, "4 images do not go with 3 labels"),
    ],
)
def test_what_is_wrong_with_names_is_said_in_one_line(arrays: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = archive(tmp_path, **arrays)
    with pytest.raises(InputError) as raised:
        read_npz(path, train=True)
    assert str(raised.value).startswith((f"{path}: {message}", f"{path}.{message}"))
    assert str(raised.value).isprintable()


@pytest.mark.parametrize(
    ("names", "line"),
    [
        (["cat", "Cat"], "classes 'Cat' and 'cat' differ in case alone: are they two?"),
        (["cat", "cat "], "classes 'cat' and 'cat ' look alike: are they two?"),
        (["é", "e\u0301"], "classes 'e\u0301' and 'é' look alike: are they two?"),
        (["cat", "nan"], "class 'nan' has the name of a label that is missing"),
    ],
)
def test_names_that_may_not_be_meant_are_said(names: list[str], line: str, tmp_path: Path) -> None:
    assert read_npz(archive(tmp_path, labels=np.array(names * 2)), train=True).warnings == (line,)


def test_hostile_names_are_kept_and_shown(tmp_path: Path) -> None:
    names = ["\x1b[31mred", "b\nc", "\u202e", "<b>"]
    read = read_npz(archive(tmp_path, labels=np.array(names)), train=True)
    assert read.class_names == tuple(sorted(names))
    odd = read_npz(archive(tmp_path, labels=np.array([b"caf\xe9", b"b", b"b", b"b"])), train=True)
    assert odd.class_names == ("b", "caf\udce9")


@given(words=st.lists(st.text(min_size=1, max_size=9).filter(lambda text: text.strip("\0 ").strip()), min_size=2))
def test_any_words_are_read_as_python_sorts_them(words: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    words = [word.rstrip("\0") for word in words]  # numpy takes what is behind for padding
    path = archive(tmp_path_factory.mktemp("npz"), images=ramp(len(words), 2, 2), labels=np.array(words))
    read = read_npz(path, train=True)
    assert read.class_names == tuple(sorted(set(words)))
    assert [read.class_names[number] for number in read.labels] == words


def npy(shape: tuple[int, ...] | str, dtype: str = "|u1", data: bytes = b"", version: int = 1) -> bytes:
    """Return a file of one array whose header says what it is told to."""
    header = f"{{'descr': {dtype if dtype[:1] in '[(' else repr(dtype)}, 'fortran_order': False, 'shape': {shape}}}\n"
    length = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + length + header.encode("latin-1") + data


def packed(path: Path, *members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    """Write an archive of files named so, all of them packed by one method."""
    with zipfile.ZipFile(path, "w", method) as made, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that stand twice
        for name, content in members:
            made.writestr(name, content)
    return path


LABELS = ("labels.npy", npy((4,), data=bytes([0, 1, 1, 0])))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (npy((4, 5, 6), data=bytes(119)), r"its header says 120 bytes \(uint8 of shape 4 x 5 x 6\), .* 119"),
        (npy((4, 5, 6), data=bytes(121)), "its header says 120 bytes .*, and the archive 121"),
        (npy((10**5, 10**5, 10**5), data=bytes(9)), "its header says 1,000,000,000,000,000 bytes .* 9"),
        (npy((2**32, 2**32, 1), data=bytes(9)), "has no possible shape: 4294967296 x 4294967296 x 1"),
        (npy((0, 2**40, 2**40)), "has no possible shape: 0 x"),
        (npy((-1, 5, 6), data=bytes(30)), "has no possible shape: -1 x 5 x 6"),
        (npy((1,) * 65, data=bytes(1)), "has no possible shape"),
        (npy((), data=bytes(1)), "images of shape a single number are not clearly"),
        (npy((4,), "|O", b"cos\nsystem\n"), "is an array of Python objects, of which none is read; numbers"),
        (npy((4,), "[('a', '|O')]"), "is an array of Python objects"),
        (npy((4,), "[('a', '<i4'), ('b', '<f8')]", bytes(48)), "a record of fields is neither whole"),
        (npy((4,), "<c16", bytes(64)), "complex128 is neither whole numbers nor floats"),
        (npy((4,), "<M8[s]", bytes(32)), r"datetime64\[s\] is neither"),
        (npy((4,), "|S3", bytes(12)), r"\|S3 is neither"),
        (npy((4,), "|nothing"), "is not an array that numpy wrote"),
        (npy("'4'"), "is not an array that numpy wrote"),
        (npy("(" * 200 + ")" * 200), "is not an array that numpy wrote"),
        (npy((4, 5, 6), data=bytes(120), version=9), "is not an array that numpy wrote"),
        (npy((4, 5, 6), data=bytes(120), version=3), "is not an array that numpy wrote"),
        (npy((4,))[:20], "is not an array that numpy wrote"),
        (b"", "is not an array that numpy wrote"),
        (b"\x80\x04K\x01.", "is not an array that numpy wrote"),
        (npy((4,) + (1,) * 5_000), "is not an array that numpy wrote"),
    ],
)  # fmt: skip
def test_an_array_is_refused_by_what_its_header_says_before_it_is_read(
    images: bytes, message: str, tmp_path: Path
) -> None:
    path = packed(tmp_path / "a.npz", ("images.npy", images), LABELS)
    with pytest.raises(InputError, match=rf"^{path}(\.images|): {message}[^\n]*$") as raised:
        read_npz(path, train=True)
    assert "pickle" not in str(raised.value)


def test_arrays_are_read_however_numpy_laid_them_out(tmp_path: Path) -> None:
    images = ramp(4, 5, 6, 3)
    for given_ in (
        np.asfortranarray(images),
        images.astype(">u2") * 257,
        images.astype(">f4") / 255,
        images[::-1][::-1],
    ):
        found = read_npz(archive(tmp_path, images=given_), train=True)
        assert np.array_equal(found.images, images.transpose(0, 3, 1, 2))
    assert found.notes == ()
    path = archive(tmp_path, images=images.astype(">f4") / 255, labels=np.array([0, 1, 1, 0], ">i4"))
    assert read_npz(path, train=True).notes == ("float32 from 0 to 1",)


def test_a_header_of_an_old_numpy_is_read_without_a_word(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.npz", ("images.npy", npy("(4L, 5L, 6L)", data=bytes(120))), LABELS)
    with warnings.catch_warnings(record=True) as warned:
        assert read_npz(path, train=True).images.shape == (4, 1, 5, 6)
    assert warned == []


def test_an_archive_that_holds_a_name_twice_is_refused(tmp_path: Path) -> None:
    images = ("images.npy", npy((4, 5, 6), data=bytes(120)))
    with pytest.raises(InputError, match=r"a\.npz\.images: stands twice in the archive$"):
        read_npz(packed(tmp_path / "a.npz", images, images, LABELS), train=True)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_archive_is_unpacked_in_the_ways_that_numpy_packs(method: int, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"images: is packed by method {method}; np.savez and"):
        read_npz(packed(tmp_path / "a.npz", LABELS, ("images.npy", npy((4, 5, 6), data=bytes(120))), method=method),
                 train=True)  # fmt: skip


def test_an_encrypted_archive_is_told_as_such(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.npz", ("images.npy", npy((4, 5, 6), data=bytes(120))), LABELS)
    content = bytearray(path.read_bytes())
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # the flags, beside each member and in the list of them
        start = content.find(mark)
        while start >= 0:
            content[start + at] |= 1
            start = content.find(mark, start + 1)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.npz\.images: is encrypted$"):
        read_npz(path, train=True)


def test_the_names_in_an_archive_are_shown_and_not_obeyed(tmp_path: Path) -> None:
    names = ["../../etc/passwd", "\x1b[2J", *(f"array{number:03}" for number in range(90))]
    path = packed(tmp_path / "a.npz", *((name, b"") for name in names))
    with pytest.raises(InputError, match=r"it holds \\x1b\[2J, \.\./\.\./etc/passwd, .* and 82 others$") as raised:
        read_npz(path, train=True)
    assert str(raised.value).isprintable()


def bomb(path: Path, count: int) -> Path:
    """Write an archive of a thousandth of what it holds: pictures that are all black."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("labels.npy", npy((64,), data=bytes(range(2)) * 32))
        with made.open("images.npy", "w", force_zip64=True) as file:
            file.write(npy((64, count // 64, 1)))
            for _ in range(count // 2**22):
                file.write(bytes(2**22))
    return path


def lying(path: Path) -> Path:
    """Write an archive whose list of members says as much as the header of an array: far more than it holds."""
    packed(path, ("images.npy", npy((128, 2**12, 2**12), data=bytes(120))), LABELS)
    content, size = path.read_bytes(), struct.pack("<I", 2**31 + len(npy((128, 2**12, 2**12))))
    at = content.find(b"PK\x01\x02")
    path.write_bytes(content[: at + 24] + size + content[at + 28 :])
    return path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda path: bomb(path, 2 * LARGE),
            "not enough memory: uint8 .* would take 536,870,912 bytes, and 500,000,000 are",
        ),
        (lying, "uint8 of shape 128 x 4096 x 4096 is said to have 2,147,483,648 bytes, which .* of file cannot hold$"),
    ],
)
def test_an_archive_is_refused_before_more_is_unpacked_than_there_can_be(
    make: Callable[[Path], Path], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "available", lambda: 500_000_000)
    path, before = make(tmp_path / "a.npz"), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match=f"images: {message}"):
        read_npz(path, train=True)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < LARGE / 1024 / 4


def test_an_image_that_is_none_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.npz", ("images.npy", npy((4, 2**27, 1), data=bytes(2**29))), LABELS)
    with pytest.raises(InputError, match=r"images: has images of 134,217,728 numbers each .* at most 100,000,000 are"):
        read_npz(path, train=True)


def test_images_that_are_hardly_anything_but_black_are_read_however_well_they_are_packed(tmp_path: Path) -> None:
    images = np.zeros((2, 8_300, 8_300), np.uint8)
    images[1, -1, -1] = 9
    np.savez_compressed(tmp_path / "a.npz", images=images, labels=np.array([0, 1]))
    assert images.nbytes > max(LARGE, 900 * (tmp_path / "a.npz").stat().st_size)
    assert np.array_equal(read_npz(tmp_path / "a.npz", train=True).images[:, 0], images)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2, 3), "holds more than 6 values where its header says 6"),
        ((2**15, 2**15), "the array of shape 32768 x 32768 is said to have 1,073,741,824 bytes, which 260,"),
    ],
)
def test_a_gzipped_file_is_not_unpacked_to_more_than_its_header_says(
    shape: tuple[int, int], message: str, tmp_path: Path
) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with gzip.open(tmp_path / "a.gz", "w") as file:
        file.write(bytes([0, 0, 8, 2]) + struct.pack(">2I", *shape))
        for _ in range(64):
            file.write(bytes(2**22))
    with pytest.raises(InputError, match=message):
        read_idx(tmp_path / "a.gz")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < LARGE / 1024 / 4


def test_a_damaged_file_is_read_or_refused_in_one_line(tmp_path: Path) -> None:
    chance, refusals = random.Random(20_264), []
    plain = archive(tmp_path).read_bytes()
    tight = packed(tmp_path / "b.npz", LABELS, ("images.npy", npy((4, 5, 6), data=bytes(120)))).read_bytes()
    for content in [plain, tight, idx(ramp(4, 5, 6)), gzip.compress(idx(ramp(4, 5, 6)))] * 500:
        path = tmp_path / ("a.gz" if content[:1] == b"\x1f" else "a")
        path.write_bytes(broken(content, chance))
        try:
            read_npz(path, train=True) if content[:1] == b"P" else read_idx(path)
        except InputError as error:
            refusals.append(str(error).removeprefix(str(path)))
    assert 20 < len(refusals) < 1_980
    assert [refusal for refusal in refusals if not refusal.isprintable() or len(refusal) > 300] == []


@pytest.mark.timeout(20)
def test_what_is_no_ordinary_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.npz")
    for path in (tmp_path / "pipe.npz", Path("/dev/zero")):
        for reading in (lambda path: read_npz(path, train=True), read_idx):
            with pytest.raises(InputError, match=f"^{path}: cannot be read: is no ordinary file$"):
                reading(path)
