"""Makes test/tasks/text/reference/: tiny models of random weights in the hub's layout, and what transformers' pipelines answer with each.

    python3 -m venv venv && venv/bin/pip install torch==2.15.0 transformers==5.24.0 onnx onnxruntime onnxscript
    venv/bin/python tools/text-reference/make.py [name ...]

Version 5 has no pipeline for question answering: those models want transformers==4.57.6.
"""

import json
import pathlib
import shutil
import sys

import models

OUT = pathlib.Path(__file__).resolve().parents[2] / "test/tasks/text/reference"


def rounded(value):
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(one) for one in value]
    return round(float(value), 7) if hasattr(value, "dtype") or isinstance(value, float) else value


def main():
    for name in sys.argv[1:] or list(models.MODELS):
        folder = OUT / name
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "onnx").mkdir(parents=True)
        cases = models.MODELS[name](folder)
        text = "[\n" + ",\n".join(json.dumps(one, ensure_ascii=False, separators=(",", ":")) for one in rounded(cases)) + "\n]\n"
        (OUT / f"{name}.json").write_text(text)
        print(name, sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()), len(text))


if __name__ == "__main__":
    main()
