"""A model behind mosec (https://github.com/mosecorg/mosec), to be put beside the server by `bench/limit`.

    pip install mosec==0.9.8 msgpack==1.2.4 onnxruntime==1.30.0

MODEL_FILE: the model. FORMAT: `msgpack` (raw bytes of each input) or `json` (the body of an OIP request).
BODY_FILE: with msgpack, where to write a request of random numbers. WORKERS: processes, 2. mosec reads its own flags, as `--port`.
"""

import os

import msgpack
import numpy as np
import onnxruntime
from mosec import Server, Worker
from mosec.mixin import MsgpackMixin

MAX_BATCH = 64
MAX_WAIT_MS = 1
DTYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64}


def open_session():
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(os.environ["MODEL_FILE"], options, providers=["CPUExecutionProvider"])


class JsonWorker(Worker):
    """Takes and gives the JSON of an OIP request with one input whose first axis is the batch."""

    def __init__(self):
        super().__init__()
        self.session = open_session()
        self.input = self.session.get_inputs()[0]
        self.outputs = [output.name for output in self.session.get_outputs()]

    def run(self, rows):
        return self.session.run(None, {self.input.name: np.stack(rows)})

    def row(self, request):
        tensor = request["inputs"][0]
        return np.array(tensor["data"], DTYPES[self.input.type]).reshape(tensor["shape"][1:])

    def reply(self, values):
        return [
            {"name": name, "datatype": "FP32", "shape": [1, *value.shape], "data": value.ravel().tolist()}
            for name, value in zip(self.outputs, values)
        ]

    def forward(self, requests):
        results = self.run([self.row(request) for request in requests])
        return [{"outputs": self.reply([result[index] for result in results])} for index in range(len(requests))]


class MsgpackWorker(MsgpackMixin, JsonWorker):
    """The same with raw bytes."""

    def row(self, request):
        return np.frombuffer(request["x"], DTYPES[self.input.type]).reshape(request["shape"])

    def reply(self, values):
        return [value.tobytes() for value in values]


def write_body(path):
    first = open_session().get_inputs()[0]
    shape = first.shape[1:]
    values = np.random.default_rng(2).uniform(-1, 1, shape).astype(DTYPES[first.type])
    with open(path, "wb") as file:
        file.write(msgpack.packb({"x": values.tobytes(), "shape": shape}))


if __name__ == "__main__":
    if "BODY_FILE" in os.environ:
        write_body(os.environ["BODY_FILE"])
    worker = MsgpackWorker if os.environ.get("FORMAT", "msgpack") == "msgpack" else JsonWorker
    server = Server()
    server.append_worker(
        worker, num=int(os.environ.get("WORKERS", "2")), max_batch_size=MAX_BATCH, max_wait_time=MAX_WAIT_MS
    )
    server.run()
