"""Test `workers.vision`."""

import inspect
import os
import struct
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from spaces.errors import InputError
from workers.vision import TORCHVISION, held, read_torchvision


def ramp(*shape: int) -> NDArray[np.uint8]:
    return (np.arange(np.prod(shape)) % 256).astype(np.uint8).reshape(shape)


class LikeCifar:
    """Hold colour images `n h w c`, a list of targets, and names."""

    def __init__(self, root: Path, train: bool = True, download: bool = False) -> None:
        self.data = ramp(4 if train else 2, 5, 6, 3)
        self.targets = [0, 1, 1, 0] if train else [1, 0]
        self.classes = ["cat", "dog"]
        self.asked = (root, download)


class LikeSvhn:
    """Hold colour images `n c h w` and an array of labels."""

    def __init__(self, root: Path, split: str = "train", download: bool = False) -> None:  # noqa: ARG002
        self.data = ramp(3 if split == "train" else 2, 3, 5, 6)
        self.labels = np.array([0, 2, 1] if split == "train" else [2, 2])


class OutOfReach:
    """Fail as torchvision does where there is no network."""

    def __init__(self, root: Path, train: bool = True, download: bool = False) -> None:  # noqa: ARG002
        raise RuntimeError("Error downloading train.gz:\nTried https://mirror, got:\n<urlopen error>\n")


class Crowded:
    """Notice how many are at work at once."""

    now, most = 0, 0

    def __init__(self, root: Path, train: bool = True, download: bool = False) -> None:  # noqa: ARG002
        Crowded.now += 1
        Crowded.most = max(Crowded.most, Crowded.now)
        time.sleep(0.02)
        Crowded.now -= 1
        self.data, self.targets = ramp(2, 4, 4), [0, 1]


def write_idx(path: Path, values: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    header = bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    path.write_bytes(header + values.tobytes())


def test_a_class_with_train_is_asked_for_either_part(tmp_path: Path) -> None:
    train, test = (held(LikeCifar, tmp_path, train=train) for train in (True, False))
    assert train.images.shape == (4, 3, 5, 6)
    assert train.images[0, 2, 1, 3] == ramp(4, 5, 6, 3)[0, 1, 3, 2]
    assert (list(train.labels), train.labels.dtype, train.class_names) == ([0, 1, 1, 0], np.int64, ("cat", "dog"))
    assert list(test.labels) == [1, 0]


def test_a_class_with_split_is_asked_for_either_part(tmp_path: Path) -> None:
    train, test = (held(LikeSvhn, tmp_path, train=train) for train in (True, False))
    assert np.array_equal(train.images, ramp(3, 3, 5, 6))
    assert train.class_names == ("0", "1", "2")
    assert list(test.labels) == [2, 2]


def test_a_download_that_fails_is_told_in_one_line_with_the_way_round(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Error downloading train.gz\); .*run torchvision.*download=True") as raised:
        held(OutOfReach, tmp_path, train=True)
    assert "\n" not in str(raised.value)
    assert str(tmp_path) in str(raised.value)


def test_a_root_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(InputError, match=f"cannot be read from {tmp_path}/data nor downloaded"):
        held(LikeCifar, tmp_path / "data", train=True)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_from_a_root_that_cannot_be_written_nothing_is_downloaded(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert len(held(LikeCifar, tmp_path, train=True).labels) == 4
    assert list(tmp_path.iterdir()) == []


def test_workers_of_one_node_take_turns_to_download(tmp_path: Path) -> None:
    workers = [threading.Thread(target=held, args=(Crowded, tmp_path), kwargs={"train": True}) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert Crowded.most == 1


@pytest.mark.slow  # imports torchvision
@pytest.mark.parametrize("name", TORCHVISION)
def test_every_named_class_exists_and_can_be_asked_for_either_part(name: str) -> None:
    from torchvision import datasets

    asked = inspect.signature(getattr(datasets, name)).parameters
    assert {"root", "download"} <= set(asked)
    assert {"train", "split"} & set(asked)


@pytest.mark.slow  # imports torchvision
@pytest.mark.parametrize("name", ["FashionMNIST", "KMNIST", "MNIST"])
def test_files_that_are_there_are_not_downloaded(name: str, tmp_path: Path) -> None:
    for part, count in (("train", 5), ("t10k", 3)):
        write_idx(tmp_path / name / "raw" / f"{part}-images-idx3-ubyte", ramp(count, 28, 28))
        write_idx(tmp_path / name / "raw" / f"{part}-labels-idx1-ubyte", ramp(count))
    train, test = (read_torchvision(name, tmp_path, train=train) for train in (True, False))
    assert np.array_equal(train.images, ramp(5, 1, 28, 28))
    assert list(test.labels) == [0, 1, 2]
    assert len(train.class_names) == 10


def test_only_what_may_be_mirrored_is_mirrored() -> None:
    mirrored = {name for name, how in TORCHVISION.items() if how.flip}
    assert mirrored == {"CIFAR10", "CIFAR100", "FashionMNIST", "STL10"}
