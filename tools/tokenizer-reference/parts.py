"""Definitions of the parts of tokenizer.json, with every option."""

import base64
import itertools
import tempfile

import sentencepiece

EMPTY = {
    "version": "1.0",
    "truncation": None,
    "padding": None,
    "added_tokens": [],
    "normalizer": None,
    "pre_tokenizer": None,
    "post_processor": None,
    "decoder": None,
    "model": {"type": "WordLevel", "vocab": {"<unk>": 0}, "unk_token": "<unk>"},
}

BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]

CHARACTER_CLASSES = [r"\w", r"\s", r"\d", r"\h", r"[\w]", r"[[:punct:]]", r"[[:alnum:]]", r"\p{L}", r"\p{P}", r"\p{S}", r"\p{N}", r"\p{Han}"]

GPT2 = r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
CL100K = r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""
CL100K_POSSESSIVE = r"""'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s"""
O200K = r"""[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"""

# Those of well-known models, then single parts of the syntax.
PATTERNS = [
    GPT2,
    CL100K,
    CL100K_POSSESSIVE,
    O200K,
    r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+""",
    r"""[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+""",
    r""" ?[^(\s|[.,!?…。，、।۔،])]+""",
    r"""<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+""",
    r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+""",
    r"""[一-龥\u3040-ゟ゠-ヿ]+""",
    r"""[\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}|\s+""",
    r"""\d{3}(?=(?:\d{3})*\b)|\d{1,3}""",
    r"""(?:\r?\n)+(?!\r?\n)|[^\r\n]+""",
    r"""\p{N}{1,3}(?=(\p{N}{3})*(?:$|\P{N}))""",
    r"\s+",
    r"\S+",
    r" {2,}",
    r"[0-9]",
    r"[0-9][0-9][0-9]",
    r"\w+|[^\w\s]+",
    r"\W+",
    r"\b",
    r"\bfoo\b",
    r"\B",
    r"^",
    r"$",
    r"^.",
    r".$",
    r"\A.|.\z|.\Z",
    r".",
    r"x*",
    r"a+?|b",
    r"(?>a+)b|a",
    r"a++b|a",
    r"a{2}",
    r"a{2,3}?",
    r"a{,2}b",
    r"(?:a{2})+",
    r"(?<=a)b",
    r"(?<!a)b",
    r"(?<name>ab)+",
    r"(?i)ABC|k|s",
    r"(?i:[a-f]+|[^a-z ]+)",
    r"\p{^L}+",
    r"\P{L}+",
    r"[^\p{L}\s]",
    r"[\]\[\-\\^]",
    r"[]a]",
    r"[a-]",
    r"[-a]",
    r"[a^]",
    r"[&|()]",
    r"[\p{L}&&[a-z]]+",
    r"[^a-z&&[^aeiou]]",
    r"[[:alpha:]]+|[[:digit:]]+|[[:^space:]]",
    r"[[:upper:]]|[[:lower:]]|[[:space:]]|[[:cntrl:]]|[[:xdigit:]]",
    r"\h+",
    r"\H+",
    r"\x41|\x{e9}|\u00e9",
    r"[\x00-\x1f\u200b-\u200f]",
    r"\t|\n|\r|\f|\v|\a|\e",
    r"\p{Alphabetic}+|\p{Hiragana}|\p{Katakana}|\p{Cyrillic}+",
    r"\p{Lu}\p{Ll}*",
    r"\p{Sc}|\p{So}|\p{Mn}|\p{Zs}|\p{Cf}",
    r"[.,!?]|\.\.\.",
    r"{|}",
    r"#|@|%|~|`|'|\"|/",
]


def charsmap():
    """SentencePiece's nmt_nfkc, which XLM-RoBERTa, T5 and ALBERT use, as its trainer writes it into a model."""
    with tempfile.TemporaryDirectory() as folder:
        corpus = f"{folder}/corpus.txt"
        with open(corpus, "w", encoding="utf-8") as file:
            file.write("The quick brown fox jumps over the lazy dog.\nPack my box with five dozen liquor jugs.\n" * 20)
        sentencepiece.SentencePieceTrainer.train(
            input=corpus, model_prefix=f"{folder}/m", vocab_size=60, hard_vocab_limit=False,
            normalization_rule_name="nmt_nfkc", minloglevel=2,
        )
        with open(f"{folder}/m.model", "rb") as file:
            model = file.read()
    return base64.b64encode(field(field(model, 3), 2)).decode()


def field(message, wanted):
    """A field of bytes in a protobuf message."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(message):
        key = varint()
        kind, number = key & 7, key >> 3
        if kind == 0:
            varint()
        elif kind == 5:
            at += 4
        elif kind == 1:
            at += 8
        else:
            size = varint()
            if number == wanted:
                return message[at : at + size]
            at += size
    raise ValueError(f"no field {wanted}")


class Shared:
    """What many definitions hold, written once: charsmaps, vocabularies, merges."""

    def __init__(self):
        self.values = []

    def short(self, value):
        """The value with references for what is long."""
        if isinstance(value, (dict, list, str)) and len(value) > 300:
            if value not in self.values:
                self.values.append(value)
            return f"$shared {self.values.index(value)}"
        if isinstance(value, dict):
            return {key: self.short(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.short(inner) for inner in value]
        return value


def sequence(*parts):
    return {"type": "Sequence", "normalizers": list(parts)}


def replace(pattern, content, kind="String"):
    return {"type": "Replace", "pattern": {kind: pattern}, "content": content}


def normalizers(charsmap):
    plain = [{"type": name} for name in ["NFC", "NFD", "NFKC", "NFKD", "Nmt", "Lowercase", "StripAccents", "ByteLevel"]]
    bert = [
        {"type": "BertNormalizer", "clean_text": clean, "handle_chinese_chars": chinese, "strip_accents": strip, "lowercase": lower}
        for clean, chinese, strip, lower in itertools.product([True, False], [True, False], [None, True, False], [True, False])
    ]
    strip = [{"type": "Strip", "strip_left": left, "strip_right": right} for left in [True, False] for right in [True, False]]
    precompiled = {"type": "Precompiled", "precompiled_charsmap": charsmap}
    return [
        *plain,
        *bert,
        *strip,
        precompiled,
        {"type": "Prepend", "prepend": "\u2581"},
        replace(" ", "\u2581"),
        replace("``", '"'),
        replace("a", ""),
        replace("", "x"),
        replace("aa", "$1\\1"),
        replace(r" {2,}", " ", "Regex"),
        replace(r"\s+", " ", "Regex"),
        replace(r"[\n\r\t]", "", "Regex"),
        sequence(),
        sequence({"type": "Nmt"}, {"type": "NFKC"}, replace(r" {2,}", " ", "Regex")),
        sequence({"type": "NFD"}, {"type": "StripAccents"}),
        sequence({"type": "NFKD"}, {"type": "StripAccents"}, {"type": "Lowercase"}),
        sequence({"type": "NFC"}, {"type": "Lowercase"}, strip[0]),
        sequence(precompiled, strip[2], replace(r" {2,}", "\u2581", "Regex")),
        sequence({"type": "Prepend", "prepend": "\u2581"}, replace(" ", "\u2581")),
    ]


def split(pattern, behavior, invert=False, kind="Regex"):
    return {"type": "Split", "pattern": {kind: pattern}, "behavior": behavior, "invert": invert}


def cuts(*parts):
    return {"type": "Sequence", "pretokenizers": list(parts)}


def metaspace(scheme="always", splits=True, replacement="\u2581"):
    return {"type": "Metaspace", "replacement": replacement, "prepend_scheme": scheme, "split": splits}


def byte_level(prefix=False, regex=True):
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True, "use_regex": regex}


def pre_tokenizers():
    splits = [
        split(pattern, behavior, invert, kind)
        for behavior, invert in itertools.product(BEHAVIORS, [False, True])
        for pattern, kind in [(" ", "String"), ("aa", "String"), (r"\d", "Regex"), (r"[\s.,!?]+", "Regex")]
    ]
    return [
        {"type": "BertPreTokenizer"},
        {"type": "Whitespace"},
        {"type": "WhitespaceSplit"},
        *[{"type": "Punctuation", "behavior": behavior} for behavior in BEHAVIORS],
        {"type": "Digits", "individual_digits": True},
        {"type": "Digits", "individual_digits": False},
        *[metaspace(scheme, splits) for scheme in ["always", "first", "never"] for splits in [True, False]],
        metaspace("always", True, "_"),
        {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "never", "add_prefix_space": False},
        {"type": "Metaspace", "replacement": "\u2581", "add_prefix_space": True, "str_rep": "\u2581"},
        *[byte_level(prefix, regex) for prefix in [True, False] for regex in [True, False]],
        {"type": "CharDelimiterSplit", "delimiter": " "},
        {"type": "CharDelimiterSplit", "delimiter": "a"},
        {"type": "FixedLength", "length": 1},
        {"type": "FixedLength", "length": 5},
        *splits,
        split("", "Isolated", False, "String"),
        split("", "Removed", True, "String"),
        *[split(r"\b", behavior) for behavior in BEHAVIORS],
        cuts({"type": "WhitespaceSplit"}, {"type": "Punctuation", "behavior": "Isolated"}),
        cuts({"type": "WhitespaceSplit"}, metaspace("first")),
        cuts({"type": "WhitespaceSplit"}, metaspace("always")),
        cuts({"type": "Digits", "individual_digits": True}, metaspace("first", False)),
        cuts({"type": "Digits", "individual_digits": True}, byte_level()),
        cuts(split(GPT2, "Isolated"), byte_level(False, False)),
        cuts(split(CL100K, "Isolated"), byte_level(False, False)),
        cuts(split(O200K, "Removed", True), byte_level(True, False)),
        cuts({"type": "Punctuation", "behavior": "Contiguous"}, byte_level(), {"type": "Digits", "individual_digits": False}),
    ]


def decoders():
    words = [["Hello", "##ing", "wor", "##ld", ",", "don", "'", "t", "do", "not", "n't", "'s", "."], [], ["##a"], ["a", "", "##", "##b", " .", "?"], ["[CLS]", "it", "'", "s", "!"]]
    marked = [["\u2581Hello", "\u2581wor", "ld", "\u2581", "\u2581\u2581a", "b\u2581"], ["\u2581"], ["a", "\u2581b"], ["\u2581\u2581a\u2581b", "\u2581c"], []]
    letters = [["He", "llo", "Ġwor", "ld", "Ċ"], ["Ã", "©", "ðŁĺ", "Ģ"], ["ðŁ", "a", "ĺĢ"], ["\u2581x", "é", "Ġ中"], ["<s>", "Ġ", "ï»¿", "a"], [], ["Ā", "ÿ", "Ń"]]
    fallback = [["a", "<0xE4>", "<0xB8>", "<0xAD>", "b"], ["<0xE4>", "<0xB8>"], ["<0xE4>", "<0xB8>", "a", "<0xAD>"], ["<0x41>", "<0x0A>"], ["<0xZZ>", "<0x4>", "<0x00>"], ["<0xEF>", "<0xBB>", "<0xBF>", "a"], ["<0xFF>", "\u2581a", "<0xf0>", "<0x9F>", "<0x98>", "<0x80>"], []]
    suffixed = [["hel", "lo</w>", "wor", "ld</w>"], ["a</w>", "b"], ["</w></w>", "x"]]
    speech = [["<pad>", "h", "h", "e", "l", "<pad>", "l", "o", "|", "|", "w", "<pad>"], ["|", "a", "|", ".", "|", "b"], ["<pad>"], ["do", "|", " not"], []]
    llama = {
        "type": "Sequence",
        "decoders": [
            {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
            {"type": "ByteFallback"},
            {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0},
        ],
    }
    return [
        ({"type": "WordPiece", "prefix": "##", "cleanup": True}, words),
        ({"type": "WordPiece", "prefix": "##", "cleanup": False}, words),
        *[({"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": scheme, "split": True}, marked) for scheme in ["always", "first", "never"]],
        ({"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "never", "add_prefix_space": False}, marked),
        ({"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}, letters),
        ({"type": "ByteFallback"}, fallback),
        ({"type": "BPEDecoder", "suffix": "</w>"}, suffixed),
        ({"type": "CTC", "pad_token": "<pad>", "word_delimiter_token": "|", "cleanup": True}, speech),
        ({"type": "CTC", "pad_token": "<pad>", "word_delimiter_token": "|", "cleanup": False}, speech),
        ({"type": "Fuse"}, words),
        ({"type": "Strip", "content": " ", "start": 1, "stop": 0}, [[" a", "  b", " "], ["a "], []]),
        ({"type": "Strip", "content": "x", "start": 2, "stop": 1}, [["xxxaxx", "xxx", "axx", "a"], ["xxxx"]]),
        ({"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "}, marked),
        ({"type": "Replace", "pattern": {"Regex": "l+"}, "content": "$&"}, words),
        (llama, [*marked, *fallback]),
        ({"type": "Sequence", "decoders": []}, words),
    ]


def pre_tokenizers_alphabet():
    """The letters that stand for bytes."""
    from tokenizers import pre_tokenizers as library

    return library.ByteLevel.alphabet()
