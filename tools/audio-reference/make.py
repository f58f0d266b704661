"""Makes test/tasks/audio/reference/: tiny models of random weights in the hub's layout, a sound, and what transformers makes of it with each.

    python3 -m venv venv && venv/bin/pip install torch==2.15.0 transformers==5.24.0 onnx onnxruntime onnxscript
    venv/bin/python tools/audio-reference/make.py [name ...]
"""

import json
import pathlib
import sys
import wave

import numpy as np
import torch

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "vision-reference"))

import models
from shrink import shrink

OUT = pathlib.Path(__file__).resolve().parents[2] / "test/tasks/audio/reference"
RATE = 16_000
SECONDS = 2


def sound():
    """Tones that rise and fall with pauses between them, and a little noise: mono, 16 kHz, 16 bits."""
    time = np.arange(SECONDS * RATE) / RATE
    tone = np.sin(2 * np.pi * (220 * time + 90 * time**2)) + 0.5 * np.sin(2 * np.pi * 1370 * time)
    loud = np.clip(np.sin(2 * np.pi * 1.7 * time), 0, 1)
    noise = np.random.default_rng(5).normal(size=time.shape)
    return np.round(9000 * tone * loud + 150 * noise).astype(np.int16)


def save(samples):
    with wave.open(str(OUT / "sound.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())


def rounded(value):
    if isinstance(value, torch.Tensor):
        value = value.detach().numpy()
    if isinstance(value, np.ndarray):
        return np.round(value.astype(np.float64), 5).tolist()
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(one) for one in value]
    return round(value, 5) if isinstance(value, (float, np.floating)) else value


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    samples = sound()
    save(samples)
    for name in sys.argv[1:] or list(models.MODELS):
        torch.manual_seed(7)
        folder = OUT / name
        (folder / "onnx").mkdir(parents=True, exist_ok=True)
        with torch.no_grad():
            expected = models.MODELS[name](folder, samples.astype(np.float32) / 32768)
        for file in folder.glob("onnx/*.onnx"):
            shrink(file)
        (folder / "expected.json").write_text(json.dumps(rounded(expected)) + "\n")
        print(name, sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()))


main()
