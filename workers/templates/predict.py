"""Tell what is on pictures, one JSON line each: python predict.py [--onnx] picture.png array.npy ...

Needs torch, Pillow and widefront; with --onnx, onnxruntime and Pillow instead. An array, h w c or c h w (or h w of one
channel), has the size and the scale of the training images, and needs numpy. Other numbers of channels than 1, 3 and 4
are read from arrays alone.
"""

import json
import sys
from pathlib import Path

from PIL import Image, ImageOps

FOLDER = Path(__file__).resolve().parent
GIVEN = json.loads((FOLDER / "preprocess.json").read_text())
SHAPE = (1, GIVEN["height"], GIVEN["width"], GIVEN["channels"])
MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def pixels(path: str) -> bytearray:
    """Return a picture's pixels `h w c`, brought to what the network was trained on."""
    if path.endswith(".npy"):
        return numbers(path)
    if GIVEN["channels"] not in MODES:
        sys.exit(f"{path}: no picture has {GIVEN['channels']} channels; give an array.npy")
    mode = MODES[GIVEN["channels"]]
    picture = ImageOps.exif_transpose(Image.open(path))
    if picture.mode.startswith("I"):  # grey of 16 bits
        values, scale = memoryview(picture.convert("I").tobytes()).cast("i"), 255 / (GIVEN["white"] or 65535)
        picture = Image.frombytes("L", picture.size, bytes(min(255, max(0, round(each * scale))) for each in values))
    picture = picture.convert("RGB" if mode == "L" else mode) if picture.mode in ("P", "PA") else picture
    picture = picture if picture.mode == mode else picture.convert(mode)
    size = (GIVEN["width"], GIVEN["height"])
    bands = [band.resize(size, Image.Resampling.BILINEAR) for band in picture.split()]
    return bytearray(Image.merge(mode, bands).tobytes())


def numbers(path: str) -> bytearray:
    """Return an array's pixels `h w c` in bytes."""
    import numpy as np

    values, scale = np.load(path, allow_pickle=False), GIVEN.get("scale") or 255
    values = values[..., None] if values.ndim == 2 else values
    if values.shape != SHAPE[1:] and values.shape == (SHAPE[3], *SHAPE[1:3]):
        values = values.transpose(1, 2, 0)
    if values.shape != SHAPE[1:]:
        sys.exit(f"{path}: is {'x'.join(map(str, values.shape))}, not {'x'.join(map(str, SHAPE[1:]))}")
    return bytearray(np.clip(np.rint(values.astype(np.float64) * (255 / scale)), 0, 255).astype(np.uint8).tobytes())


def main(paths: list[str], onnx: bool) -> None:
    """Print what the network says of each picture."""
    if onnx:
        import numpy as np
        import onnxruntime

        session = onnxruntime.InferenceSession(FOLDER / "model.onnx")
    else:
        import torch

        from workers.exported import load

        network = load(FOLDER)
    for path in paths:
        if onnx:
            images = np.frombuffer(pixels(path), np.uint8).reshape(SHAPE).transpose(0, 3, 1, 2)
            found = session.run(None, {"images": images})[0][0].tolist()
        else:
            found = network(torch.frombuffer(pixels(path), dtype=torch.uint8).reshape(SHAPE).permute(0, 3, 1, 2))
            found = found[0].tolist()
        name = GIVEN["class_names"][found.index(max(found))]
        print(json.dumps({"picture": path, "class": name, "probability": max(found), "probabilities": found}))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main([each for each in sys.argv[1:] if each != "--onnx"], "--onnx" in sys.argv)
