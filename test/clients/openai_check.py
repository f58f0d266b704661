"""Drives a running server with the official openai client; called by openai.test.ts with the server's address, its models and a folder of samples. Any difference ends it with a traceback."""

import base64
import math
import struct
import sys
import time

import openai

address, folder, *models = sys.argv[1:]
client = openai.OpenAI(base_url=f"http://{address}/v1", api_key="none", max_retries=0, timeout=120)


def refused(kind, call, **expected):
    try:
        call()
    except kind as error:
        for name, value in expected.items():
            assert getattr(error, name) == value, (name, getattr(error, name), value)
        assert error.request_id and len(error.message) > 10
    else:
        raise AssertionError(f"{kind.__name__} was expected")


def check_models():
    assert {model.id for model in client.models.list()} == set(models)
    assert client.models.retrieve(models[0]).id == models[0]
    refused(openai.NotFoundError, lambda: client.models.retrieve("nope"), code="model_not_found")


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


def check_embeddings():
    model = "sentence-embedding"
    texts = ["A man is playing a guitar.", "", "Someone plays the guitar.", "Überraschung 😀", "The stock market fell."]
    answer = client.embeddings.create(model=model, input=texts)
    assert [one.index for one in answer.data] == list(range(len(texts))) and answer.model == model
    vectors = [one.embedding for one in answer.data]
    assert all(len(vector) == 384 and abs(cosine(vector, vector) - 1) < 1e-6 for vector in vectors)
    assert cosine(vectors[0], vectors[2]) > 0.5 > 0.3 > cosine(vectors[0], vectors[4])
    assert answer.usage.prompt_tokens == answer.usage.total_tokens > len(texts)
    numbers = client.embeddings.create(model=model, input=texts, encoding_format="float")
    for one, vector in zip(numbers.data, vectors):
        assert struct.pack("<384f", *one.embedding) == struct.pack("<384f", *vector)
    named = client.embeddings.create(model=f"someone/{model}", input=texts[0])
    assert cosine(named.data[0].embedding, vectors[0]) > 0.9999
    # Those of another tokenizer would be taken for other words.
    ids = [101, 1037, 2158, 2003, 2652, 1037, 2858, 1012, 102]
    refused(openai.BadRequestError, lambda: client.embeddings.create(model=model, input=ids))
    assert len(client.embeddings.create(model=model, input="hi", dimensions=8, user="me").data[0].embedding) == 8
    many = client.embeddings.create(model=model, input=[f"number {index}" for index in range(100)])
    alone = client.embeddings.create(model=model, input="number 77")
    assert cosine(many.data[77].embedding, alone.data[0].embedding) > 0.9999
    refused(openai.NotFoundError, lambda: client.embeddings.create(model="nope", input="a"), code="model_not_found")
    refused(openai.BadRequestError, lambda: client.embeddings.create(model=model, input=[]), param="input")
    refused(openai.BadRequestError, lambda: client.embeddings.create(model=model, input=["a", [10**7]]))


QUESTION = [{"role": "user", "content": "What is the capital of France?"}]


def check_chat():
    model = "chat"
    answer = client.chat.completions.create(model=model, messages=QUESTION, temperature=0, max_tokens=48)
    choice = answer.choices[0]
    assert choice.message.content == "The capital of France is Paris." and choice.finish_reason == "stop"
    assert choice.message.role == "assistant" and answer.usage.prompt_tokens == 37
    assert answer.id.startswith("chatcmpl-") and abs(answer.created - time.time()) < 600
    parts = [{"role": "user", "content": [{"type": "text", "text": QUESTION[0]["content"]}]}]
    short = client.chat.completions.create(model=model, messages=parts, temperature=0, max_completion_tokens=3, logprobs=True, top_logprobs=2)
    assert short.choices[0].finish_reason == "length" and short.usage.completion_tokens == 3
    told = short.choices[0].logprobs.content
    assert "".join(one.token for one in told) == short.choices[0].message.content
    assert all(len(one.top_logprobs) == 2 and one.top_logprobs[0].logprob <= 0 for one in told)
    stopped = client.chat.completions.create(model=model, messages=QUESTION, temperature=0, stop=[" is Par"])
    assert stopped.choices[0].message.content == "The capital of France" and stopped.choices[0].finish_reason == "stop"
    several = client.chat.completions.create(model=model, messages=QUESTION, n=3, seed=1, temperature=1.0, max_tokens=8)
    assert [one.index for one in several.choices] == [0, 1, 2]
    again = client.chat.completions.create(model=model, messages=QUESTION, n=3, seed=1, temperature=1.0, max_tokens=8)
    assert [one.message.content for one in several.choices] == [one.message.content for one in again.choices]


def check_chat_stream():
    stream = client.chat.completions.create(
        model="chat", messages=QUESTION, temperature=0, max_tokens=48, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert chunks[0].choices[0].delta.role == "assistant"
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "The capital of France is Paris."
    reasons = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices]
    assert reasons[-1] == "stop" and not any(reasons[:-1])
    assert chunks[-1].choices == [] and chunks[-1].usage.prompt_tokens == 37
    assert len(chunks) > 5
    with client.chat.completions.create(model="chat", messages=QUESTION, max_tokens=500, stream=True) as left:
        next(iter(left))


def check_chat_errors():
    create = client.chat.completions.create
    refused(openai.BadRequestError, lambda: create(model="chat", messages=[]), param="messages")
    refused(openai.BadRequestError, lambda: create(model="chat", messages=QUESTION, temperature=9), param="temperature")
    # What nobody knows is ignored, a slip of what is known is told.
    create(model="chat", messages=QUESTION, max_tokens=1, extra_body={"colour": 1})
    refused(openai.BadRequestError, lambda: create(model="chat", messages=QUESTION, extra_body={"max_token": 1}), param="max_token")
    refused(openai.BadRequestError, lambda: create(model="sentence-embedding", messages=QUESTION), param="model")
    nameless = [{"type": "function", "function": {}}]
    refused(openai.BadRequestError, lambda: create(model="chat", messages=QUESTION, tools=nameless), param="tools.0.function.name")
    tools = [{"type": "function", "function": {"name": "f"}}]
    assert create(model="chat", messages=QUESTION, max_tokens=1, tools=tools, tool_choice="none").choices
    forced = create(model="chat", messages=QUESTION, max_tokens=60, tools=tools, tool_choice="required").choices[0]
    assert forced.finish_reason == "tool_calls" and forced.message.tool_calls[0].function.name == "f"
    refused(openai.BadRequestError, lambda: create(model="chat", messages=QUESTION, max_tokens=10**6), param="max_tokens")
    refused(openai.BadRequestError, lambda: create(model="chat", messages=QUESTION, stream=True, top_p=2), param="top_p")


def check_completions():
    create = client.completions.create
    answer = create(model="chat", prompt=["The capital of France is", "Two and two are"], temperature=0, max_tokens=5)
    assert [choice.index for choice in answer.choices] == [0, 1] and answer.object == "text_completion"
    alone = create(model="chat", prompt="Two and two are", temperature=0, max_tokens=5, logprobs=1, echo=True)
    assert alone.choices[0].text == "Two and two are" + answer.choices[1].text
    assert len(alone.choices[0].logprobs.tokens) == len(alone.choices[0].logprobs.text_offset) > 0
    streamed = list(create(model="chat", prompt="Two and two are", temperature=0, max_tokens=5, stream=True))
    assert "".join(chunk.choices[0].text for chunk in streamed) == answer.choices[1].text


def check_audio():
    def transcribe(**fields):
        with open(f"{folder}/transcription/sample.wav", "rb") as sound:
            return client.audio.transcriptions.create(model="transcription", file=sound, **fields)

    words = "ask not what your country can do for you"
    assert words in transcribe().text.lower()
    verbose = transcribe(response_format="verbose_json", timestamp_granularities=["segment"], language="en")
    assert verbose.language == "english" and abs(float(verbose.duration) - 11) < 0.1
    assert verbose.segments and verbose.segments[-1].end <= 11.5 and words in verbose.text.lower()
    assert words in transcribe(response_format="text").lower()
    assert " --> " in transcribe(response_format="srt") and transcribe(response_format="vtt").startswith("WEBVTT\n\n")
    timed = transcribe(response_format="verbose_json", timestamp_granularities=["word"]).words
    assert [word.word for word in timed[:5]] == ["And", "so", "my", "fellow", "Americans"]
    assert all(one.end <= other.start + 0.01 for one, other in zip(timed, timed[1:])) and timed[-1].end <= 11
    refused(openai.BadRequestError, lambda: transcribe(timestamp_granularities=["word"]))
    *deltas, done = transcribe(stream=True, chunking_strategy="auto")
    assert {event.type for event in deltas} == {"transcript.text.delta"} and done.type == "transcript.text.done"
    assert "".join(event.delta for event in deltas) == done.text and words in done.text.lower()
    nothing = ("a.wav", b"RIFF", "audio/x-wav")
    refused(openai.APIStatusError, lambda: client.audio.transcriptions.create(model="transcription", file=nothing))
    refused(openai.BadRequestError, lambda: client.audio.translations.create(model="transcription", file=nothing))


def check_images():
    def draw(**fields):
        answer = client.images.generate(model="text-to-image", prompt="a handwritten three", response_format="b64_json", **fields)
        return [base64.b64decode(one.b64_json) for one in answer.data]

    two = draw(n=2, size="32x32", extra_body={"seed": 5, "steps": 4})
    assert len(two) == 2 and two[0] != two[1] and all(image.startswith(b"\x89PNG") for image in two)
    assert draw(size="auto", extra_body={"seed": 6, "steps": 4}) == [two[1]]
    refused(openai.BadRequestError, lambda: draw(size="big"), param="size")
    refused(openai.BadRequestError, lambda: draw(size="4096x4096"), param="size")


check_models()
CHECKS = {
    "sentence-embedding": [check_embeddings],
    "chat": [check_chat, check_chat_stream, check_chat_errors, check_completions],
    "transcription": [check_audio],
    "text-to-image": [check_images],
}
for model in models:
    for check in CHECKS[model]:
        check()
print("all right")
