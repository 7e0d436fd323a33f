"""Data sets by name, and how each is read: DATASETS holds the known ones.

A source reads its training part or its test part; nothing here splits or scales them.
"""

from collections.abc import Callable, Iterable, Mapping
from copy import copy
from dataclasses import asdict, dataclass, field, fields, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np

from spaces.architecture import ImageSpec
from spaces.errors import InputError, unknown
from workers.augment import Augment
from workers.images import ORDERS, Labelled, as_nchw, read_idx, read_npz
from workers.pictures import MODES, read_folder
from workers.splits import sample
from workers.vision import IMAGES, TORCHVISION, read_torchvision

DEBIAN_FASHION = Path("/usr/share/datasets/fashion-mnist")
DIGITS_TEST = 297  # of 1,797: leaves 1,500
MOST_FOLDS = 100
_DIGITS_SEED = 1797  # what it draws is the test split for ever


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSpec:
    """Which images a study uses and how: a value that travels to workers and tells data sets apart.

    Raises:
        InputError: a field alone is wrong, or is not one of this data set's.
    """

    name: str  # a key of DATASETS
    dataset: str | None = None  # torchvision's name of the class
    path: str | None = None  # of the folder or the archive
    root: str | None = None  # folder that holds the data set's files
    size: tuple[int, int] | None = None  # h w that pictures are stretched to
    scale: float | None = None  # the value that stands for white, where type and range do not tell it
    channels: str | int | None = None  # where an archive's stand, first or last; of pictures, how many
    validation: float = 0.2  # fraction of the training images that trials are measured on, where no part is set apart
    test: float | None = None  # fraction that is set apart before all else, where the data set has no test split
    fold: tuple[int, int] | None = None  # measure on this part, from 0, of so many equal ones, and train on the others
    whole: bool = False  # train on what would be measured on too, and measure on nothing
    split_seed: int = 0
    limit: int | None = None  # train on that many images only, for a quick look
    augment: Augment | None = None  # without it, the data set's own

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or self.name not in DATASETS:
            raise InputError(unknown("data set", self.name, DATASETS))
        source = DATASETS[self.name]
        if self.root is None:
            object.__setattr__(self, "root", source.root)
        _check_fields(self, source)
        _check_numbers(self)
        _check_parts(self)

    @property
    def augmentation(self) -> Augment:
        """Return how training images are changed: as was asked, or as suits the data set."""
        source = DATASETS[self.name]
        return self.augment or source.members.get(self.dataset or "", source.augment)

    @property
    def title(self) -> str:
        """Return a name for people: a folder's, an archive's, torchvision's, or the data set's own."""
        return self.dataset or (Path(self.path).stem if self.path else self.name)

    def resolved(self, base: Path) -> "DataSpec":
        """Return the same with its paths made absolute, so that a process started elsewhere finds them."""
        given = {name: getattr(self, name) for name in ("path", "root")}
        found: dict[str, Any] = {name: str(base / Path(text).expanduser()) for name, text in given.items() if text}
        return replace(self, **found)

    def anywhere(self) -> "DataSpec":
        """Return the same without a word of where its files lie or how they are to be understood; only to be compared.

        What a scale or an order of axes makes of the images, their fingerprint tells: one may be written down where it
        was told so far.
        """
        found = copy(self)
        for name in ("path", "root", "scale", *(["channels"] if isinstance(self.channels, str) else [])):
            object.__setattr__(found, name, None)
        return found

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        pairs = {name: list(given) if (given := getattr(self, name)) else None for name in ("size", "fold")}
        return {**asdict(self), **pairs}

    @classmethod
    def from_json(cls, described: Mapping[str, Any]) -> "DataSpec":
        """Return the specification that `to_json` described; unknown fields are an InputError."""
        check_keys(described, [item.name for item in fields(cls)])
        given = dict(described)
        if given.get("augment") is not None:
            given["augment"] = _augmentation(given["augment"])
        for name in ("size", "fold"):
            if given.get(name) is not None:
                given[name] = tuple(given[name])
        return cls(**given)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """How one data set is read and which fields of a DataSpec it uses."""

    read: Callable[[DataSpec, bool], Labelled]  # true: the training part; false: the test part
    needs: str = ""  # the field that must be given; `{key: value}` is short for `{name: key, needs: value}`
    takes: tuple[str, ...] = ()  # fields that may be given
    channels: tuple[str | int, ...] = ()  # what that field may be
    root: str | None = None  # where it looks unless told
    augment: Augment = field(default_factory=Augment)
    members: Mapping[str, Augment] = field(default_factory=dict)  # the data sets inside it, each with its own
    has_test: Callable[[DataSpec], bool] = lambda _spec: True  # a test split of its own; told without reading it


def check_keys(given: Mapping[str, object], known: Iterable[str], *, place: str = "") -> None:
    """Raise InputError at the first key that is not known."""
    known = list(known)
    for key in given:
        if key not in known:
            raise InputError(unknown("key", key, known), place=place)


def _augmentation(described: Mapping[str, Any]) -> Augment:
    check_keys(described, [item.name for item in fields(Augment)], place="augment")
    try:
        return Augment(**described)
    except InputError as error:
        raise error.at("augment") from error


def _check_fields(spec: DataSpec, source: Source) -> None:
    for name in ("dataset", "path", "root", "size", "scale", "channels"):
        given = getattr(spec, name)
        if given is None and name == source.needs:
            raise InputError(f"{spec.name} needs a {name}: {{{spec.name}: ...}}")
        if given is not None and name != source.needs and name not in source.takes:
            raise InputError(f"{spec.name} takes no {name}", place=name)
        if given is not None and name not in ("size", "scale", "channels") and not (isinstance(given, str) and given):
            raise InputError(f"{name} {given!r} is not text")
    if source.members and spec.dataset not in source.members:
        raise InputError(unknown("data set", spec.dataset, source.members))


def _check_numbers(spec: DataSpec) -> None:
    if not _is_number(spec.validation) or not 0 < spec.validation < 1:
        raise InputError(f"{spec.validation!r} is not a fraction between 0 and 1", place="validation")
    if not _is_whole(spec.split_seed) or not 0 <= spec.split_seed < 2**32:
        raise InputError(f"{spec.split_seed!r} is not a whole number from 0 to 2^32 - 1", place="split_seed")
    if spec.limit is not None and (not _is_whole(spec.limit) or spec.limit < 1):
        raise InputError(f"{spec.limit!r} is not a whole number of images, 1 or more", place="limit")
    if spec.size is not None and not (
        isinstance(spec.size, tuple) and len(spec.size) == 2 and all(_is_whole(side) and side > 0 for side in spec.size)
    ):
        raise InputError(f"{spec.size!r} is not a height and a width in pixels", place="size")
    if spec.scale is not None and (not _is_number(spec.scale) or not 0 < spec.scale < 2**32):
        raise InputError(f"{spec.scale!r} is not the value above 0 that stands for white", place="scale")
    known = DATASETS[spec.name].channels
    if spec.channels is not None and (isinstance(spec.channels, bool) or spec.channels not in known):
        raise InputError(f"{spec.channels!r} is none of {', '.join(map(str, known))}", place="channels")
    if spec.augment is not None and not isinstance(spec.augment, Augment):
        raise InputError(f"{spec.augment!r} is not an augmentation", place="augment")


def _check_parts(spec: DataSpec) -> None:
    if spec.test is not None and (not _is_number(spec.test) or not 0 < spec.test < 1):
        raise InputError(f"{spec.test!r} is not a fraction between 0 and 1", place="test")
    if spec.fold is not None and not 0 <= spec.fold[0] < spec.fold[1] <= MOST_FOLDS:
        raise InputError(f"{spec.fold!r} is not a part, from 0, of 2 to {MOST_FOLDS}", place="fold")


def _is_whole(given: object) -> bool:
    return isinstance(given, int) and not isinstance(given, bool)


def _is_number(given: object) -> bool:
    return isinstance(given, float) or _is_whole(given)


def known_image(spec: DataSpec) -> ImageSpec | None:
    """Return what a public data set holds, whether or not it is here; None for a person's own images."""
    return IMAGES.get("FashionMNIST" if spec.name == "fashion-mnist" else spec.dataset or "")


def _digits(_spec: DataSpec, train: bool) -> Labelled:
    """Read scikit-learn's 1,797 grey images of 8x8 pixels in 0..16, of which 297 are set aside as a test split."""
    rows = np.loadtxt(_digits_file(), delimiter=",", dtype=np.int64)  # 64 pixels and a label each
    labels = rows[:, 64]
    test = sample(labels, DIGITS_TEST, _DIGITS_SEED)
    chosen = np.setdiff1d(np.arange(len(labels)), test) if train else test
    images = np.rint(rows[chosen, :64].reshape(-1, 1, 8, 8) * (255 / 16)).astype(np.uint8)
    return Labelled(images=images, labels=labels[chosen], class_names=tuple("0123456789"))


def _digits_file() -> Path:
    """Return the file that scikit-learn brings; importing scikit-learn to read it takes each process 2 s."""
    found = find_spec("sklearn")
    if found is None or found.origin is None:
        raise InputError("the digits come with scikit-learn: `pip install scikit-learn`")
    return Path(found.origin).parent / "datasets" / "data" / "digits.csv.gz"


def _fashion_mnist(spec: DataSpec, train: bool) -> Labelled:
    """Read Zalando's 70,000 grey images of 28x28 pixels from the four IDX files they are published as."""
    part = "train" if train else "t10k"
    places = [Path(spec.root), Path(spec.root, "FashionMNIST", "raw")] if spec.root else [DEBIAN_FASHION]
    file = _found(places, f"{part}-images-idx3-ubyte")
    labels = read_idx(_found(places, f"{part}-labels-idx1-ubyte"))
    images = read_idx(file)
    try:
        return Labelled(images=as_nchw(images), labels=labels.astype(np.int64), class_names=FASHION)
    except InputError as error:
        raise error.at(str(file)) from error  # which is here, and wrong


def _found(places: list[Path], name: str) -> Path:
    for path in (place / given for place in places for given in (name, f"{name}.gz")):
        if path.is_file():
            return path
    raise InputError(
        f"there is no {name} in {' or '.join(map(str, places))}; `apt-get install dataset-fashion-mnist`, "
        "or write {torchvision: FashionMNIST, root: data} to download it"
    )


FASHION = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip


def _folder_has_test(spec: DataSpec) -> bool:
    return all(Path(spec.path or "", part).is_dir() for part in ("train", "test"))


def _npz_has_test(spec: DataSpec) -> bool:
    try:
        with ZipFile(spec.path or "") as archive:
            return "test_images.npy" in archive.namelist()
    except (OSError, ValueError, BadZipFile):  # whoever reads it says what is wrong
        return False


DATASETS: dict[str, Source] = {
    # A mirrored digit is another sign, and in 8 pixels it fills there is no margin to shift it in.
    "digits": Source(read=_digits),
    "fashion-mnist": Source(read=_fashion_mnist, takes=("root",), augment=TORCHVISION["FashionMNIST"]),
    "torchvision": Source(
        read=lambda spec, train: read_torchvision(spec.dataset or "", Path(spec.root or "."), train=train),
        needs="dataset", takes=("root",), root="data", members=TORCHVISION,
    ),
    # Of images nobody has described, even a shift or a mirror may change the class: what is wanted is asked for.
    "folder": Source(
        read=lambda spec, train: read_folder(Path(spec.path or ""), spec.size, train=train, scale=spec.scale,
                                              channels=spec.channels if isinstance(spec.channels, int) else None),
        has_test=_folder_has_test, needs="path", takes=("size", "scale", "channels"), channels=tuple(MODES),
    ),
    "npz": Source(
        read=lambda spec, train: read_npz(Path(spec.path or ""), train=train, scale=spec.scale,
                                           order=spec.channels if isinstance(spec.channels, str) else None),
        has_test=_npz_has_test, needs="path", takes=("scale", "channels"), channels=ORDERS,
    ),
}  # fmt: skip
