"""The tiny models: each function writes a folder, and returns what transformers computes for the sound."""

import inspect
import json

import torch
import transformers as tf

DIM = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)
RAW = dict(conv_dim=[8] * 7, num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=2, attn_implementation="eager", **DIM)
RATE = 16_000


class Picked(torch.nn.Module):
    """The outputs that an export by optimum has."""

    def __init__(self, model, outputs, inputs):
        super().__init__()
        self.model = model
        self.outputs = outputs
        self.inputs = inputs

    def forward(self, *given):
        result = self.model(**dict(zip(self.inputs, given)))
        return tuple(result[name] for name in self.outputs)


def export(folder, model, given, outputs, free):
    """`free` are the free dimensions of each input: {axis: name}."""
    names = list(given)
    axes = {name: dict(free) for name in names}
    for name in outputs:
        axes[name] = {0: "batch_size"}
    if model(**given)[outputs[0]].dim() == 3:
        axes[outputs[0]][1] = "frames"
    torch.onnx.export(
        Picked(model.eval(), outputs, names).eval(),
        tuple(given.values()),
        folder / "onnx/model.onnx",
        input_names=names,
        output_names=list(outputs),
        dynamic_axes=axes,
        opset_version=17,
        dynamo=False,
    )


FREE_SOUND = {0: "batch_size", 1: "sequence_length"}


def randomise(model, scale=0.35):
    """Weights large enough for answers that differ by sound."""
    generator = torch.Generator().manual_seed(11)
    for name, parameter in model.named_parameters():
        if parameter.dim() > 1:
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * scale)
        elif "bias" in name:
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.1)
    return model.eval()


def save(folder, model, extractor):
    model.config.architectures = [type(model).__name__]
    model.config.to_json_file(folder / "config.json", use_diff=True)
    extractor.to_json_file(folder / "preprocessor_config.json")


LETTERS = {letter: index for index, letter in enumerate(["<pad>", "<s>", "</s>", "<unk>", "|", *"ETAOINHSRDLUMWCFGYPBVK'XJQZ"])}


def letters(folder):
    """The vocabulary of facebook/wav2vec2-base-960h."""
    (folder / "vocab.json").write_text(json.dumps(LETTERS))
    config = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "word_delimiter_token": "|", "do_lower_case": False}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return tf.Wav2Vec2CTCTokenizer(str(folder / "vocab.json"))


def written(model, extractor, tokenizer, samples):
    """Text, letters and words with their times, as transformers' pipeline computes them."""
    inputs = extractor(samples, sampling_rate=RATE, return_tensors="pt")
    logits = model(**inputs).logits[0]
    best = logits.log_softmax(-1).max(-1)
    decoded = tokenizer.decode(best.indices, output_char_offsets=True, output_word_offsets=True)
    second = model.config.inputs_to_logits_ratio / RATE
    words = [{"word": one["word"], "start": one["start_offset"] * second, "end": one["end_offset"] * second} for one in decoded.word_offsets]
    return {"text": decoded.text, "words": words, "tokens": best.indices.tolist(), "scores": best.values, "values": inputs["input_values"][0, ::997]}


def ctc(kind, config, folder, samples, masked):
    tokenizer = letters(folder)
    extractor = tf.Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=masked)
    model = randomise(kind(config))
    # Blanks and spaces as in speech, and no special tokens.
    model.lm_head.bias[LETTERS["<pad>"]] += 1.5
    model.lm_head.bias[LETTERS["|"]] += 2.5
    model.lm_head.bias[1:4] -= 50
    save(folder, model, extractor)
    given = dict(extractor(samples, sampling_rate=RATE, return_tensors="pt"))
    export(folder, model, given, ["logits"], FREE_SOUND)
    half = samples[: len(samples) * 5 // 8]
    return {"whole": written(model, extractor, tokenizer, samples), "part": written(model, extractor, tokenizer, half)}


def sized(**more):
    return dict(vocab_size=len(LETTERS), pad_token_id=0, **{**RAW, **more})


def wav2vec2_ctc(folder, samples):
    """Layers are normalised one by one, and padding is masked (facebook/wav2vec2-large-960h-lv60)."""
    return ctc(tf.Wav2Vec2ForCTC, tf.Wav2Vec2Config(feat_extract_norm="layer", do_stable_layer_norm=True, **sized()), folder, samples, True)


def wav2vec2_group_ctc(folder, samples):
    """The first layer is normalised over time, and there is no mask (facebook/wav2vec2-base-960h)."""
    return ctc(tf.Wav2Vec2ForCTC, tf.Wav2Vec2Config(**sized()), folder, samples, False)


def hubert_ctc(folder, samples):
    return ctc(tf.HubertForCTC, tf.HubertConfig(feat_extract_norm="layer", do_stable_layer_norm=True, **sized()), folder, samples, True)


def wavlm_ctc(folder, samples):
    return ctc(tf.WavLMForCTC, tf.WavLMConfig(num_buckets=32, max_bucket_distance=80, **sized()), folder, samples, False)


def sew_ctc(folder, samples):
    kernels = [10, 3, 1, 3, 1, 3, 1, 3, 1, 2, 1, 2, 1]
    strides = [5, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1]
    config = tf.SEWConfig(conv_kernel=kernels, conv_stride=strides, **sized(conv_dim=[8] * 13))
    return ctc(tf.SEWForCTC, config, folder, samples, False)


CLASSES = {0: "a bell", 1: "rain", 2: "a dog", 3: "a door"}


def classes(config):
    config.id2label = CLASSES
    config.label2id = {name: index for index, name in CLASSES.items()}
    return config


def ranked(logits, activation):
    scores = activation(logits[0])
    best = sorted(zip(CLASSES.values(), scores.tolist()), key=lambda one: -one[1])
    return [{"label": label, "score": score} for label, score in best]


def softmax(logits):
    return logits.softmax(-1)


def judged(folder, samples, model, extractor, free, activation=softmax):
    save(folder, model, extractor)
    given = dict(extractor(samples, sampling_rate=RATE, return_tensors="pt"))
    export(folder, model, given, ["logits"], free)
    name, values = next(iter(given.items()))
    flat = values.flatten()
    return {"input": name, "shape": list(values.shape), "values": flat[:: max(1, len(flat) // 300)], "scores": ranked(model(**given).logits, activation)}


def ast_classification(folder, samples):
    """Features shorter than the model's length are filled with zeros."""
    config = classes(tf.ASTConfig(patch_size=16, frequency_stride=16, time_stride=16, max_length=256, num_mel_bins=64, attn_implementation="eager", **DIM))
    extractor = tf.ASTFeatureExtractor(num_mel_bins=64, max_length=256)
    return judged(folder, samples, randomise(tf.ASTForAudioClassification(config)), extractor, {0: "batch_size"})


def ast_cut_classification(folder, samples):
    """Features longer than the model's length are cut off; several classes may hold."""
    config = classes(tf.ASTConfig(patch_size=16, frequency_stride=10, time_stride=10, max_length=128, attn_implementation="eager", **DIM))
    config.problem_type = "multi_label_classification"
    extractor = tf.ASTFeatureExtractor(max_length=128)
    model = randomise(tf.ASTForAudioClassification(config))
    return judged(folder, samples, model, extractor, {0: "batch_size"}, lambda logits: logits.sigmoid())


def wav2vec2_classification(folder, samples):
    config = classes(tf.Wav2Vec2Config(classifier_proj_size=16, use_weighted_layer_sum=True, **RAW))
    extractor = tf.Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=False)
    return judged(folder, samples, randomise(tf.Wav2Vec2ForSequenceClassification(config)), extractor, FREE_SOUND)


def whisper_classification(folder, samples):
    size = dict(d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32)
    config = classes(tf.WhisperConfig(classifier_proj_size=16, vocab_size=64, pad_token_id=0, bos_token_id=0, eos_token_id=0, decoder_start_token_id=0, attn_implementation="eager", **size))
    return judged(folder, samples, randomise(tf.WhisperForAudioClassification(config)), tf.WhisperFeatureExtractor(), {0: "batch_size"})


def embedded(folder, samples, model, extractor, outputs, free=FREE_SOUND):
    save(folder, model, extractor)
    given = dict(extractor(samples, sampling_rate=RATE, return_tensors="pt"))
    export(folder, model, given, outputs, free)
    result = model(**given)
    return {name: result[name][0].mean(0) if result[name].dim() == 3 else result[name][0] for name in outputs}


def hubert_model(folder, samples):
    extractor = tf.Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=True)
    model = randomise(tf.HubertModel(tf.HubertConfig(feat_extract_norm="layer", do_stable_layer_norm=True, **RAW)))
    return embedded(folder, samples, model, extractor, ["last_hidden_state"])


def wavlm_xvector(folder, samples):
    config = tf.WavLMConfig(num_buckets=32, max_bucket_distance=80, tdnn_dim=[16, 16, 24], tdnn_kernel=[5, 3, 1], tdnn_dilation=[1, 2, 1], xvector_output_dim=12, **RAW)
    model = randomise(tf.WavLMForXVector(config))
    extractor = tf.Wav2Vec2FeatureExtractor(do_normalize=False, return_attention_mask=False)
    return embedded(folder, samples, model, extractor, ["logits", "embeddings"])


LABELS = ["a bell", "rain on a roof", "a dog"]


def words(folder):
    """Words as tokens, framed as RoBERTa frames them."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    vocabulary = ["<s>", "<pad>", "</s>", "<unk>", *"this is a sound of bell rain on roof dog .".split()]
    ids = {word: index for index, word in enumerate(vocabulary)}
    made = Tokenizer(models.WordLevel(ids, unk_token="<unk>"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    made.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>"])
    made.save(str(folder / "tokenizer.json"))
    config = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "model_max_length": 16}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return tf.PreTrainedTokenizerFast(tokenizer_object=made, pad_token="<pad>", unk_token="<unk>")


def clap(folder, samples):
    """A pair of sounds and texts (laion/clap-htsat-unfused); the samples are taken as if they were at 48 kHz."""
    tokenizer = words(folder)
    text = dict(vocab_size=len(tokenizer), max_position_embeddings=20, pad_token_id=1, **DIM)
    audio = dict(spec_size=128, num_mel_bins=64, window_size=4, patch_size=4, patch_stride=[4, 4], depths=[1, 1], num_attention_heads=[2, 2], patch_embeds_hidden_size=8, hidden_size=16, projection_dim=12, num_hidden_layers=2)
    config = tf.ClapConfig(text_config=dict(projection_dim=12, **text), audio_config=audio, projection_dim=12)
    model = randomise(tf.ClapModel(config))
    model.logit_scale_a.fill_(2.1)
    extractor = tf.ClapFeatureExtractor(truncation="rand_trunc", padding="repeatpad", max_length_s=1)
    save(folder, model, extractor)
    sound = extractor(samples, sampling_rate=48_000, return_tensors="pt")
    given = dict(tokenizer([f"This is a sound of {label}." for label in LABELS], padding=True, return_tensors="pt"))
    given = {"input_ids": given["input_ids"], "attention_mask": given["attention_mask"], "input_features": sound["input_features"]}
    result = model(**given)
    free = {"input_ids": {0: "text_batch", 1: "tokens"}, "attention_mask": {0: "text_batch", 1: "tokens"}, "input_features": {0: "audio_batch"}}
    outputs = ["logits_per_audio", "logits_per_text", "text_embeds", "audio_embeds"]
    torch.onnx.export(Picked(model, outputs, list(given)).eval(), tuple(given.values()), folder / "onnx/model.onnx", input_names=list(given), output_names=outputs, dynamic_axes=free, opset_version=17, dynamo=False)
    scores = result.logits_per_audio[0].softmax(-1).tolist()
    best = sorted(zip(LABELS, scores), key=lambda one: -one[1])
    flat = sound["input_features"].flatten()
    return {
        "shape": list(sound["input_features"].shape),
        "values": flat[:: len(flat) // 300],
        "scores": [{"label": label, "score": score} for label, score in best],
        "audio": result.audio_embeds[0],
        "texts": result.text_embeds,
    }


MODELS = {name: one for name, one in globals().items() if inspect.isfunction(one) and list(inspect.signature(one).parameters) == ["folder", "samples"]}
