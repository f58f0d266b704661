"""Drives a running server with the real tritonclient; called by tritonclient.test.ts with the server's address. Any difference ends it with a traceback."""

import asyncio
import sys

import numpy as np
import tritonclient.http as http
import tritonclient.http.aio as aio
from tritonclient.utils import InferenceServerException

address = sys.argv[1]


def fp64_input(values, binary=True):
    tensor = http.InferInput("x", [len(values)], "FP64")
    tensor.set_data_from_numpy(np.array(values, dtype=np.float64), binary_data=binary)
    return tensor


def check_server(client):
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("square") and client.is_model_ready("square", "1")
    assert client.get_server_metadata()["name"] == "carpool"
    assert client.get_model_metadata("square")["inputs"][0]["datatype"] == "FP64"
    assert client.get_model_config("language-id")["input"][0]["dims"] == [620]
    assert {"square", "language-id", "voice-activity"} <= {entry["name"] for entry in client.get_model_repository_index()}


def check_infer(client):
    for binary_in in (True, False):
        for outputs in (None, [http.InferRequestedOutput("y", binary_data=True)], [http.InferRequestedOutput("y", binary_data=False)]):
            result = client.infer("square", [fp64_input([1.5, -2.0, 0.1], binary_in)], outputs=outputs, request_id="r1")
            assert np.array_equal(result.as_numpy("y"), np.array([1.5, -2.0, 0.1]) ** 2)
            assert result.get_response()["id"] == "r1"
    for coding in ("gzip", "deflate"):
        many = [float(value) for value in range(60)]
        result = client.infer(
            "square", [fp64_input(many)], request_compression_algorithm=coding, response_compression_algorithm=coding
        )
        assert np.array_equal(result.as_numpy("y"), np.array(many) ** 2)
    result = client.infer("square", [fp64_input([3.0])], priority=1, timeout=5_000_000)
    assert result.as_numpy("y")[0] == 9
    pending = [client.async_infer("square", [fp64_input([float(value)])]) for value in range(20)]
    assert [one.get_result().as_numpy("y")[0] for one in pending] == [value**2 for value in range(20)]


def check_classification(client):
    ngrams = http.InferInput("ngrams", [2, 620], "FP32")
    ngrams.set_data_from_numpy(np.full((2, 620), 0.001, dtype=np.float32))
    result = client.infer("language-id", [ngrams], outputs=[http.InferRequestedOutput("probs", class_count=2)])
    classes = result.as_numpy("probs")
    assert classes.shape == (2, 2)
    value, index, label = classes[0][0].decode().split(":")
    assert 0 < float(value) <= 1 and int(index) < 50 and len(label) == 3


def check_stateful(client):
    state = np.zeros((2, 1, 128), dtype=np.float32)
    for _ in range(3):
        sound = http.InferInput("input", [1, 576], "FP32")
        sound.set_data_from_numpy(np.sin(np.arange(576, dtype=np.float32) / 9).reshape(1, 576) / 3)
        before = http.InferInput("state", [2, 1, 128], "FP32")
        before.set_data_from_numpy(state)
        rate = http.InferInput("sr", [], "INT64")
        rate.set_data_from_numpy(np.array(16000, dtype=np.int64))
        result = client.infer("voice-activity", [sound, before, rate])
        assert 0 <= result.as_numpy("output")[0][0] <= 1
        after = result.as_numpy("stateN")
        assert after.shape == (2, 1, 128) and not np.array_equal(after, state)
        state = after


def check_errors(client):
    for model, inputs, status in (
        ("nope", [fp64_input([1.0])], "404"),
        ("square", [http.InferInput("x", [1], "FP32").set_data_from_numpy(np.ones(1, dtype=np.float32))], "422"),
    ):
        try:
            client.infer(model, inputs)
        except InferenceServerException as error:
            assert error.status() == status, error
            assert error.message()
        else:
            raise AssertionError(f"{model} was not refused")


def check_management(client):
    client.unload_model("square")
    assert not client.is_model_ready("square")
    client.load_model("square", config='{"batching": {"maxItems": 7}}')
    assert client.get_model_config("square")["max_batch_size"] == 7
    statistics = client.get_inference_statistics("language-id")["model_stats"][0]
    assert statistics["inference_stats"]["success"]["count"] >= 1


async def check_asyncio():
    async with aio.InferenceServerClient(address) as client:
        tensor = aio.InferInput("x", [2], "FP64")
        tensor.set_data_from_numpy(np.array([2.0, 5.0]))
        result = await client.infer("square", [tensor])
        assert np.array_equal(result.as_numpy("y"), np.array([4.0, 25.0]))
        assert (await client.get_model_metadata("square"))["name"] == "square"


with http.InferenceServerClient(address, concurrency=8) as main_client:
    for check in (check_server, check_infer, check_classification, check_stateful, check_errors, check_management):
        check(main_client)
asyncio.run(check_asyncio())
print("all right")
