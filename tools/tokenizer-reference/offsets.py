"""Writes where Hugging Face's `tokenizers` says that tokens are in a text, for the tokenizers and texts of reference.json.gz.

python tools/tokenizer-reference/offsets.py [--every N]
"""

import argparse
import gzip
import json
import pathlib
import re

import tokenizers

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "test/tasks/text/tokenizer"

# Texts of which the library says what no one expects: a control character dropped from the beginning, stacks of marks, jamo, joiners, spaces of an added token.
ODD = re.compile("^\x01|[\u0300-\u036f]{3}|[\u1100-\u1112][\u1100-\u11ff\uac00]|[^ ]<mask>|\u05c0|\u094d")
# Of unknown characters that share a token or have none, the library counts otherwise than here: it leaves out their length, or gives all of them to each byte.
UNLIKE = {"marked, unknown left out", "marked, some bytes", "marked by the normalizer", "unigram, bytes"}


def filled(value, shared):
    if isinstance(value, str) and value.startswith("$shared "):
        return shared[int(value[8:])]
    if isinstance(value, list):
        return [filled(one, shared) for one in value]
    if isinstance(value, dict):
        return {key: filled(one, shared) for key, one in value.items()}
    return value


def places(tokenizer, text):
    """Starts, ends (in code points) and words of the tokens, one after the other."""
    try:
        encoding = tokenizer.encode(text, add_special_tokens=False)
    except Exception:
        return None
    if any(start > end for start, end in encoding.offsets):
        return None
    words = [-1 if word is None else word for word in encoding.word_ids]
    return [start for start, _ in encoding.offsets] + [end for _, end in encoding.offsets] + words


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--every", type=int, default=2, help="take one text in so many")
    options.add_argument("--out", default=FOLDER / "offsets.json.gz")
    asked = options.parse_args()
    reference = json.loads(gzip.decompress((FOLDER / "reference.json.gz").read_bytes()))
    texts = reference["texts"]
    chosen = [index for index in range(0, len(texts), asked.every) if not ODD.search(texts[index])]
    data = {}
    for answers in reference["tokenizers"]:
        if answers["name"] in UNLIKE:
            continue
        tokenizer = tokenizers.Tokenizer.from_str(json.dumps(filled(answers["definition"], reference["shared"])))
        data[answers["name"]] = {index: places(tokenizer, texts[index]) for index in chosen}
    text = json.dumps({"library": f"tokenizers {tokenizers.__version__}", "places": data}, separators=(",", ":"))
    pathlib.Path(asked.out).write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    print(len(text), pathlib.Path(asked.out).stat().st_size)


if __name__ == "__main__":
    main()
