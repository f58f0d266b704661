"""
Makes test/tasks/text-to-speech/vits/: a VITS model of random weights in the hub's layout without noise, and what transformers makes of texts with it.

    python3 -m venv venv && venv/bin/pip install torch==2.15.0 transformers==5.24.0 onnx onnxruntime
    venv/bin/python tools/speech-reference/make.py

Noise enters the graph by RandomNormalLike: once for durations, times noise_scale_duration, once for the sound, times noise_scale. Both are 0 here, so that the
waveform is always the same; the nodes stay in the graph.
"""

import json
import pathlib
import shutil

import onnx
import onnxruntime
import torch
from transformers import VitsConfig, VitsModel, VitsTokenizer

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "test/tasks/text-to-speech/vits"
LETTERS = [*"_ '-abcdefghijklmnopqrstuvwxyz", "<unk>"]
TEXTS = ["Hello there!", "It's a well-known fact: 3 of 5.", "ÀB, c", "  x  "]


class Exported(torch.nn.Module):
    """Inputs and outputs as optimum exports them."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask):
        output = self.model(input_ids=input_ids, attention_mask=attention_mask, return_dict=True)
        return output.waveform, output.spectrogram


def make_model(letters):
    torch.manual_seed(5)
    config = VitsConfig(
        vocab_size=letters, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, window_size=2, ffn_dim=16, flow_size=16, spectrogram_bins=17,
        duration_predictor_flow_bins=4, duration_predictor_filter_channels=16, prior_encoder_num_flows=2, prior_encoder_num_wavenet_layers=1,
        posterior_encoder_num_wavenet_layers=1, depth_separable_num_layers=2, duration_predictor_num_flows=2, wavenet_dilation_rate=1,
        upsample_initial_channel=16, upsample_rates=[8, 8], upsample_kernel_sizes=[16, 16], resblock_kernel_sizes=[3], resblock_dilation_sizes=[[1, 3]],
        noise_scale=0.0, noise_scale_duration=0.0, sampling_rate=16000, use_stochastic_duration_prediction=True,
    )
    return VitsModel(config).eval()


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    (FOLDER / "onnx").mkdir(parents=True)
    (FOLDER / "vocab.json").write_text(json.dumps({letter: index for index, letter in enumerate(LETTERS)}, ensure_ascii=False) + "\n")
    tokenizer = VitsTokenizer(str(FOLDER / "vocab.json"), pad_token=LETTERS[0], unk_token=LETTERS[-1], phonemize=False, language="eng", is_uroman=False)
    settings = dict(add_blank=True, normalize=True, phonemize=False, is_uroman=False, language="eng", pad_token=LETTERS[0], unk_token=LETTERS[-1], tokenizer_class="VitsTokenizer")
    (FOLDER / "tokenizer_config.json").write_text(json.dumps(settings, indent=1) + "\n")
    model = make_model(len(LETTERS))
    config = model.config.to_dict()
    config["architectures"] = ["VitsModel"]
    (FOLDER / "config.json").write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")
    example = tokenizer(TEXTS[0], return_tensors="pt")
    file = FOLDER / "onnx/model.onnx"
    torch.onnx.export(
        Exported(model), (example["input_ids"], example["attention_mask"]), str(file), dynamo=False, opset_version=17,
        input_names=["input_ids", "attention_mask"], output_names=["waveform", "spectrogram"],
        dynamic_axes={"input_ids": {0: "text_batch_size", 1: "sequence_length"}, "attention_mask": {0: "text_batch_size", 1: "sequence_length"},
                      "waveform": {0: "text_batch_size", 1: "n_samples"}, "spectrogram": {0: "text_batch_size", 2: "num_bins"}},
    )
    # The export leaves a model that speaks otherwise.
    model = make_model(len(LETTERS))
    session = onnxruntime.InferenceSession(str(file))
    cases = []
    for text in TEXTS:
        inputs = tokenizer(text, return_tensors="pt")
        with torch.no_grad():
            waveform = model(**inputs).waveform[0].numpy()
        given = session.run(["waveform"], {name: value.numpy() for name, value in inputs.items()})[0][0]
        assert abs(waveform - given).max() < 1e-4, abs(waveform - given).max()
        cases.append({"text": text, "ids": inputs["input_ids"][0].tolist(), "samples": len(waveform), "waveform": [round(float(one), 6) for one in waveform[::16]]})
    (FOLDER / "reference.json").write_text("[\n" + ",\n".join(json.dumps(one, ensure_ascii=False, separators=(",", ":")) for one in cases) + "\n]\n")
    random = [node.op_type for node in onnx.load(str(file)).graph.node if node.op_type.startswith("Random")]
    print(random, sum(one.stat().st_size for one in FOLDER.rglob("*") if one.is_file()))


if __name__ == "__main__":
    main()
