"""The tiny models: each function writes a folder, and returns what transformers computes for the image."""

import inspect

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


MODELS = {name: one for name, one in globals().items() if inspect.isfunction(one) and list(inspect.signature(one).parameters) == ["folder", "image"]}
