"""Makes test/tasks/image/reference/: tiny models of random weights in the hub's layout, an image, and what transformers makes of it with each.

    python3 -m venv venv && venv/bin/pip install torch==2.15.0 torchvision==0.29.2 transformers==5.24.0 onnx onnxruntime onnxscript pillow
    venv/bin/python tools/vision-reference/make.py [name ...]
"""

import json
import pathlib
import sys

import numpy as np
import torch
from PIL import Image, ImageDraw

import models
from shrink import shrink

OUT = pathlib.Path(__file__).resolve().parents[2] / "test/tasks/image/reference"


def picture():
    """Smooth colours with sharp shapes on them, wider than high."""
    width, height = 100, 64
    y, x = np.mgrid[0:height, 0:width]
    red = 127 + 120 * np.sin(x / 17)
    green = 127 + 120 * np.cos(y / 11)
    blue = (x * 2 + y * 3) % 256
    image = Image.fromarray(np.stack([red, green, blue], axis=2).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    draw.ellipse((12, 10, 44, 50), fill=(250, 240, 20))
    draw.rectangle((60, 20, 90, 58), fill=(10, 20, 160))
    return image


def rounded(value):
    if isinstance(value, torch.Tensor):
        value = value.detach().numpy()
    if isinstance(value, np.ndarray):
        return np.round(value.astype(np.float64), 5).tolist()
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(one) for one in value]
    return round(value, 5) if isinstance(value, float) else value


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    image = picture()
    image.save(OUT / "picture.png")
    wanted = sys.argv[1:] or list(models.MODELS)
    for name in wanted:
        torch.manual_seed(7)
        folder = OUT / name
        (folder / "onnx").mkdir(parents=True, exist_ok=True)
        with torch.no_grad():
            expected = models.MODELS[name](folder, image)
        for file in folder.glob("onnx/*.onnx"):
            shrink(file)
        (folder / "expected.json").write_text(json.dumps(rounded(expected)) + "\n")
        print(name, sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()))


main()
