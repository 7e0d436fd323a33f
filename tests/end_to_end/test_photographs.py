"""A folder of photographs as cameras, editors and file managers leave it, from its file to a front."""

import io
import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.end_to_end.conftest import Folder
from tests.end_to_end.invariants import check_whole
from workers.pictures import MOST_PIXELS, SUFFIXES

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

CLASSES = {"cat": (220, 30, 30), "dog": (30, 220, 30), "bird\x1b[31m": (30, 30, 220)}
SIDE = 12


def photograph(colour: tuple[int, int, int], seed: int) -> Image.Image:
    """Return a picture that is mostly of one colour."""
    noise = np.random.RandomState(seed).randint(-30, 30, (SIDE, SIDE, 3))
    return Image.fromarray(np.clip(noise + colour, 0, 255).astype(np.uint8))


def as_phones_do(picture: Image.Image, *, damaged: bool = False) -> bytes:
    """Return a JPEG that lies on its side, with one tag of another type than the standard's, or with the file cut."""
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112], exif[0x0100] = 6, SIDE
    picture.save(file, "JPEG", exif=exif)
    content = bytearray(file.getvalue())
    content[content.find(b"\x01\x00\x00\x04", 20) + 3] = 2  # the width is text
    return bytes(content[: len(content) // 2] if damaged else content)


def write_class(root: Path, colour: tuple[int, int, int], count: int) -> None:
    """Write a class of ordinary pictures."""
    root.mkdir(parents=True)
    for number in range(count):
        photograph(colour, number).save(root / f"{number:02}.png")


def write_oddities(train: Path) -> int:
    """Write what else lies there among the cats, and return how many of those pictures are to be read."""
    cat, one = train / "cat", photograph(CLASSES["cat"], 99)
    one.save(cat / "a.tif", compression="tiff_lzw")
    one.save(cat / "b.jfif", "JPEG")
    Image.fromarray(np.full((SIDE, SIDE), 40_000, np.uint16)).save(cat / "c.png")
    one.quantize(8).save(cat / "d.png")
    one.quantize(8).save(cat / "e.gif")
    (cat / "f.jpg").write_bytes(as_phones_do(one))
    one.convert("RGBA").save(cat / "h.png")
    Image.new("RGBA", (SIDE, SIDE), (0, 0, 0, 9)).save(cat / "i.png")  # all black but for its transparency
    one.save(cat / os.fsdecode(b"\xff\xfe.png"))
    one.save(cat / "new\nline.JPEG")
    one.save(cat / "j.webp")
    one.save(cat / "k.bmp")
    return 12


def write_what_is_passed_over(train: Path) -> None:
    """Write what is not read: it is counted."""
    dog = train / "dog"
    (dog / "broken.jpg").write_bytes(as_phones_do(photograph(CLASSES["dog"], 8), damaged=True))
    (dog / "empty.png").touch()
    (dog / "notes\x1b[2J.txt").write_text("not a picture")
    (dog / "raw.heic").write_bytes(b"\0\0\0\x18ftypheic")
    (dog / "Thumbs.db").touch()
    (dog / ".DS_Store").touch()
    (dog / "more" / "deeper").mkdir(parents=True)
    photograph(CLASSES["dog"], 7).save(dog / "more" / "deeper" / "x.png")
    os.mkfifo(dog / "pipe.png")
    Image.fromarray(np.zeros((SIDE, SIDE), np.float32)).save(dog / "float.tif")
    header = (train / "cat" / "k.bmp").read_bytes()
    (dog / "bomb.bmp").write_bytes(header[:18] + struct.pack("<ii", 60_000, 60_000) + header[26:])


def test_a_folder_of_photographs_with_every_oddity_ends_in_a_front(folder: Folder) -> None:
    photographs = folder.path / "photographs"
    for name, colour in CLASSES.items():
        write_class(photographs / "train" / name, colour, 5 if name.startswith("bird") else 30)
        write_class(photographs / "val" / name, colour, 6)
    more = write_oddities(photographs / "train")
    write_what_is_passed_over(photographs / "train")
    folder.write(data={"folder": "photographs"}, budget={"trials": 2}, scheduler={"name": "fifo", "max_epochs": 2},
                 recipe={"batch_size": 4})  # fmt: skip

    said = folder.launch("--no-report")
    lines = said.splitlines()
    assert [line for line in lines if not line.isprintable()] == []
    assert f"photographs, {65 + more} + 18 images" in lines[0]
    warned = [line.removeprefix("warning: ") for line in lines if line.startswith("warning: ")]
    assert warned[:9] == [
        f"1 file is not read: .db is none of {', '.join(SUFFIXES)} (train/dog/Thumbs.db)",
        "1 file is not read: they lie in a folder inside a class's (train/dog/more/deeper/x.png)",
        rf"1 file is not read: .txt is none of {', '.join(SUFFIXES)} (train/dog/notes\x1b[2J.txt)",
        "1 file is not read: they are no files (train/dog/pipe.png)",
        f"1 file is not read: .heic is none of {', '.join(SUFFIXES)} (train/dog/raw.heic)",
        f"1 file is not read: they have more than {MOST_PIXELS:,} pixels (train/dog/bomb.bmp)",
        "2 files are not read: they cannot be read as pictures (train/dog/broken.jpg and others)",
        "1 file is not read: their pixels are floats, whose scale nobody knows (train/dog/float.tif)",
        r"class 'bird\x1b[31m' has 5 training images: too few to be learned",
    ]
    alike, *_, steps = warned[9:]  # photographs of one colour, many of which are the same
    assert "validation images are also among the training images" in alike
    assert steps.startswith(f"a full training is {2 * ((65 + more) // 4)} steps")

    check_whole(folder.url, trials=2)
    asked = [sys.executable, "-m", "search.front", folder.url, "--json"]
    front = json.loads(subprocess.run(asked, cwd=folder.path, capture_output=True, check=True).stdout)
    assert front
    assert max(row["accuracy"] for row in front) > 0.5  # of three colours, of which two are seen often
