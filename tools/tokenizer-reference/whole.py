"""Whole tokenizers in small: each model with its options, added tokens with theirs, and what is set around texts."""

import json
import pathlib

from tokenizers import AddedToken, Tokenizer, models, trainers

import parts
import texts

SPECIAL = ["<unk>", "<s>", "</s>", "<pad>"]
CORPUS = [text for text in texts.HARD if text] + [
    "Hello world, this is a small corpus for small tokenizers.",
    "Größe und Straße, naïve café, Привет мир, 中文文本 和 日本語",
] * 5


def added(content, **flags):
    usual = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"content": content, **usual, **flags}


ADDED = [
    added("<s>"),
    added("</s>"),
    added("<mask>", lstrip=True),
    added("foo", single_word=True, special=False),
    added("<|im_start|>", rstrip=True),
    added("<a>"),
    added("<a><b>", special=False),
    added("Mask", normalized=True, special=False),
    added("[MASK]", normalized=True, lstrip=True, rstrip=True),
    added("é", normalized=True, single_word=True, special=False),
    added("  ", normalized=False, special=False),
    added("ing", normalized=True, special=False),
]


def byte_fallback_tokens():
    return [f"<0x{byte:02X}>" for byte in range(256)]


def trained(model, trainer, definition):
    """A definition with a model that was trained with its own normalizer and pre-tokenizer."""
    base = {**parts.EMPTY, **{key: value for key, value in definition.items() if key in ("normalizer", "pre_tokenizer")}}
    tokenizer = Tokenizer.from_str(json.dumps(base))
    tokenizer.model = model
    tokenizer.train_from_iterator(CORPUS, trainer)
    made = json.loads(tokenizer.to_str())
    return {**parts.EMPTY, **definition, "model": made["model"]}


def with_added(definition, tokens=ADDED):
    tokenizer = Tokenizer.from_str(json.dumps(definition))
    for token in tokens:
        flags = {key: value for key, value in token.items() if key not in ("content", "special")}
        add = tokenizer.add_special_tokens if token["special"] else tokenizer.add_tokens
        add([AddedToken(token["content"], **flags)])
    return json.loads(tokenizer.to_str())


def with_model(definition, **options):
    return {**definition, "model": {**definition["model"], **options}}


def template(single, pair, special):
    def piece(text):
        name, kind = text.split(":")
        if name in ("A", "B"):
            return {"Sequence": {"id": name, "type_id": int(kind)}}
        return {"SpecialToken": {"id": name, "type_id": int(kind)}}

    return {
        "type": "TemplateProcessing",
        "single": [piece(one) for one in single.split()],
        "pair": [piece(one) for one in pair.split()],
        "special_tokens": {name: {"id": name, "ids": ids, "tokens": [name] * len(ids)} for name, ids in special.items()},
    }


def definitions(charsmap, real):
    precompiled = {"type": "Precompiled", "precompiled_charsmap": charsmap}
    bert = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True}
    nfd = {"type": "NFD"}
    fallback_decoder = {
        "type": "Sequence",
        "decoders": [
            {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
            {"type": "ByteFallback"},
            {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0},
        ],
    }
    byte_trainer = dict(vocab_size=700, special_tokens=SPECIAL, initial_alphabet=sorted(parts.pre_tokenizers_alphabet()), show_progress=False)
    byte_level = trained(
        models.BPE(), trainers.BpeTrainer(**byte_trainer),
        {"pre_tokenizer": parts.byte_level(), "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}, "post_processor": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}},
    )
    word_piece = trained(
        models.WordPiece(unk_token="[UNK]"),
        trainers.WordPieceTrainer(vocab_size=900, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], limit_alphabet=400, show_progress=False),
        {
            "normalizer": bert, "pre_tokenizer": {"type": "BertPreTokenizer"}, "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
            "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
        },
    )
    marked = trained(
        models.BPE(unk_token="<unk>"), trainers.BpeTrainer(vocab_size=600, special_tokens=SPECIAL + byte_fallback_tokens(), limit_alphabet=150, show_progress=False),
        {"pre_tokenizer": parts.metaspace("first"), "decoder": fallback_decoder},
    )
    unigram = trained(
        models.Unigram(), trainers.UnigramTrainer(vocab_size=1500, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False),
        {
            "normalizer": parts.sequence(precompiled, parts.replace(r" {2,}", " ", "Regex")),
            "pre_tokenizer": parts.metaspace("always"), "decoder": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True},
            "post_processor": template("<s>:0 A:0 </s>:0", "<s>:0 A:0 </s>:0 </s>:0 B:0 </s>:0", {"<s>": [1], "</s>": [2]}),
        },
    )
    some = unigram["model"]["vocab"]
    kept = [entry for entry in some if len(entry[0]) > 1 or entry[0] in "abcdefghijklmnopqrstuvwxyz\u2581"]
    unigram_bytes = with_model(unigram, vocab=kept + [[token, -12.5] for token in byte_fallback_tokens()], byte_fallback=True)
    suffixed = trained(
        models.BPE(unk_token="<unk>", end_of_word_suffix="</w>", fuse_unk=True), trainers.BpeTrainer(vocab_size=600, special_tokens=SPECIAL, end_of_word_suffix="</w>", limit_alphabet=120, show_progress=False),
        {"normalizer": bert, "pre_tokenizer": {"type": "Whitespace"}, "decoder": {"type": "BPEDecoder", "suffix": "</w>"}},
    )
    prefixed = trained(
        models.BPE(unk_token="<unk>", continuing_subword_prefix="##"), trainers.BpeTrainer(vocab_size=600, special_tokens=SPECIAL, continuing_subword_prefix="##", limit_alphabet=120, show_progress=False),
        {"pre_tokenizer": {"type": "WhitespaceSplit"}, "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": False}},
    )
    word_level = trained(
        models.WordLevel(unk_token="<unk>"), trainers.WordLevelTrainer(vocab_size=400, special_tokens=SPECIAL, show_progress=False),
        {"normalizer": {"type": "Lowercase"}, "pre_tokenizer": {"type": "Whitespace"}},
    )
    small_bytes = [token for token in marked["model"]["vocab"] if token != "<0xE4>"]
    roberta = {"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 1], "trim_offsets": True, "add_prefix_space": False}
    llama = template("<s>:0 A:0", "<s>:0 A:0 <s>:1 B:1", {"<s>": [1]})
    yield "byte-level", byte_level
    yield "byte-level, added tokens", with_added({**byte_level, "post_processor": roberta})
    yield "byte-level, space before", with_added({**byte_level, "pre_tokenizer": parts.byte_level(True)})
    yield "byte-level, merges ignored", with_model({**byte_level, "normalizer": {"type": "NFC"}}, ignore_merges=True)
    yield "byte-level, cl100k", {**byte_level, "pre_tokenizer": parts.cuts(parts.split(parts.CL100K, "Isolated"), parts.byte_level(False, False))}
    yield "byte-level, digits", {**byte_level, "pre_tokenizer": parts.cuts({"type": "Digits", "individual_digits": True}, parts.byte_level())}
    yield "byte-level, as one word", {**byte_level, "pre_tokenizer": parts.byte_level(False, False), "post_processor": {"type": "Sequence", "processors": [byte_level["post_processor"], llama]}}
    moved = with_added(byte_level)
    yield "byte-level, ids of added tokens with gaps", {**moved, "added_tokens": [{**one, "id": one["id"] + 7 * (one["id"] > 600)} for one in moved["added_tokens"]]}
    yield "word-piece", word_piece
    yield "word-piece, added tokens", with_added(word_piece)
    yield "word-piece, cased", with_added({**word_piece, "normalizer": {**bert, "lowercase": False}})
    yield "word-piece, short words", with_model(word_piece, max_input_chars_per_word=6)
    yield "word-piece, words", {**word_piece, "normalizer": nfd, "pre_tokenizer": {"type": "Whitespace"}}
    yield "marked, bytes", with_model({**marked, "post_processor": llama}, byte_fallback=True)
    yield "marked, bytes, added tokens", with_added(with_model(marked, byte_fallback=True, fuse_unk=True))
    yield "marked, some bytes", with_model(marked, byte_fallback=True, vocab={token: id for id, token in enumerate(small_bytes)}, merges=[])
    yield "marked, unknown", with_model({**marked, "pre_tokenizer": parts.metaspace("always", False)}, fuse_unk=False)
    yield "marked, unknown in one", with_model({**marked, "pre_tokenizer": parts.metaspace("never")}, fuse_unk=True)
    yield "marked, unknown left out", with_model(marked, unk_token=None)
    yield "marked by the normalizer", with_added(with_model({**marked, "normalizer": parts.sequence({"type": "Prepend", "prepend": "\u2581"}, parts.replace(" ", "\u2581")), "pre_tokenizer": None}, byte_fallback=True, fuse_unk=True))
    yield "unigram", unigram
    yield "unigram, added tokens", with_added(unigram)
    yield "unigram, first word", with_added({**unigram, "normalizer": parts.sequence(precompiled, {"type": "Strip", "strip_left": False, "strip_right": True}), "pre_tokenizer": parts.metaspace("first")})
    yield "unigram, first word, nmt", with_added({**unigram, "normalizer": {"type": "Nmt"}, "pre_tokenizer": parts.metaspace("first")})
    yield "unigram, first word, stripped", with_added({**unigram, "normalizer": parts.sequence({"type": "Strip", "strip_left": True, "strip_right": True}, parts.replace(" ", "\u2581")), "pre_tokenizer": parts.metaspace("first")})
    yield "unigram, first word, cleaned", {**unigram, "normalizer": {**bert, "lowercase": False}, "pre_tokenizer": parts.metaspace("first")}
    yield "unigram, first word, accents", {**unigram, "normalizer": {"type": "StripAccents"}, "pre_tokenizer": parts.metaspace("first")}
    yield "unigram, first word, replaced", {**unigram, "normalizer": parts.replace("ab|[\\t\\n]+|a", "b", "Regex"), "pre_tokenizer": parts.metaspace("first")}
    yield "unigram, uncut", {**unigram, "pre_tokenizer": parts.metaspace("always", False)}
    yield "unigram, bytes", unigram_bytes
    yield "unigram, words first", {**unigram, "normalizer": {"type": "Nmt"}, "pre_tokenizer": parts.cuts({"type": "WhitespaceSplit"}, parts.metaspace("first"))}
    yield "suffixed", suffixed
    yield "suffixed, unknown", with_added(with_model(suffixed, fuse_unk=False))
    yield "prefixed", prefixed
    yield "word-level", word_level
    yield "word-level, added tokens", with_added({**word_level, "decoder": {"type": "Fuse"}})
    for path in real:
        yield path, json.loads(pathlib.Path(path).read_text())


def attempt(function):
    """The reference refuses some texts, e.g. without an unknown token."""
    try:
        return function()
    except Exception:  # noqa: BLE001
        return "error"


PAIRS = [(5, 6), (0, 3), (4, 0), (44, 45), (49, 50)]


def answers(name, definition, all_texts):
    tokenizer = Tokenizer.from_str(json.dumps(definition))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    ids = [attempt(lambda text=text: tokenizer.encode(text, add_special_tokens=False).ids) for text in all_texts]
    framed = [tokenizer.encode(text) for text in all_texts[1:6]]
    pairs = [tokenizer.encode(all_texts[one % len(all_texts)], all_texts[other % len(all_texts)]) for one, other in PAIRS]
    decoded = [None if one == "error" else tokenizer.decode(one, skip_special_tokens=False) for one in ids]
    skipped = [None if one == "error" else tokenizer.decode(one, skip_special_tokens=True) for one in ids]
    truncated = []
    for length in [4, 7, 12]:
        for direction in ["left", "right"]:
            tokenizer.enable_truncation(length, strategy="longest_first", direction=direction)
            got = [attempt(lambda a=one, b=other: tokenizer.encode(all_texts[a % len(all_texts)], all_texts[b % len(all_texts)]).ids) for one, other in PAIRS]
            truncated.append({"length": length, "direction": direction, "ids": got})
    return {
        "name": name,
        "ids": ids,
        "framed": [{"ids": one.ids, "types": one.type_ids} for one in framed],
        "pairs": [{"texts": pair, "ids": one.ids, "types": one.type_ids} for pair, one in zip(PAIRS, pairs)],
        "decoded": [None if text == all_texts[index] else text for index, text in enumerate(decoded)],
        "skipped": [None if text == decoded[index] else text for index, text in enumerate(skipped)],
        "truncated": truncated,
    }
