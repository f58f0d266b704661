"""The tiny models: each function writes a folder, and returns requests with what transformers answers."""

import numpy as np
import onnx
import onnxruntime
import tokenizers
import torch
import transformers as tf
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

DIM = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, initializer_range=0.6)
TEXTS = [
    "Angela Merkel visited the Carpathian mountains with Zoë and 12 friends in São Paulo.",
    "My name is Sarah Jessica Parker, but you can call me Jessica; I live in London.",
    "🚗 Carpool shares a ride: Hugging Face Inc. is based in New York City, naïvely speaking.",
]
LONG = " ".join(TEXTS * 3)
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def word_piece(folder, size=220, length=48):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=size, special_tokens=SPECIAL, limit_alphabet=60)
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.decoder = tokenizers.decoders.WordPiece()
    fast = tf.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=length, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",
        sep_token="[SEP]", mask_token="[MASK]", model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )
    fast.save_pretrained(folder)
    return fast


def byte_level(folder, size=330, length=64):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=size, special_tokens=special, initial_alphabet=alphabet))
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    fast = tf.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=length, bos_token="<s>", eos_token="</s>", unk_token="<unk>",
        sep_token="</s>", cls_token="<s>", pad_token="<pad>", mask_token=tokenizers.AddedToken("<mask>", lstrip=True),
    )
    fast.save_pretrained(folder)
    return fast


def slim(file):
    """Takes out what the exporter says of where each node comes from."""
    graph = onnx.load(file)
    for one in [*graph.graph.node, *graph.graph.value_info, *graph.graph.input, *graph.graph.output, *graph.graph.initializer]:
        del one.metadata_props[:]
    del graph.graph.value_info[:]
    del graph.graph.metadata_props[:], graph.metadata_props[:]
    onnx.save(graph, file)


class Picked(torch.nn.Module):
    def __init__(self, model, inputs, outputs):
        super().__init__()
        self.model, self.inputs, self.outputs = model, inputs, outputs

    def forward(self, *values):
        given = self.model(**dict(zip(self.inputs, values)), return_dict=True)
        return tuple(given[name] for name in self.outputs)


def export(model, tokenizer, folder, outputs):
    inputs = ["input_ids", "attention_mask"] + (["token_type_ids"] if model.config.type_vocab_size > 1 else [])
    encoded = tokenizer(["a b", "c d"], padding=True, return_tensors="pt", return_token_type_ids=True)
    batch, tokens = torch.export.Dim("batch"), torch.export.Dim("tokens")
    torch.onnx.export(
        Picked(model, inputs, outputs), tuple(encoded[name] for name in inputs), folder / "onnx/model.onnx", dynamo=True,
        input_names=inputs, output_names=outputs, dynamic_shapes=(({0: batch, 1: tokens},) * len(inputs),), opset_version=18, external_data=False,
        verbose=False,
    )
    slim(folder / "onnx/model.onnx")
    session = onnxruntime.InferenceSession(folder / "onnx/model.onnx")
    other = tokenizer(TEXTS[:2], padding=True, return_tensors="pt", return_token_type_ids=True)
    other = {name: other[name] for name in inputs}
    got = session.run(None, {name: value.numpy() for name, value in other.items()})
    with torch.no_grad():
        want = model(**other)
    for name, value in zip(outputs, got):
        assert np.allclose(value, want[name].numpy(), atol=1e-4), np.abs(value - want[name].numpy()).max()


def made(name, kind, tokenizer, folder, outputs=("logits",), **config):
    """A model of random weights; its config and graph are written."""
    torch.manual_seed(7)
    family = getattr(tf, f"{name}Config")
    extra = dict(pad_token_id=tokenizer.pad_token_id)
    positions = tokenizer.model_max_length + (tokenizer.pad_token_id + 1 if name == "Roberta" else 0)
    own = family(vocab_size=len(tokenizer), max_position_embeddings=positions, type_vocab_size=1 if name == "Roberta" else 2, **extra, **DIM, **config)
    own._attn_implementation = "eager"
    model = getattr(tf, f"{name}For{kind}")(own).eval()
    own.architectures = [type(model).__name__]
    own.save_pretrained(folder)
    export(model, tokenizer, folder, list(outputs))
    return model


def ner(name, tokenizer, folder, labels, **more):
    model = made(name, "TokenClassification", tokenizer, folder, id2label=dict(enumerate(labels)), label2id={label: at for at, label in enumerate(labels)})
    pipe = tf.pipeline("token-classification", model=model, tokenizer=tokenizer)
    cases = []
    for strategy in ["none", "simple", "first", "average", "max"]:
        for text in TEXTS:
            cases.append(dict(text=text, parameters=dict(aggregation_strategy=strategy, ignore_labels=["O"]), answer=pipe(text, aggregation_strategy=strategy)))
    for strategy in ["simple", "max"]:
        answer = pipe(LONG, aggregation_strategy=strategy, stride=8)
        cases.append(dict(text=LONG, parameters=dict(aggregation_strategy=strategy, stride=8), answer=answer))
    return cases


def zero_shot(tokenizer, folder):
    labels = ["contradiction", "neutral", "entailment"]
    model = made("Bert", "SequenceClassification", tokenizer, folder, id2label=dict(enumerate(labels)), label2id={label: at for at, label in enumerate(labels)})
    pipe = tf.pipeline("zero-shot-classification", model=model, tokenizer=tokenizer)
    cases = []
    for text in [*TEXTS[1:], LONG]:
        for parameters in [
            dict(candidate_labels=["travel", "people", "money"]), dict(candidate_labels=["New York", "London"], multi_label=True),
            dict(candidate_labels=["friends"], hypothesis_template="It is about {}!"),
        ]:
            got = pipe(text, **parameters)
            cases.append(dict(text=text, parameters=parameters, answer=[dict(label=a, score=b) for a, b in zip(got["labels"], got["scores"])]))
    return cases


def questions(name, tokenizer, folder):
    model = made(name, "QuestionAnswering", tokenizer, folder, outputs=("start_logits", "end_logits"))
    pipe = tf.pipeline("question-answering", model=model, tokenizer=tokenizer)
    cases = []
    for context in [TEXTS[0], TEXTS[2], LONG]:
        for parameters in [{}, dict(top_k=3), dict(top_k=2, max_answer_len=3, handle_impossible_answer=True), dict(max_seq_len=40, doc_stride=10, align_to_words=False)]:
            asked = dict(question="Who is in London?", context=context)
            cases.append(dict(text=asked, parameters=parameters, answer=pipe(**asked, **parameters)))
    return cases


def masks(name, tokenizer, folder):
    model = made(name, "MaskedLM", tokenizer, folder)
    pipe = tf.pipeline("fill-mask", model=model, tokenizer=tokenizer)
    mask = tokenizer.mask_token
    cases = []
    for text, parameters in [
        (f"My {mask} is Sarah.", {}), (f"I live in {mask} and {mask}", dict(top_k=2)), (f"Zoë {mask} 12 friends", dict(targets=["live", "is", "in"])),
    ]:
        cases.append(dict(text=text, parameters=parameters, answer=pipe(text, **parameters)))
    return cases


IOB = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]

MODELS = {
    "ner": lambda folder: ner("Bert", word_piece(folder), folder, IOB),
    "zero-shot": lambda folder: zero_shot(word_piece(folder, length=64), folder),
    "question-answering": lambda folder: questions("Bert", word_piece(folder), folder),
    "question-answering-byte-level": lambda folder: questions("Roberta", byte_level(folder), folder),
    "fill-mask": lambda folder: masks("Bert", word_piece(folder), folder),
    "fill-mask-byte-level": lambda folder: masks("Roberta", byte_level(folder), folder),
    "ner-byte-level": lambda folder: ner("Roberta", byte_level(folder), folder, IOB),
}
