"""The batch example of the official client, against a server with the model `square`. Usage: openai_batch_check.py <url> <requests.jsonl>"""

import json
import sys
import time

import openai

url, requests = sys.argv[1:]
client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)

with open(requests, "rb") as file:
    uploaded = client.files.create(file=file, purpose="batch")
batch = client.batches.create(
    input_file_id=uploaded.id, endpoint="/predict/square", completion_window="24h", metadata={"for": "a test"}
)
while batch.status != "completed":
    assert batch.status in ("validating", "in_progress", "finalizing"), batch
    time.sleep(0.05)
    batch = client.batches.retrieve(batch.id)
counts = batch.request_counts
assert (counts.total, counts.completed, counts.failed) == (100, 99, 1), counts
results = [json.loads(line) for line in client.files.content(batch.output_file_id).text.splitlines()]
assert [one["custom_id"] for one in results] == [f"request-{data}" for data in range(100) if data != 7]
assert results[2]["response"]["body"] == {"result": 4}, results[2]
(error,) = [json.loads(line) for line in client.files.content(batch.error_file_id).text.splitlines()]
assert error["custom_id"] == "request-7" and error["response"]["status_code"] == 422, error
assert len(list(client.files.list(limit=1))) == 3
assert [one.id for one in client.batches.list()] == [batch.id]
assert client.files.delete(uploaded.id).deleted
try:
    client.files.retrieve(uploaded.id)
    raise AssertionError("a deleted file is there")
except openai.NotFoundError:
    pass
print("all right")
