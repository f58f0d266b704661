"""The tiny models: each function writes a folder, and returns what transformers computes for the image."""

import inspect
import json

import torch
import transformers as tf

DIM = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)


class Picked(torch.nn.Module):
    """The outputs that an export by optimum has."""

    def __init__(self, model, outputs, inputs=("pixel_values",)):
        super().__init__()
        self.model = model
        self.outputs = outputs
        self.inputs = inputs

    def forward(self, *given):
        result = self.model(**dict(zip(self.inputs, given)))
        return tuple(result[name] for name in self.outputs)


def export(folder, model, given, outputs, file="model", free=("batch_size",)):
    """`free` are names of free dimensions, by input: {name: {axis: dimension}}."""
    names = list(given)
    picked = Picked(model.eval(), outputs, names).eval()
    axes = {name: dict(free[name]) for name in names if name in free} if isinstance(free, dict) else {}
    for name in names:
        axes.setdefault(name, {0: "batch_size"})
    for name in outputs:
        axes.setdefault(name, {0: next(iter(axes.values()))[0]})
    torch.onnx.export(
        picked,
        tuple(given.values()),
        folder / f"onnx/{file}.onnx",
        input_names=names,
        output_names=list(outputs),
        dynamic_axes=axes,
        opset_version=17,
        dynamo=False,
    )


def randomise(model, scale=0.35):
    """Weights large enough for answers that differ by image."""
    generator = torch.Generator().manual_seed(11)
    for name, parameter in model.named_parameters():
        if parameter.dim() > 1:
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * scale)
        elif "bias" in name:
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.1)
    for name, buffer in model.named_buffers():
        if name.endswith("running_var"):
            buffer.copy_(torch.rand(buffer.shape, generator=generator) + 0.5)
        if name.endswith("running_mean"):
            buffer.copy_(torch.randn(buffer.shape, generator=generator) * 0.2)
    return model.eval()


def save(folder, model, processor):
    model.config.architectures = [type(model).__name__]
    model.config.to_json_file(folder / "config.json", use_diff=True)
    processor.to_json_file(folder / "preprocessor_config.json")


def vit(folder, image):
    config = tf.ViTConfig(image_size=32, patch_size=8, **DIM)
    model = randomise(tf.ViTModel(config))
    processor = tf.ViTImageProcessorPil(size={"height": 32, "width": 32})
    save(folder, model, processor)
    inputs = processor(image, return_tensors="pt")
    export(folder, model, dict(inputs), ["last_hidden_state", "pooler_output"])
    result = model(**inputs)
    return {
        "pixels": inputs["pixel_values"][0, :, ::9, ::9],
        "pooler_output": result.pooler_output[0],
        "cls": result.last_hidden_state[0, 0],
        "mean": result.last_hidden_state[0].mean(0),
    }


def dinov2(folder, image):
    config = tf.Dinov2Config(image_size=28, patch_size=14, mlp_ratio=2, hidden_size=16, num_hidden_layers=1, num_attention_heads=2)
    model = randomise(tf.Dinov2Model(config))
    processor = tf.BitImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 28, "width": 28}, resample=3, do_center_crop=True)
    save(folder, model, processor)
    inputs = processor(image, return_tensors="pt")
    export(folder, model, dict(inputs), ["last_hidden_state"])
    result = model(**inputs)
    return {"cls": result.last_hidden_state[0, 0], "mean": result.last_hidden_state[0].mean(0)}


def resnet(folder, image):
    config = tf.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
    model = randomise(tf.ResNetModel(config))
    processor = tf.ConvNextImageProcessorPil(size={"shortest_edge": 64}, crop_pct=0.875, resample=3)
    save(folder, model, processor)
    inputs = processor(image, return_tensors="pt")
    export(folder, model, dict(inputs), ["last_hidden_state"])
    return {"mean": model(**inputs).last_hidden_state[0].mean((1, 2))}


LABELS = ["a yellow disc", "a blue box", "two cats on a sofa", "night"]


def tokenizer(folder, pad, end_only=False):
    """Words as tokens, framed as CLIP frames them, or with an end alone as SigLIP does."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    words = "this is a photo of yellow disc blue box two cats on sofa night .".split()
    vocabulary = {word: index for index, word in enumerate(["<pad>", "<unk>", "<start>", *words, "<end>"])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    frame = "$A <end>" if end_only else "<start> $A <end>"
    special = [(word, vocabulary[word]) for word in ("<start>", "<end>")]
    made.post_processor = processors.TemplateProcessing(single=frame, special_tokens=special)
    made.add_special_tokens(["<pad>", "<unk>", "<start>", "<end>"])
    made.save(str(folder / "tokenizer.json"))
    config = {"pad_token": pad, "eos_token": "<end>", "unk_token": "<unk>", "model_max_length": 16}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return tf.PreTrainedTokenizerFast(tokenizer_object=made, **{name: one for name, one in config.items() if name != "model_max_length"})


PAIR_FREE = {
    "input_ids": {0: "text_batch_size", 1: "sequence_length"},
    "attention_mask": {0: "text_batch_size", 1: "sequence_length"},
    "pixel_values": {0: "image_batch_size"},
}


def pair(folder, image, model, processor, words, activation, **padding):
    """The expected scores and vectors of a model of pairs."""
    texts = [f"This is a photo of {label}." for label in LABELS]
    given = {**words(texts, return_tensors="pt", **padding), **processor(image, return_tensors="pt")}
    given = {name: given[name] for name in inspect.signature(model.forward).parameters if name in given}
    result = model(**given)
    scores = activation(result.logits_per_image[0])
    best = sorted(zip(LABELS, scores.tolist()), key=lambda one: -one[1])
    return given, {
        "scores": [{"label": label, "score": score} for label, score in best],
        "image": result.image_embeds[0],
        "texts": result.text_embeds,
    }


def clip(folder, image):
    """One graph of both, as optimum exports CLIPModel."""
    words = tokenizer(folder, "<end>")
    text = dict(vocab_size=len(words), max_position_embeddings=16, eos_token_id=words.eos_token_id, pad_token_id=words.pad_token_id, **DIM)
    config = tf.CLIPConfig(text_config=text, vision_config=dict(image_size=32, patch_size=8, **DIM), projection_dim=12)
    model = randomise(tf.CLIPModel(config))
    model.logit_scale.fill_(2.3)
    processor = tf.CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    save(folder, model, processor)
    given, expected = pair(folder, image, model, processor, words, lambda logits: logits.softmax(0), padding=True)
    export(folder, model, given, ["logits_per_image", "logits_per_text", "text_embeds", "image_embeds"], free=PAIR_FREE)
    return expected


def clip_split(folder, image):
    """A graph for each, as transformers.js has them."""
    words = tokenizer(folder, "<end>")
    text = dict(vocab_size=len(words), max_position_embeddings=16, eos_token_id=words.eos_token_id, pad_token_id=words.pad_token_id, **DIM)
    config = tf.CLIPConfig(text_config=text, vision_config=dict(image_size=32, patch_size=8, **DIM), projection_dim=12)
    model = randomise(tf.CLIPModel(config))
    model.logit_scale.fill_(4.60517)
    processor = tf.CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    save(folder, model, processor)
    given, expected = pair(folder, image, model, processor, words, lambda logits: logits.softmax(0), padding=True)
    model.config.vision_config.projection_dim = model.config.text_config.projection_dim = 12
    seeing = tf.CLIPVisionModelWithProjection(model.config.vision_config)
    reading = tf.CLIPTextModelWithProjection(model.config.text_config)
    seeing.load_state_dict(model.state_dict(), strict=False)
    reading.load_state_dict(model.state_dict(), strict=False)
    export(folder, seeing, {"pixel_values": given["pixel_values"]}, ["image_embeds"], "vision_model")
    ids = {"input_ids": given["input_ids"]}
    export(folder, reading, ids, ["text_embeds"], "text_model", {"input_ids": {0: "batch_size", 1: "sequence_length"}})
    return expected


def siglip(folder, image):
    words = tokenizer(folder, "<end>", end_only=True)
    text = dict(vocab_size=len(words), max_position_embeddings=16, pad_token_id=words.pad_token_id, projection_size=16, **DIM)
    config = tf.SiglipConfig(text_config=text, vision_config=dict(image_size=32, patch_size=8, **DIM))
    model = randomise(tf.SiglipModel(config))
    model.logit_scale.fill_(1.6)
    model.logit_bias.fill_(-1.5)
    processor = tf.SiglipImageProcessorPil(size={"height": 32, "width": 32})
    save(folder, model, processor)
    # SigLIP reads its padding: its processor gives no mask.
    padding = dict(padding="max_length", max_length=16, return_attention_mask=False)
    given, expected = pair(folder, image, model, processor, words, lambda logits: logits.sigmoid(), **padding)
    given = {"input_ids": given["input_ids"], "pixel_values": given["pixel_values"]}
    export(folder, model, given, ["logits_per_image", "logits_per_text", "text_embeds", "image_embeds"], free=PAIR_FREE)
    return expected


def boxes(model, processor, image, inputs, threshold):
    found = processor.post_process_object_detection(model(**inputs), threshold, [(image.height, image.width)])[0]
    return [
        {"score": score, "label": model.config.id2label[label], "box": box}
        for score, label, box in zip(found["scores"].tolist(), found["labels"].tolist(), found["boxes"].tolist())
    ]


CLASSES = {0: "disc", 1: "box", 2: "sky"}


def yolos(folder, image):
    config = tf.YolosConfig(image_size=[64, 96], patch_size=16, num_detection_tokens=6, id2label=CLASSES, **DIM)
    config.label2id = {name: index for index, name in CLASSES.items()}
    model = randomise(tf.YolosForObjectDetection(config))
    processor = tf.YolosImageProcessorPil(size={"shortest_edge": 64, "longest_edge": 96})
    save(folder, model, processor)
    inputs = processor(image, return_tensors="pt")
    free = {"pixel_values": {0: "batch_size", 2: "height", 3: "width"}}
    export(folder, model, {"pixel_values": inputs["pixel_values"]}, ["logits", "pred_boxes"], free=free)
    return {"size": list(inputs["pixel_values"].shape[2:]), "boxes": boxes(model, processor, image, {"pixel_values": inputs["pixel_values"]}, 0.3)}


def detr(folder, image):
    backbone = tf.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", out_features=["stage2"])
    config = tf.DetrConfig(use_timm_backbone=False, backbone=None, backbone_config=backbone, d_model=16, encoder_layers=1, decoder_layers=1,
                           encoder_ffn_dim=32, decoder_ffn_dim=32, encoder_attention_heads=2, decoder_attention_heads=2, num_queries=6, id2label=CLASSES)
    model = randomise(tf.DetrForObjectDetection(config))
    processor = tf.DetrImageProcessorPil(size={"shortest_edge": 64, "longest_edge": 96})
    save(folder, model, processor)
    inputs = processor(image, return_tensors="pt")
    free = {"pixel_values": {0: "batch_size", 2: "height", 3: "width"}, "pixel_mask": {0: "batch_size", 1: "height", 2: "width"}}
    given = {name: inputs[name] for name in ("pixel_values", "pixel_mask")}
    export(folder, model, given, ["logits", "pred_boxes"], free=free)
    return {"boxes": boxes(model, processor, image, given, 0.3)}


def segformer(folder, image):
    config = tf.SegformerConfig(num_encoder_blocks=2, depths=[1, 1], sr_ratios=[2, 1], hidden_sizes=[8, 16], patch_sizes=[7, 3], strides=[4, 2],
                                num_attention_heads=[1, 2], mlp_ratios=[2, 2], decoder_hidden_size=16, id2label=CLASSES)
    model = randomise(tf.SegformerForSemanticSegmentation(config))
    processor = tf.SegformerImageProcessorPil(size={"height": 64, "width": 64})
    save(folder, model, processor)
    inputs = processor(image, return_tensors="pt")
    export(folder, model, dict(inputs), ["logits"])
    result = model(**inputs)
    classes = processor.post_process_semantic_segmentation(result, [(image.height, image.width)])[0]
    return {"classes": ["".join(map(str, row)) for row in classes.tolist()]}


def depth_anything(folder, image):
    backbone = tf.Dinov2Config(image_size=56, patch_size=14, mlp_ratio=2, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
                               out_features=["stage1", "stage2"], apply_layernorm=True, reshape_hidden_states=False)
    config = tf.DepthAnythingConfig(backbone_config=backbone, reassemble_hidden_size=16, reassemble_factors=[2, 1], neck_hidden_sizes=[8, 8],
                                    fusion_hidden_size=8, head_hidden_size=8, patch_size=14)
    model = randomise(tf.DepthAnythingForDepthEstimation(config))
    processor = tf.DPTImageProcessorPil(size={"height": 56, "width": 56}, ensure_multiple_of=14, keep_aspect_ratio=True, do_pad=False)
    save(folder, model, processor)
    inputs = processor(image, return_tensors="pt")
    free = {"pixel_values": {0: "batch_size", 2: "height", 3: "width"}}
    export(folder, model, dict(inputs), ["predicted_depth"], free=free)
    result = model(**inputs)
    depth = processor.post_process_depth_estimation(result, [(image.height, image.width)])[0]["predicted_depth"]
    return {"size": list(inputs["pixel_values"].shape[2:]), "depth": depth[::8, ::8]}


MODELS = {name: one for name, one in globals().items() if inspect.isfunction(one) and list(inspect.signature(one).parameters) == ["folder", "image"]}
