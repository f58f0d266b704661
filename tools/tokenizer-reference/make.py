"""Makes test/tasks/text/tokenizer/reference.json.gz: what Hugging Face's `tokenizers` does with each part of tokenizer.json.

    python3 -m venv venv && venv/bin/pip install tokenizers==0.23.3 sentencepiece==0.2.3
    venv/bin/python tools/tokenizer-reference/make.py

With `--random 2000 --seed 5 --out /tmp/more.json.gz` it makes another file, of random texts, for a comparison by hand
(`REFERENCE=/tmp/more.json.gz node --test dist/test/tasks/text/tokenizer/reference.test.js`).
"""

import argparse
import gzip
import json
import pathlib

import tokenizers
from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers

import parts
import texts
import whole

ROOT = pathlib.Path(__file__).resolve().parents[2]


def normalizer_of(definition):
    base = Tokenizer.from_str(json.dumps({**parts.EMPTY, "normalizer": definition}))
    return base.normalizer


def pre_tokenizer_of(definition):
    return Tokenizer.from_str(json.dumps({**parts.EMPTY, "pre_tokenizer": definition})).pre_tokenizer


def decoder_of(definition):
    return Tokenizer.from_str(json.dumps({**parts.EMPTY, "decoder": definition})).decoder


def differing(all_texts, outputs):
    """Texts that come out as they went in need not be written twice."""
    return [None if text == out else out for text, out in zip(all_texts, outputs)]


def ranges(holds):
    found = []
    for code in range(0x110000):
        if 0xD800 <= code < 0xE000 or not holds(chr(code)):
            continue
        if found and found[-1][1] == code - 1:
            found[-1][1] = code
        else:
            found.append([code, code])
    return found


def characters():
    """Which characters a part drops, or cuts at: for every one that there is."""
    bert = {"clean_text": False, "handle_chinese_chars": False, "strip_accents": False, "lowercase": False}
    dropped = {
        "BertNormalizer clean_text": normalizers.BertNormalizer(**{**bert, "clean_text": True}),
        "BertNormalizer strip_accents": normalizers.BertNormalizer(**{**bert, "strip_accents": True}),
        "StripAccents": normalizers.StripAccents(),
        "Nmt": normalizers.Nmt(),
    }
    cut = {
        "Punctuation": pre_tokenizers.Punctuation("isolated"),
        "Digits": pre_tokenizers.Digits(False),
        "WhitespaceSplit": pre_tokenizers.WhitespaceSplit(),
        "Whitespace": pre_tokenizers.Whitespace(),
    }
    matched = {name: pre_tokenizers.Split(Regex(f"(?:{name})+"), "removed") for name in parts.CHARACTER_CLASSES}
    return {
        "unassigned": ranges(lambda c, cut=pre_tokenizers.Split(Regex(r"\p{Cn}"), "removed"): not cut.pre_tokenize_str(c)),
        "dropped": {name: ranges(lambda c, part=part: part.normalize_str(c) == "") for name, part in dropped.items()},
        "cut": {name: ranges(lambda c, part=part: len(part.pre_tokenize_str("a" + c + "a")) > 1) for name, part in cut.items()},
        "matched": {name: ranges(lambda c, part=part: not part.pre_tokenize_str(c)) for name, part in matched.items()},
    }


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--random", type=int, default=0)
    options.add_argument("--seed", type=int, default=7)
    options.add_argument("--models", nargs="*", default=[])
    options.add_argument("--out", default=ROOT / "test/tasks/text/tokenizer/reference.json.gz")
    asked = options.parse_args()
    all_texts = texts.mixtures(asked.random, asked.seed) if asked.random else texts.HARD + texts.mixtures(60)
    data = {"library": f"tokenizers {tokenizers.__version__}", "texts": all_texts}
    charsmap = parts.charsmap()
    shared = parts.Shared()
    data["normalizers"] = []
    for definition in parts.normalizers(charsmap):
        part = normalizer_of(definition)
        data["normalizers"].append(
            {"definition": shared.short(definition), "out": differing(all_texts, [part.normalize_str(text) for text in all_texts])}
        )
    data["preTokenizers"] = []
    for definition in parts.pre_tokenizers():
        part = pre_tokenizer_of(definition)
        out = [[piece for piece, _ in part.pre_tokenize_str(text)] for text in all_texts]
        data["preTokenizers"].append({"definition": definition, "out": out})
    data["patterns"] = []
    for pattern in parts.PATTERNS:
        cut = pre_tokenizer_of({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False})
        mark = normalizer_of({"type": "Replace", "pattern": {"Regex": pattern}, "content": "\u2603"})
        data["patterns"].append(
            {
                "pattern": pattern,
                "cut": [[piece for piece, _ in cut.pre_tokenize_str(text)] for text in all_texts],
                "marked": differing(all_texts, [mark.normalize_str(text) for text in all_texts]),
            }
        )
    data["decoders"] = [
        {"definition": definition, "tokens": lists, "out": [decoder_of(definition).decode(list(one)) for one in lists]}
        for definition, lists in parts.decoders()
    ]
    data["tokenizers"] = [
        {**whole.answers(name, definition, all_texts), "definition": shared.short(definition)} for name, definition in whole.definitions(charsmap, asked.models)
    ]
    data["shared"] = shared.values
    if not asked.random:
        data["characters"] = characters()
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    pathlib.Path(asked.out).write_bytes(gzip.compress(text.encode("utf-8", "surrogatepass"), 9, mtime=0))
    print(len(text), pathlib.Path(asked.out).stat().st_size)


if __name__ == "__main__":
    main()
