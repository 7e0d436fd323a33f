"""Tell what is on pictures, one JSON line each: python predict.py [--onnx] picture.png ...

Needs torch, Pillow and widefront; with --onnx, onnxruntime and Pillow instead.
"""

import json
import sys
from pathlib import Path

from PIL import Image, ImageOps

FOLDER = Path(__file__).resolve().parent
GIVEN = json.loads((FOLDER / "preprocess.json").read_text())
SHAPE = (1, GIVEN["height"], GIVEN["width"], GIVEN["channels"])


def pixels(path: str) -> bytearray:
    """Return a picture's pixels `h w c`, brought to what the network was trained on."""
    picture = ImageOps.exif_transpose(Image.open(path))
    if picture.mode.startswith("I"):  # grey of 16 bits
        values, scale = memoryview(picture.convert("I").tobytes()).cast("i"), 255 / (GIVEN["white"] or 65535)
        picture = Image.frombytes("L", picture.size, bytes(min(255, max(0, round(each * scale))) for each in values))
    picture = picture.convert("RGB") if picture.mode in ("P", "PA") else picture
    picture = picture.convert("L" if GIVEN["channels"] == 1 else "RGB")
    return bytearray(picture.resize((GIVEN["width"], GIVEN["height"]), Image.Resampling.BILINEAR).tobytes())


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
