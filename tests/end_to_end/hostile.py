"""Study files and data that people, programs and bad people write: valid, nearly valid and hostile, each by a seed."""

import gzip
import io
import json
import os
import random
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

from tests.workers.damage import broken, damaged

TINY: dict[str, Any] = {"depth": {"int": [1, 2]}, "widening_factor": {"choice": [0.125, 0.25]}}

# Values that stand where another kind was expected, or are of that kind and far from anything meant.
ODD: tuple[Any, ...] = (
    None, True, False, "", " ", "none", "auto", [], {}, [[]], {"": ""}, {"int": [1, 2]}, {"choice": []},
    {"int": [2, 1]}, {"int": [1, 10**9]}, {"int": [1, 10**30]}, {"int": ["a", "b"]}, {"float": [0, float("inf")]},
    {"choice": [1, 1]}, {"choice": [None]}, {"choice": ["basic", 3]}, {"choice": [10**6]}, {"float": [1e-300, 1e300]},
    {"choice": ["basic"], "when": {"block": "basic"}}, {"choice": list(range(5000))}, {"int": [1, 4], "log": True},
    0, -1, 1, 3, 10**6, 10**9, 2**31, 2**53 + 1, 2**63, 10**400, 0.5, -0.0, 1e-320, 1e308, float("inf"), float("nan"),
    "1:30", "0o17", "0x1F", "1e6", "1_000", "<= 1", "<= -1", ">= 1e99", "== 3", "<= 1G params", "<=", "a" * 10_000,
    "\x1b[2J\x1b]0;title\x07", "a\nb\r\n", "\u202egnp.exe", "\ud800", "\x00", "é\u0301", "${HOME}", "${NOT_SET}", "${",
    "${PATH}" * 50, "~", "/", "/dev/null", "/dev/zero", "/proc/self/mem", "../..", ".", "x" * 300, "x/" * 3000,
    "sqlite:///", "sqlite:////dev/full", "sqlite://", "postgresql+psycopg://u:pass%00@h/d", "mysql://x", "://", "http://[",
    "s3://bucket/x", "file:///tmp", "digits", "folder", "npz", "imagenet", ["accuracy"], ["macs", "macs"],
    ["accuracy", "macs", "params", "latency"], {"name": "digits"}, {"folder": "nowhere"}, {"npz": "nowhere.npz"},
    {"torchvision": "CIFAR10"}, {"torchvision": "ImageNet"}, {"name": "digits", "limit": 1}, ["resnet-20"],
    {"name": "digits", "validation": 1.0}, {"name": "digits", "augment": {"crop": 99}}, {"name": "digits", "limit": 0},
    {"name": "digits", "augment": {"flip": "yes"}}, [{"depth": 1}], [{"depth": 10**9}], [{"study": "other"}], [[1]],
)  # fmt: skip

# Texts that are no tree that a program would write.
TEXTS: tuple[bytes, ...] = (
    b"", b"\n", b"---\n", b"---\n---\n", b"null", b"[]", b"42", b"- a\n- b\n", b"\x00", b"\xff\xfe\x00",
    b"\xef\xbb\xbf",
    "study: a".encode("utf-16"), b"study: !!python/object/apply:os.system ['touch pwned']\n", b"a: !!binary '//79'\n",
    b"a: &a [*a]\n", b"study: &s {a: *s}\n", b"<<: *a\n", b"<<: {study: x}\n", b"? [a, b]\n: c\n", b"? {a: b}\n: c\n",
    b"study: a\nstudy: b\n", b"'study': a\n\"study\": b\n", b"\tstudy: a\n", b"study: a\r\ndata: digits\r\n",
    b"study: 2001-01-01\n", b"study: !!set {a, b}\n", b"study: !!omap [a: 1]\n", b"study: !foo bar\n",
    b"%YAML 3.0\n---\n",
    b"%TAG ! tag:x,2000:\n---\n!a b\n", b"study: |\n  a\n  b\n", b"a: " + b"[" * 5_000, b"a: " + b"{a: " * 5_000,
    b"a: " + b"9" * 5_000, b"a: 0x" + b"f" * 5_000, b"a: 1e" + b"9" * 500, b"k" * 2_000 + b": 1\n",
    b"? " + b"k" * 200_000,
    b"a: '" + b"x" * 999_000 + b"'\n", b"# " + b"x" * 3_000_000, b"a: 1\n" * 200_000, b"- " * 100_000,
    b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 9))
                                               for c in range(ord("b"), ord("k"))),
    b"study: \"\\e[2J\"\n", b"study: \"\\ud800\"\n", b"study: \"\\0\"\n", b"\"\\e[2J\": 1\n", b"${HOME}: 1\n",
    b"@\n", b"`\n",
    b"a: b: c\n", b"a: 'b\n", b"a: *nowhere\n", b"!!map {a: b}\n", b"study: a\n... \nstudy: b\n",
    b"\x85\xe2\x80\xa8a: b\n",
)  # fmt: skip


def valid(chance: random.Random) -> dict[str, Any]:
    """Return a study's file as a person might write it, small enough to be looked over in a second."""
    space: dict[str, Any] = dict(TINY)
    if chance.random() < 0.5:
        space["block"] = {"choice": chance.sample(["basic", "bottleneck", "resnext", "preact", "dense", "conv"], 2)}
    if chance.random() < 0.3:
        space["dropout"] = {"choice": ["none", "between"]}
        space["dropout_rate"] = {"float": [0.05, 0.5], "when": {"dropout": ["between"]}}
    made: dict[str, Any] = {
        "study": chance.choice(["a", "digits-front", "é", "A.b+c-1"]),
        "data": chance.choice(["digits", {"name": "digits", "limit": chance.choice([20, 100, 300])}]),
        "space": space,
    }
    optional: dict[str, list[Any]] = {
        "objectives": [["accuracy", "macs"], ["loss", "params"], ["accuracy", "macs", "params"]],
        "constraints": [{"params": "<= 1e6"}, {"macs": "<= 1M", "params": "<= 100k"}],
        "sampler": ["random", {"name": "auto", "seed": 3}, {"name": "tpe"}],
        "scheduler": ["fifo", {"name": "asha", "max_epochs": 4, "reduction_factor": 2}, {"max_epochs": 27}],
        "budget": [{"trials": 5}, {"hours": 0.5}, {"epochs": 100, "cost": 3}],
        "recipe": [
            {"batch_size": 32},
            {"learning_rate": {"float": [0.01, 0.4], "log": True}, "momentum": 0},
            {"batch_size": {"choice": [16, 32]}, "weight_decay": {"choice": [0, 1e-4], "when": {"batch_size": 16}}},
        ],
        "resources": [{"cpus_per_trial": 1}, {"hours_per_trial": 1, "silence_s": "none"}],
        "storage": ["sqlite:///study.db", "sqlite:///a b{c}.db"],
        "checkpoints": ["runs", {"folder": "runs", "limit": "1G"}],
        "start": [[{"depth": 1, "widening_factor": 0.25}]],
    }
    for name, choices in optional.items():
        if chance.random() < 0.3:
            made[name] = chance.choice(choices)
    return made


def _places(tree: Any) -> list[tuple[Any, Any]]:
    """Return every container in a tree with every key that it has."""
    pairs = list(tree.items()) if isinstance(tree, dict) else list(enumerate(tree)) if isinstance(tree, list) else []
    return [each for key, value in pairs for each in [(tree, key), *_places(value)]]


def nearly_valid(chance: random.Random) -> dict[str, Any]:
    """Return a file of which one to three things are not as they should be."""
    made: dict[str, Any] = json.loads(json.dumps(valid(chance)))
    for _ in range(chance.choice((1, 1, 2, 3))):
        held, key = chance.choice(_places(made) or [(made, "study")])
        how = chance.random()
        if how < 0.1:
            del held[key]
        elif how < 0.2 and isinstance(held, dict):
            held[chance.choice([f"{key}s", key.upper(), "", "\x1b[1m", "_", "depths", "width", "path"])] = held.pop(key)
        elif how < 0.3:
            made[chance.choice(["data", "start", "storage", "checkpoints", "constraints"])] = chance.choice(ODD)
        elif how < 0.6 and (numbers := [place for place in _places(made) if _is_number(place[0][place[1]])]):
            held, key = chance.choice(numbers)
            held[key] = held[key] * 10 ** chance.choice((-6, -1, 1, 3, 6, 9))
        else:
            held[key] = chance.choice(ODD)
    return made


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def study_file(number: int) -> tuple[bytes, list[str]]:
    """Return the text of a study's file, and what is set on the command line beside it."""
    chance = random.Random(10_000 + number)
    if number < len(TEXTS):
        return TEXTS[number], []
    if number % 4 == 0:
        return _written(valid(chance)), []
    if number % 4 == 1:
        return broken(_written(valid(chance)), chance), []
    if number % 8 == 2:
        held, key = chance.choice(_places(valid(chance)))
        value = yaml.safe_dump(chance.choice(ODD), default_flow_style=True).replace("\0", "")
        place = key if isinstance(held, dict) else "study"
        text = f"{chance.choice(['', 'space.', 'data.', 'budget.', '.'])}{place}={value}"
        return _written(valid(chance)), [text.encode("utf-8", "replace").decode()]
    return _written(nearly_valid(chance)), []


def _written(tree: dict[str, Any]) -> bytes:
    return yaml.safe_dump(tree, sort_keys=False).encode("utf-8", "surrogatepass")


NAMES = (b"cat", b"dog", b"Cat", b"\xff\xfe", b"a\nb", b"\x1b[2J", b" ", b"-rf", b"${HOME}", b"x" * 255, b"train",
         b"val",         b"..a", b"\xc3\xa9", b"e\xcc\x81", b"[bold]", b"%s", b"test")  # fmt: skip


def _picture(chance: random.Random, side: int) -> bytes:
    file = io.BytesIO()
    mode = chance.choice(["L", "RGB", "RGBA", "P", "1", "LA"])
    Image.effect_noise((side, side), 50).convert("RGB").convert(mode).save(file, "PNG")
    return file.getvalue()


def _named(name: bytes) -> str:
    return os.fsdecode(name)


def _folder(root: Path, chance: random.Random) -> None:
    """Fill a folder of classes, among them links, pipes and files that are none."""
    side = chance.choice((1, 2, 8, 8, 8, 16))
    for name in chance.sample(NAMES, chance.choice((1, 2, 2, 3, 3, 4))):
        inside = root / _named(name)
        inside.mkdir()
        for number in range(chance.choice((0, 1, 2, 4, 12))):
            suffix = chance.choice((b".png", b".png", b".PNG", b".jpg", b".txt", b"\xff.png", b"\n.png"))
            picture = _picture(chance, side if chance.random() < 0.9 else 9)
            (inside / f"{number}{_named(suffix)}").write_bytes(picture)
        for number, (kind, content) in enumerate(damaged(chance.choice((0, 0, 5, 30)), chance.randrange(10**6))):
            (inside / f"d{number}{kind}").write_bytes(content)
        _oddities(inside, root, chance)


def _oddities(inside: Path, root: Path, chance: random.Random) -> None:
    side = chance.choice((8_000, 30_000, 2**31 - 1))
    odd: tuple[Callable[[], object], ...] = (
        lambda: os.mkfifo(inside / "pipe.png"),
        lambda: (inside / "loop.png").symlink_to(inside / "loop.png"),
        lambda: (inside / "up").symlink_to(root),
        lambda: (inside / "zero.png").symlink_to("/dev/zero"),
        lambda: (inside / "memory.png").symlink_to("/proc/self/mem"),
        lambda: (inside / "deep" / "deeper" / "deepest.png").mkdir(parents=True),
        lambda: (inside / "bomb.png").write_bytes(_claiming(side)),
    )
    for each in chance.sample(odd, chance.choice((0, 0, 1, 3))):
        each()


def _claiming(side: int) -> bytes:
    file = io.BytesIO()
    if side > 8_192:
        Image.new("L", (9, 9)).save(file, "BMP")
        return file.getvalue()[:18] + struct.pack("<ii", side, side) + file.getvalue()[26:]
    Image.new("L", (side, side)).save(file, "PNG")
    return file.getvalue()


KINDS = ("u1", "u1", "u1", "<f4", ">f8", "<u2", ">u2", "i8", "f2", "?", "c8", "M8[s]", "S2", "O", "u8", "i1")  # numpy's


def _arrays(chance: random.Random) -> dict[str, Any]:
    count, side = chance.choice((0, 1, 2, 40, 40, 40)), chance.choice((1, 2, 8, 8))
    flat = (count, side, side)
    shape: tuple[int, ...] = chance.choice((flat, (*flat, 3), (count, 3, side, side), (count, side), (count,), ()))
    kind = chance.choice(KINDS)
    images = np.asarray(np.random.RandomState(count).random_sample(shape) * chance.choice((1, 1, 2, 16, 255, 65_535)))
    if chance.random() < 0.1 and images.size:
        images.flat[0] = chance.choice((np.nan, np.inf, -1.0, 1e300))
    with np.errstate(all="ignore"):
        made: dict[str, Any] = {"images": images.astype("i8").astype(kind) if kind[0] in "MSO" else images.astype(kind)}
    labels = np.arange(count) % chance.choice((1, 2, 3, 50))
    made["labels"] = labels.astype(chance.choice(("i8", "u1", ">i4", "f8", "u8", "i8")))
    if chance.random() < 0.2:
        made[f"{chance.choice(('val', 'test', 'valid'))}_{chance.choice(('images', 'labels'))}"] = np.atleast_1d(
            made["images"]
        )[:1]
    if chance.random() < 0.1:
        del made[chance.choice(list(made))]
    return made


def _archive(path: Path, chance: random.Random) -> None:
    how = chance.random()
    if how < 0.15:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
            made.writestr("labels.npy", _npy((4,), bytes([0, 1, 0, 1])))
            with made.open("images.npy", "w", force_zip64=True) as file:
                many = chance.choice((2**26, 2**27, 2**28, 2**29))
                file.write(_npy((4, many // 4, 1), b""))
                for _ in range(many // 2**22):
                    file.write(bytes(2**22))
        return
    file_ = io.BytesIO()
    given = chance.choice((np.savez, np.savez_compressed))
    given(file_, **_arrays(chance))
    path.write_bytes(broken(file_.getvalue(), chance) if how < 0.5 else file_.getvalue())


def _npy(shape: tuple[int, ...], data: bytes) -> bytes:
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def _idx(root: Path, chance: random.Random) -> None:
    """Write the four files of Fashion-MNIST, some of which lie."""
    root.mkdir()
    count = chance.choice((0, 1, 40, 40))
    for part in ("train", "t10k"):
        for name, shape in (("images-idx3", (count, 28, 28)), ("labels-idx1", (count,))):
            content = bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)
            content += bytes(index % 10 for index in range(int(np.prod(shape))))
            if chance.random() < 0.3:
                content = content[:4] + struct.pack(">I", chance.choice((2**20, 2**31, 41))) + content[8:]
            if chance.random() < 0.3:
                content += bytes(2**26)
            content = gzip.compress(content)
            content = broken(content, chance) if chance.random() < 0.2 else content
            (root / f"{part}-{name}-ubyte.gz").write_bytes(content)


TITLES = (b"data", b"data", b"\x1b[31mdata", b"\xff\xfe", "dätä".encode(), b"a\nb", b"x" * 250)


def data_case(folder: Path, number: int) -> None:
    """Write a study's file and the data that it names."""
    chance = random.Random(20_000 + number)
    title = _named(chance.choice(TITLES))
    where = folder / title
    data: dict[str, Any] = {"name": "fashion-mnist", "root": title}
    if number % 2 == 0:
        for part in ("train", "val", "test") if chance.random() < 0.3 else ("",):
            (where / part).mkdir(parents=True, exist_ok=True)
            _folder(where / part, chance)
        data = {"folder": title, **({"size": chance.choice((8, [8, 9], 1))} if chance.random() < 0.5 else {})}
    elif number % 4 == 1:
        _archive(where, chance)
        data = {"npz": title, **({"scale": chance.choice((1, 16, 255))} if chance.random() < 0.3 else {})}
    else:
        _idx(where, chance)
    recipe = {"batch_size": 8}
    tree = {"study": "a", "data": data, "space": TINY, "recipe": recipe, "scheduler": {"max_epochs": 3}}
    (folder / "space.yaml").write_bytes(_written(tree))
