"""Pictures of every kind that is read, and chance's damage to them."""

import io
import random
import struct
import zlib
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image, PngImagePlugin

SIZE = (24, 17)  # w h
TAIL = 128  # bytes at the beginning in which headers mostly stand
EXTREMES = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 0x80000000, 100_000, 30_000)


def _photo(mode: str) -> Image.Image:
    rows = np.random.RandomState(len(mode)).randint(0, 256, (SIZE[1], SIZE[0], 4), dtype=np.uint8)
    whole = Image.fromarray(rows, "RGBA" if mode != "RGB" else None)
    if mode == "I;16":
        return Image.fromarray(rows[..., 0].astype(np.uint16) * 257)
    return whole.convert("RGB").quantize(16) if mode == "P" else whole.convert("RGB").convert(mode)


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E], exif[0x8298] = 6, "what it shows", "whose it is"
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.5)})
    return exif


def _saved(mode: str, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    _photo(mode).save(file, kind, **options)
    return file.getvalue()


def originals() -> list[tuple[str, bytes]]:
    """Return suffix and content of a whole picture of each kind."""
    text = PngImagePlugin.PngInfo()
    text.add_text("Title", "a" * 300, zip=True)
    text.add_itxt("Comment", "é" * 300, "de", "Bemerkung", zip=True)
    several = {"save_all": True, "append_images": [_photo("RGB").convert("P"), _photo("RGB").rotate(90).convert("P")]}
    exif, profile = _exif(), bytes(range(256)) * 3
    made: list[tuple[str, bytes]] = []
    made += [(".png", _saved(mode, "PNG")) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")]
    made += [(".png", _saved("RGB", "PNG", exif=exif, pnginfo=text, icc_profile=profile))]
    made += [(".png", _saved("P", "PNG", transparency=3)), (".png", _saved("RGB", "PNG", **several))]
    made += [(".jpg", _saved(mode, "JPEG")) for mode in ("L", "RGB", "CMYK")]
    made += [(".jpg", _saved("RGB", "JPEG", exif=exif, icc_profile=profile, progressive=True, comment=b"x" * 50))]
    made += [(".jfif", _saved("RGB", "JPEG", exif=exif, dpi=(72, 72), restart_marker_rows=1))]
    made += [(".jpg", _saved("RGB", "MPO", save_all=True, append_images=[_photo("RGB")]))]
    made += [(".bmp", _saved(mode, "BMP")) for mode in ("1", "L", "P", "RGB", "RGBA")]
    made += [(".webp", _saved("RGB", "WEBP", lossless=True)), (".webp", _saved("RGBA", "WEBP", exif=exif))]
    made += [(".webp", _saved("RGB", "WEBP", save_all=True, append_images=[_photo("RGB").rotate(90)]))]
    made += [(".tif", _saved(mode, "TIFF")) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F")]
    for how in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "zstd", "lzma"):
        made += [(".tif", _saved("RGB", "TIFF", compression=how))]
    made += [(".tif", _saved("1", "TIFF", compression=how)) for how in ("group3", "group4")]
    made += [(".tif", _saved("RGB", "TIFF", exif=exif, save_all=True, append_images=[_photo("L")]))]
    made += [(".tif", _saved("L", "TIFF", compression="tiff_lzw", tiffinfo={322: 16, 323: 16}))]
    made += [(".gif", _saved("P", "GIF")), (".gif", _saved("P", "GIF", interlace=True, transparency=2, comment=b"c"))]
    made += [(".gif", _saved("P", "GIF", duration=9, **several))]
    return made


def _flipped(data: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 1, 2, 8, 32))):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _cut(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(len(data)) :]


def _inserted(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data) + 1)
    data[at:at] = chance.randbytes(chance.choice((1, 2, 4, 64, 1000)))


def _removed(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    del data[at : at + chance.choice((1, 2, 4, 64))]


def _in_the_header(data: bytearray, chance: random.Random) -> None:
    """Put extreme numbers where widths, heights, counts and offsets stand."""
    for _ in range(chance.choice((1, 1, 2, 4))):
        width, order = chance.choice((1, 2, 4)), chance.choice(("<", ">"))
        value = chance.choice(EXTREMES) % 256**width
        at = chance.randrange(min(TAIL, len(data)))
        data[at : at + width] = struct.pack(order + {1: "B", 2: "H", 4: "I"}[width], value)


def _repeated(data: bytearray, chance: random.Random) -> None:
    at, to = chance.randrange(len(data)), chance.randrange(len(data))
    data[to:to] = data[at : at + chance.choice((4, 40, 400))]


DAMAGES: tuple[Callable[[bytearray, random.Random], None], ...] = (
    _flipped, _flipped, _cut, _inserted, _removed, _in_the_header, _in_the_header, _repeated
)  # fmt: skip


def _signed(data: bytes) -> bytes:
    """Return a PNG whose checksums are right again, so that what is damaged is also read."""
    made, at = bytearray(data[:8]), 8
    while at + 12 <= len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        if at + 12 + length > len(data):
            break
        body = data[at + 4 : at + 8 + length]
        made += data[at : at + 4] + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + length
    return bytes(made + data[at:])


def broken(content: bytes, chance: random.Random) -> bytes:
    """Return a content damaged once or several times."""
    data = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        if data:
            chance.choice(DAMAGES)(data, chance)
    return bytes(data)


def damaged(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield suffix and content of so many pictures, each damaged once or several times."""
    chance = random.Random(seed)
    whole = originals()
    for number in range(count):
        suffix, content = whole[number % len(whole)]
        data = broken(content, chance)
        signed = suffix == ".png" and chance.random() < 0.7
        yield (chance.choice(whole)[0] if chance.random() < 0.05 else suffix), _signed(data) if signed else data
