"""Gives the values of an ONNX file short names: those of exports, paths of Python modules, take more room than tiny weights."""

import onnx


def shrink(file):
    model = onnx.load(file)
    graph = model.graph
    kept = {value.name for value in [*graph.input, *graph.output]}
    short = {}

    def name_of(name):
        return name if name == "" or name in kept else short.setdefault(name, f"v{len(short)}")

    if any(attribute.HasField("g") for node in graph.node for attribute in node.attribute):
        return
    for constant in graph.initializer:
        constant.name = name_of(constant.name)
    for node in graph.node:
        node.name = ""
        node.doc_string = ""
        node.input[:] = [name_of(name) for name in node.input]
        node.output[:] = [name_of(name) for name in node.output]
    del graph.value_info[:]
    del model.metadata_props[:]
    onnx.checker.check_model(model)
    onnx.save(model, file)
