"""The tiny models: each function writes a tokenizer into a folder, and gives the model, what it is asked, and how texts become its inputs."""

import json
import pathlib
import tempfile
from dataclasses import dataclass, field

import sentencepiece
import torch
import transformers as tf
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

TEXTS = [
    "The house is wonderful.",
    "A carpool shares a ride, and everyone pays less.",
    "Studies have shown that owning a dog is good for you: dogs ask for walks, and walks are healthy. Naïve people disagree, ﬁrst of all cats!",
    "?",
    "１２ naïve ﬁsh — “quoted” 🚗 and Zoë’s 3.5 km",
]
CORPUS = TEXTS * 4 + ["summarize: translate English to French: German dogs and cats, walks and rides are healthy and wonderful."] * 3
GREEDY = [
    {"num_beams": 1},
    {"num_beams": 1, "max_new_tokens": 7},
    {"num_beams": 1, "min_length": 12, "max_length": 24},
    {"num_beams": 1, "no_repeat_ngram_size": 2, "max_new_tokens": 30},
    {"num_beams": 1, "repetition_penalty": 1.7, "max_new_tokens": 30},
]
BEAMS = [
    {"num_beams": 4, "max_new_tokens": 20},
    {"num_beams": 3, "early_stopping": True, "length_penalty": 2.0, "max_new_tokens": 20},
    {"num_beams": 2, "early_stopping": "never", "length_penalty": 0.0, "max_new_tokens": 20},
    {"num_beams": 4, "length_penalty": -1.0, "no_repeat_ngram_size": 2, "repetition_penalty": 1.3, "min_length": 6, "max_new_tokens": 16},
]
SIZES = dict(encoder_layers=2, decoder_layers=2, encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, d_model=16)


@dataclass
class Family:
    model: tf.PreTrainedModel
    tokenizer: object
    parameters: list
    merged: bool = True
    texts: list = field(default_factory=lambda: TEXTS)

    def encode(self, text, parameters):
        forced = {}
        if "src_lang" in parameters:
            self.tokenizer.src_lang = parameters["src_lang"]
        if "tgt_lang" in parameters:
            forced["forced_bos_token_id"] = self.tokenizer.convert_tokens_to_ids(parameters["tgt_lang"])
        return self.tokenizer(text, return_tensors="pt"), forced


def sentence_pieces(size, **options):
    """A SentencePiece model; without T5's normalizer, which takes 300 kB."""
    with tempfile.TemporaryDirectory() as scratch:
        corpus = pathlib.Path(scratch, "corpus.txt")
        corpus.write_text("\n".join(CORPUS))
        sentencepiece.SentencePieceTrainer.train(
            input=str(corpus), model_prefix=f"{scratch}/m", vocab_size=size, hard_vocab_limit=False, character_coverage=0.98,
            normalization_rule_name="identity", minloglevel=2, **options,
        )
        return pathlib.Path(scratch, "m.model").read_bytes()


def random_weights(model, seed, end, likelier, embedding=1.2):
    """Weights large enough for texts to differ; `likelier` is how much the end token gains, `embedding` the size of embeddings, which are scaled in some models."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() > 1 and "embed_positions" not in name:
                size = embedding if "shared" in name else 1.2
                weight.normal_(0, size / weight.shape[-1] ** 0.5, generator=generator)
        if getattr(model, "final_logits_bias", None) is not None:
            model.final_logits_bias[0, end] = likelier
    return model


def t5(folder):
    pieces = folder / "spiece.model"
    pieces.write_bytes(sentence_pieces(160, pad_id=0, eos_id=1, unk_id=2, bos_id=-1))
    tokenizer = tf.T5TokenizerFast(vocab_file=str(pieces), extra_ids=4, model_max_length=128)
    tokenizer.save_pretrained(folder)
    pieces.unlink()
    config = tf.T5Config(
        vocab_size=len(tokenizer), d_model=16, d_kv=8, d_ff=32, num_layers=2, num_decoder_layers=2, num_heads=2, feed_forward_proj="gated-gelu",
        tie_word_embeddings=False, decoder_start_token_id=0, pad_token_id=0, eos_token_id=1,
        task_specific_params={
            "summarization": {"early_stopping": True, "length_penalty": 2.0, "max_length": 20, "min_length": 4, "no_repeat_ngram_size": 3, "num_beams": 4, "prefix": "summarize: "},
            "translation_en_to_fr": {"early_stopping": True, "max_length": 30, "num_beams": 4, "prefix": "translate English to French: "},
        },
    )
    model = random_weights(tf.T5ForConditionalGeneration(config), 3, 1, 0)
    return Family(model, tokenizer, [{**one, "max_new_tokens": one.get("max_new_tokens", 40)} if "max_length" not in one else one for one in GREEDY + BEAMS])


def marian_tokenizer_json(pieces, vocabulary, template):
    """A tokenizer.json as transformers.js converts them: the pieces with their scores in the order of vocab.json."""
    proto = sentencepiece_model_pb2.ModelProto.FromString(pieces)
    scores = {piece.piece: piece.score for piece in proto.pieces}
    least = min(scores.values())
    ordered = sorted(vocabulary, key=vocabulary.get)
    special = ["</s>", "<unk>", "<pad>"]
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [
            {"id": vocabulary[one], "content": one, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True} for one in special
        ],
        "normalizer": json.loads(Tokenizer.from_str(t5_backend(pieces)).to_str())["normalizer"],
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, {"type": "Metaspace", "replacement": "▁", "add_prefix_space": True, "prepend_scheme": "always"}]},
        "post_processor": template,
        "decoder": {"type": "Metaspace", "replacement": "▁", "add_prefix_space": True, "prepend_scheme": "always"},
        "model": {"type": "Unigram", "unk_id": vocabulary["<unk>"], "vocab": [[one, 0.0 if one in special else scores.get(one, least - 10)] for one in ordered]},
    }


def t5_backend(pieces):
    with tempfile.TemporaryDirectory() as scratch:
        file = pathlib.Path(scratch, "spiece.model")
        file.write_bytes(pieces)
        return tf.T5TokenizerFast(vocab_file=str(file), extra_ids=0).backend_tokenizer.to_str()


def marian(folder):
    pieces = sentence_pieces(150, pad_id=-1, eos_id=0, unk_id=1, bos_id=-1)
    proto = sentencepiece_model_pb2.ModelProto.FromString(pieces)
    names = ["</s>", "<unk>"] + sorted(piece.piece for piece in proto.pieces if piece.piece not in ("</s>", "<unk>")) + ["<pad>"]
    vocabulary = {name: index for index, name in enumerate(names)}
    scratch = pathlib.Path(tempfile.mkdtemp())
    for name in ("source.spm", "target.spm"):
        (scratch / name).write_bytes(pieces)
    (scratch / "vocab.json").write_text(json.dumps(vocabulary))
    slow = tf.MarianTokenizer(
        source_spm=str(scratch / "source.spm"), target_spm=str(scratch / "target.spm"), vocab=str(scratch / "vocab.json"),
        source_lang="en", target_lang="fr", model_max_length=128,
    )
    end = {"SpecialToken": {"id": "</s>", "type_id": 0}}
    text = {"Sequence": {"id": "A", "type_id": 0}}
    template = {
        "type": "TemplateProcessing", "single": [text, end], "pair": [text, {"Sequence": {"id": "B", "type_id": 0}}, end],
        "special_tokens": {"</s>": {"id": "</s>", "ids": [0], "tokens": ["</s>"]}},
    }
    definition = marian_tokenizer_json(pieces, vocabulary, template)
    (folder / "tokenizer.json").write_text(json.dumps(definition, ensure_ascii=False))
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "MarianTokenizer", "source_lang": "en", "target_lang": "fr", "model_max_length": 128,
        "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>",
    }))
    fast = Tokenizer.from_str(json.dumps(definition))
    for one in TEXTS:
        assert fast.encode(one).ids == slow(one).input_ids, (one, fast.encode(one).tokens, slow.tokenize(one))
    pad = vocabulary["<pad>"]
    config = tf.MarianConfig(
        vocab_size=len(names), max_position_embeddings=128, pad_token_id=pad, eos_token_id=0, decoder_start_token_id=pad, forced_eos_token_id=0,
        activation_function="swish", scale_embedding=True, static_position_embeddings=True, **SIZES,
    )
    model = random_weights(tf.MarianMTModel(config), 5, 0, 0.5, 0.4)
    model.generation_config = tf.GenerationConfig(
        bad_words_ids=[[pad]], bos_token_id=0, decoder_start_token_id=pad, eos_token_id=0, forced_eos_token_id=0, max_length=40, num_beams=4,
        pad_token_id=pad, renormalize_logits=True,
    )
    return Family(model, slow, [{}, *GREEDY, *BEAMS])


def nllb(folder):
    pieces = folder / "sentencepiece.bpe.model"
    pieces.write_bytes(sentence_pieces(150))
    languages = ["eng_Latn", "fra_Latn", "deu_Latn", "rus_Cyrl"]
    tokenizer = tf.NllbTokenizerFast(vocab_file=str(pieces), additional_special_tokens=languages, src_lang="eng_Latn", model_max_length=128)
    tokenizer.save_pretrained(folder)
    pieces.unlink()
    config = tf.M2M100Config(
        vocab_size=len(tokenizer), max_position_embeddings=128, pad_token_id=1, bos_token_id=0, eos_token_id=2, decoder_start_token_id=2, activation_function="relu",
        **SIZES,
    )
    model = random_weights(tf.M2M100ForConditionalGeneration(config), 11, 2, 0, 0.4)
    model.generation_config = tf.GenerationConfig(bos_token_id=0, decoder_start_token_id=2, eos_token_id=2, max_length=30, pad_token_id=1)
    pairs = [("eng_Latn", "fra_Latn"), ("deu_Latn", "rus_Cyrl")]
    asked = [GREEDY[0], GREEDY[3], BEAMS[0], BEAMS[1]]
    return Family(model, tokenizer, [{"src_lang": source, "tgt_lang": target, **one} for source, target in pairs for one in asked])


def bart(folder):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=330, special_tokens=special, initial_alphabet=alphabet))
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = tf.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=128, bos_token="<s>", eos_token="</s>", unk_token="<unk>", sep_token="</s>", cls_token="<s>",
        pad_token="<pad>", model_input_names=["input_ids", "attention_mask"],
    )
    fast.save_pretrained(folder)
    config = tf.BartConfig(
        vocab_size=len(fast), max_position_embeddings=128, pad_token_id=1, bos_token_id=0, eos_token_id=2, decoder_start_token_id=2, forced_eos_token_id=2,
        task_specific_params={"summarization": {"length_penalty": 2.0, "max_length": 24, "min_length": 5, "num_beams": 4}}, **SIZES,
    )
    model = random_weights(tf.BartForConditionalGeneration(config), 13, 2, 2.0)
    model.generation_config = tf.GenerationConfig(
        bos_token_id=0, decoder_start_token_id=2, early_stopping=True, eos_token_id=2, forced_bos_token_id=0, forced_eos_token_id=2, length_penalty=2.0,
        max_length=24, min_length=5, no_repeat_ngram_size=3, num_beams=4, pad_token_id=1,
    )
    return Family(model, fast, [{}, *GREEDY, *BEAMS], merged=False)


FAMILIES = {"t5": t5, "marian": marian, "nllb": nllb, "bart": bart}
