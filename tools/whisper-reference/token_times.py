"""
Makes test/tasks/transcription/token-times-reference.json: times of tokens from attention, by the functions of Python transformers.

    pip install torch transformers
    python3 tools/whisper-reference/token_times.py test/tasks/transcription/token-times-reference.json

The attention is made up: each token looks at frames around its own place, by a formula that the test has too.
"""

import json
import math
import sys

import numpy
import torch
from transformers.models.whisper.generation_whisper import _dynamic_time_warping, _median_filter

CASES = [
    {"heads": 2, "tokens": 8, "frames": 60, "text": 5},
    {"heads": 3, "tokens": 30, "frames": 400, "text": 25},
    {"heads": 1, "tokens": 4, "frames": 9, "text": 2},
]


def attention(heads, tokens, frames):
    weights = torch.empty(heads, tokens, frames, dtype=torch.float64)
    for head in range(heads):
        for token in range(tokens):
            for frame in range(frames):
                place = (token + 0.5) / tokens + 0.02 * math.sin(3 * token + head)
                away = ((frame + 0.5) / frames - place) * tokens
                weights[head, token, frame] = math.exp(-away * away) + 0.05 * (1 + math.sin(token * 7 + frame * 1.7 + head))
    return (weights / weights.sum(-1, keepdim=True)).float()


def times(weights, text):
    deviation, mean = torch.std_mean(weights, dim=-2, keepdim=True, unbiased=False)
    smooth = _median_filter((weights - mean) / deviation, 7)
    matrix = smooth.mean(dim=0)[weights.shape[1] - 2 - text : -1]
    rows, columns = _dynamic_time_warping(-matrix.double().numpy())
    jumps = numpy.pad(numpy.diff(rows), (1, 0), constant_values=1).astype(bool)
    return [round(float(frame) * 0.02, 2) for frame in columns[jumps]]


def main():
    made = []
    for case in CASES:
        weights = attention(case["heads"], case["tokens"], case["frames"])
        row = _median_filter(weights[:1, :1], 7)[0, 0]
        made.append({**case, "times": times(weights, case["text"]), "median": [float(f"{value:.7g}") for value in row]})
    with open(sys.argv[1], "w") as file:
        json.dump(made, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
