"""What a program of this folder does: it calls the server with a client as that client's documentation does first, and prints a line of JSON for each
feature. Its one argument is JSON: the server's `url`, the names of its `models` by task, and `sample`, a recording of speech."""

import json
import math
import sys

asked = json.loads(sys.argv[1])
url, models, sample = asked["url"], asked["models"], asked.get("sample")


def feature(name, task):
    """Tries a feature that needs a model of the task: the function is called with its name, and raises where something is not as it should be."""

    def decorate(run):
        model = models.get(task)
        if model is None:
            tell(feature=name, skipped=f"no model for {task}")
            return
        try:
            run(model)
        except Exception as error:  # A client may raise anything.
            tell(feature=name, ok=False, error=f"{type(error).__name__}: {error}"[:300])
        else:
            tell(feature=name, ok=True)

    return decorate


def tell(**result):
    print(json.dumps(result), flush=True)


def is_text(value):
    assert isinstance(value, str) and value != "", value


def are_vectors(vectors, count):
    assert len(vectors) == count, len(vectors)
    for vector in vectors:
        assert len(vector) == len(vectors[0]) > 0 and any(vector) and all(math.isfinite(one) for one in vector)


def is_audio(data):
    """The bytes of a WAV or an MP3."""
    assert data[:4] == b"RIFF" or data[:3] == b"ID3" or (data[0] == 0xFF and data[1] >= 0xE0), data[:4]
    assert len(data) > 44


def joined(stream, text_of):
    """The texts of a stream; it must come in more than one piece."""
    pieces = [text for text in map(text_of, stream) if text]
    assert len(pieces) > 1, "the stream has one piece only"
    return "".join(pieces)


RECIPE = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "steps": {"type": "array", "items": {"type": "string"}}},
    "required": ["name", "steps"],
    "additionalProperties": False,
}
WEATHER = {
    "name": "get_weather",
    "description": "Get current temperature for a given location.",
    "parameters": {
        "type": "object",
        "properties": {"location": {"type": "string", "description": "City and country e.g. Bogotá, Colombia"}},
        "required": ["location"],
        "additionalProperties": False,
    },
}
DOCUMENTS = ["Carson City is the capital city of Nevada.", "Washington, D.C. is the capital of the United States."]
QUESTION = "What is the capital of the United States?"
