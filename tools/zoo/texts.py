"""Embeddings of texts as sentence-transformers makes them: tokens, the mean of their vectors, length 1."""

import json

import numpy as np
from tokenizers import Tokenizer

WORDS = (
    "the a Guitar red Zürich 東京 привет مرحبا 😀 n't e-mail foo_bar 3.14 $5 naïve cafe\u0301 <b> [SEP] [MASK] hello, world! İstanbul ﬁ Ⅷ ก็ हिन्दी 한국어"
).split()
ODD = ["", "  ", " ,\n", "A man is playing a guitar.", "a" * 300, "word " * 600, "." * 700, "e\u0301", "#"]
MOST_WORDS = 60
ROWS = 40


def texts():
    random = np.random.default_rng(7)
    return ODD + [" ".join(random.choice(WORDS, random.integers(1, MOST_WORDS))) for _ in range(ROWS)]


class Embedder:
    def __init__(self, folder, session):
        self.session = session
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        limits = json.loads((folder / "sentence_bert_config.json").read_text())
        self.tokenizer.enable_truncation(limits["max_seq_length"])

    def embed(self, text):
        encoding = self.tokenizer.encode(text)
        values = {"input_ids": encoding.ids, "attention_mask": encoding.attention_mask, "token_type_ids": encoding.type_ids}
        feeds = {spec.name: np.array([values[spec.name]], np.int64) for spec in self.session.get_inputs()}
        mean = self.session.run(None, feeds)[0][0].mean(axis=0)
        return mean / np.linalg.norm(mean)
