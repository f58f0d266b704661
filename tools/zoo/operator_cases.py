"""ONNX's own tests of its operators: graphs of a node or a few, odd in every way that a graph can be odd."""

import numpy as np
import onnx
from onnx.backend.test.case.node import collect_testcases

VARIANTS = 3


def operator_cases():
    """Triples of a zoo entry, the bytes of its model, and the feeds to run it with: the test's own, and some with its values mixed."""
    for case in collect_testcases(None):
        inputs = [value.name for value in case.model.graph.input]
        for feeds in (dict(zip(inputs, values)) for values, _ in case.data_sets[:1]):
            # Sequences and optional values have no place in a request of tensors.
            if len(feeds) == len(inputs) and all(isinstance(value, np.ndarray) for value in feeds.values()):
                name = case.name.removeprefix("test_")
                yield {"name": f"op-{name}"}, case.model.SerializeToString(), [feeds, *mixed(feeds)]


def mixed(feeds):
    random = np.random.default_rng(5)
    for _ in range(VARIANTS):
        yield {name: random.permutation(value.flatten()).reshape(value.shape) for name, value in feeds.items()}


def batch_cases():
    """The same graphs with the first axis freed and called batch, where there is one: requests are rows, some of which mix their batch.

    What a server stacks must be proven to be rows: a softmax over the first axis or a running sum looks like any other graph.
    """
    for entry, content, (feeds, *others) in operator_cases():
        model = onnx.load_from_string(content)
        first = next(iter(feeds.values()), np.zeros(()))
        rows = first.shape[0] if first.ndim > 0 else 0
        batched = [name for name, value in feeds.items() if value.ndim > 0 and value.shape[0] == rows]
        if not 2 <= rows <= 32:
            continue
        for value in model.graph.input:
            if value.name in batched:
                value.type.tensor_type.shape.dim[0].dim_param = "batch"
        for value in model.graph.output:
            dimensions = value.type.tensor_type.shape.dim
            for axis, dimension in enumerate(dimensions):
                dimension.dim_param = "batch" if axis == 0 and dimension.dim_value == rows else f"{value.name}_{axis}"
        # Sizes of what lies between would contradict the freed axis.
        del model.graph.value_info[:]
        whole = [feeds, *others]
        rows = [
            {name: value[row : row + 1] if name in batched else feeds[name] for name, value in given.items()}
            for given in whole
            for row in range(rows)
        ]
        yield {"name": entry["name"].replace("op-", "batch-", 1)}, model.SerializeToString(), rows
