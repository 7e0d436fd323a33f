"""Test `workers.images`."""

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from spaces.errors import InputError
from workers.images import Labelled, as_nchw, read_idx, read_npz


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
        (idx(ramp(2, 3)) + b"\0", "holds 7 values where its header says 6"),
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
        ({"images": ramp(4, 5, 6, 7)}, "images of shape 4 x 5 x 6 x 7 are not clearly"),
        ({"labels": np.array([0, 3, 3, 5])}, "labels: class 1, 2, 4 of 0 to 5 has no image"),
        ({"labels": np.array([0, 1, 1, 10**12])}, "labels: class 2, 3, 4, 5 of 0 to 1000000000000 has no image"),
        ({"labels": np.array([-1, 0, 1, 0])}, "labels run from -1 to 1; 2 classes are numbered 0 to 1"),
        ({"labels": np.array([0.0, 1, 1, 0])}, "labels: float64 of 1 axes is not one whole number for each image"),
        ({"labels": np.zeros((4, 1), dtype=int)}, "labels: int64 of 2 axes is not one whole number for each image"),
        ({"images": np.array([None] * 4)}, "cannot be read: Object arrays cannot be loaded"),
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


def test_a_scale_that_is_given_is_taken(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=np.full((2, 5, 6), 7.4), labels=np.array([0, 1]))
    assert read_npz(tmp_path / "a.npz", train=True, scale=14.8).images.max() == 128


def test_a_validation_part_in_an_archive_is_used(tmp_path: Path) -> None:
    images = np.zeros((4, 5, 6), np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=np.array([0, 1, 0, 1]), valid_images=images[:2] + 9,
             valid_labels=np.array([1, 0]))  # fmt: skip
    found = read_npz(tmp_path / "a.npz", train=True)
    assert (found.validation, found.images[-2:].min(), found.labels.tolist()) == (2, 9, [0, 1, 0, 1, 1, 0])
