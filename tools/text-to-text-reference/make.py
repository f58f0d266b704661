"""Makes test/tasks/text-to-text/reference/: tiny encoder-decoder models of random weights in the hub's layout, and what transformers writes with each.

    python3 -m venv venv
    venv/bin/pip install torch==2.15.0 transformers==4.57.6 optimum-onnx==0.1.0 onnx onnxruntime sentencepiece==0.2.3
    venv/bin/python tools/text-to-text-reference/make.py [name ...]

The texts mean nothing. Random weights are large and the end token is made likely, so that texts differ and end.
"""

import json
import pathlib
import shutil
import sys
import tempfile

import onnx
import torch
from optimum.exporters.onnx import onnx_export_from_model

import families

OUT = pathlib.Path(__file__).resolve().parents[2] / "test/tasks/text-to-text/reference"
GRAPHS = {
    True: ["encoder_model.onnx", "decoder_model_merged.onnx"],
    False: ["encoder_model.onnx", "decoder_model.onnx", "decoder_with_past_model.onnx"],
}


def graphs_of(graph):
    """A graph and those of its branches."""
    inner = [one.g for node in graph.node for one in node.attribute if one.type == onnx.AttributeProto.GRAPH]
    return [graph, *(further for one in inner for further in graphs_of(one))]


def slim(source, target):
    """Takes out what the exporter says of where each node comes from, and gives inner values short names."""
    model = onnx.load(source)
    kept = {one.name for one in [*model.graph.input, *model.graph.output]} | {""}
    short = {}

    def renamed(name):
        return name if name in kept else short.setdefault(name, f"v{len(short)}")

    for graph in graphs_of(model.graph):
        for node in graph.node:
            node.ClearField("doc_string")
            node.ClearField("name")
            del node.metadata_props[:]
            node.input[:] = [renamed(name) for name in node.input]
            node.output[:] = [renamed(name) for name in node.output]
        for value in [*graph.initializer, *graph.input, *graph.output]:
            value.name = renamed(value.name)
        del graph.value_info[:], graph.metadata_props[:]
    del model.metadata_props[:]
    onnx.checker.check_model(model)
    onnx.save(model, target)


def export(model, folder, merged):
    with tempfile.TemporaryDirectory() as scratch:
        onnx_export_from_model(model, scratch, task="text2text-generation-with-past", do_validation=False, no_post_process=not merged, monolith=False, opset=14)
        (folder / "onnx").mkdir()
        for name in GRAPHS[merged]:
            slim(f"{scratch}/{name}", folder / "onnx" / name)


def answer(model, family, text, parameters):
    inputs, forced = family.encode(text, parameters)
    rest = {name: value for name, value in parameters.items() if name not in ("src_lang", "tgt_lang")}
    with torch.no_grad():
        (ids,) = model.generate(**inputs, **forced, **rest).tolist()
    started = 1
    ids = ids[started:]
    return {"tokens": ids, "text": family.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)}


def main():
    for name in sys.argv[1:] or list(families.FAMILIES):
        folder = OUT / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        family = families.FAMILIES[name](folder)
        model = family.model.eval()
        model.config.architectures = [type(model).__name__]
        model.config.save_pretrained(folder)
        model.generation_config.save_pretrained(folder)
        cases = [
            {"source": text, "parameters": parameters, **answer(model, family, text, parameters)}
            for parameters in family.parameters
            for text in family.texts
        ]
        lines = ",\n".join(json.dumps(one, ensure_ascii=False, separators=(",", ":")) for one in cases)
        (OUT / f"{name}.json").write_text(f"[\n{lines}\n]\n")
        # Last, because the exporter changes the model.
        export(model, folder, family.merged)
        lengths = sorted({len(one["tokens"]) for one in cases})
        print(name, sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()), len(cases), lengths)


if __name__ == "__main__":
    main()
