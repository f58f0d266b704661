"""Drives a server of tools/make-triton-repository.ts with the real tritonclient; called by tritonclient.test.ts with the server's address."""

import json
import sys

import numpy as np
import tritonclient.http as http
from tritonclient.utils import InferenceServerException

address = sys.argv[1]


def tensor(name, values, dtype, datatype):
    array = np.array(values, dtype=dtype)
    return http.InferInput(name, list(array.shape), datatype).set_data_from_numpy(array)


def check_models(client):
    ready = {(entry["name"], entry["version"]) for entry in client.get_model_repository_index() if entry["state"] == "READY"}
    assert ready == {("batched", "1"), ("labels", "1"), ("reshaped", "1"), ("unbatched", "1"), ("versions", "1"), ("versions", "3")}
    assert client.get_model_metadata("versions")["versions"] == ["1", "3"]
    config = client.get_model_config("reshaped")
    assert (config["max_batch_size"], config["input"][0]["dims"]) == (8, [4])
    assert client.get_model_config("unbatched")["max_batch_size"] == 0


def check_answers(client):
    x = [[1, 2, 3, 4]] * 8
    pending = [client.async_infer("batched", [tensor("x", x, np.float32, "FP32")]) for _ in range(16)]
    assert all(np.array_equal(one.get_result().as_numpy("y"), np.array(x) * 2) for one in pending)
    statistics = client.get_inference_statistics("batched")["model_stats"][0]
    assert statistics["inference_stats"]["success"]["count"] == 16 and statistics["inference_count"] == 128
    for version, factor in (("", 3), ("1", 1), ("3", 3)):
        result = client.infer("versions", [tensor("x", x, np.float32, "FP32")], model_version=version)
        assert np.array_equal(result.as_numpy("y"), np.array(x) * factor)
    ones = [tensor(name, [5] * 16, np.int32, "INT32") for name in ("INPUT0", "INPUT1")]
    result = client.infer("unbatched", ones)
    assert result.as_numpy("OUTPUT0").tolist() == [10] * 16 and result.as_numpy("OUTPUT1").tolist() == [0] * 16
    result = client.infer("reshaped", [tensor("ids", [[1, 2, 3, 4]], np.int64, "INT64")])
    assert result.as_numpy("determinant").tolist() == [[-20.0]]


def check_classes(client):
    outputs = [http.InferRequestedOutput("probabilities", class_count=3)]
    result = client.infer("labels", [tensor("scores", [[0, 2, 1]], np.float32, "FP32")], outputs=outputs)
    assert [one.decode().split(":")[2] for one in result.as_numpy("probabilities")[0]] == ["dog", "bird", "cat"]


def refusal(call):
    try:
        call()
    except InferenceServerException as error:
        return str(error)
    raise AssertionError("it was not refused")


def check_refusals(client):
    assert "shared memory is not supported" in refusal(lambda: client.register_system_shared_memory("a", "/a", 64))
    assert "shared memory is not supported" in refusal(client.get_cuda_shared_memory_status)
    assert "LOG_LEVEL" in refusal(client.get_log_settings)
    assert "trace" in refusal(client.get_trace_settings)
    shared = http.InferInput("x", [1, 4], "FP32")
    shared.set_shared_memory("a", 16)
    assert "shared memory is not supported" in refusal(lambda: client.infer("batched", [shared]))


def check_management(client):
    client.load_model("batched", config=json.dumps({**client.get_model_config("batched"), "max_batch_size": 2}))
    assert client.get_model_config("batched")["max_batch_size"] == 2
    client.unload_model("batched")
    assert not client.is_model_ready("batched")
    client.load_model("batched")
    assert client.get_model_config("batched")["max_batch_size"] == 8


with http.InferenceServerClient(address, concurrency=8) as main_client:
    for check in (check_models, check_answers, check_classes, check_refusals, check_management):
        check(main_client)
print("all right")
