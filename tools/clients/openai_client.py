import json

from openai import OpenAI
from report import RECIPE, WEATHER, are_vectors, feature, is_audio, is_text, joined, sample, url

client = OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
MESSAGES = [
    {"role": "developer", "content": "Talk like a pirate."},
    {"role": "user", "content": "How do I check if a Python object is an instance of a class?"},
]
ASK = {"role": "user", "content": "What is the weather like in Paris today?"}


@feature("chat", "chat")
def chat(model):
    completion = client.chat.completions.create(model=model, messages=MESSAGES)
    is_text(completion.choices[0].message.content)
    assert completion.usage.total_tokens > completion.usage.prompt_tokens


@feature("stream", "chat")
def stream(model):
    chunks = client.chat.completions.create(model=model, messages=MESSAGES, stream=True)
    is_text(joined(chunks, lambda chunk: chunk.choices[0].delta.content if chunk.choices else None))


@feature("responses", "chat")
def responses(model):
    response = client.responses.create(model=model, instructions="Talk like a pirate.", input=MESSAGES[1]["content"])
    is_text(response.output_text)
    events = [event.type for event in client.responses.create(model=model, input="Write a one-sentence bedtime story.", stream=True)]
    assert events[0] == "response.created" and events[-1] in ("response.completed", "response.incomplete")


@feature("tools", "chat")
def tools(model):
    offered = [{"type": "function", "function": {**WEATHER, "strict": True}}]
    forced = {"type": "function", "function": {"name": WEATHER["name"]}}
    message = client.chat.completions.create(model=model, messages=[ASK], tools=offered, tool_choice=forced).choices[0].message
    is_text(json.loads(message.tool_calls[0].function.arguments)["location"])
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "14 degrees"}
    answer = client.chat.completions.create(model=model, messages=[ASK, message, result], tools=offered, tool_choice="none")
    is_text(answer.choices[0].message.content)


@feature("JSON", "chat")
def structured(model):
    form = {"type": "json_schema", "json_schema": {"name": "recipe", "schema": RECIPE, "strict": True}}
    asked = [{"role": "user", "content": "A recipe for lasagna."}]
    choice = client.chat.completions.create(model=model, messages=asked, response_format=form).choices[0]
    assert choice.finish_reason == "length" or set(json.loads(choice.message.content)) == {"name", "steps"}


@feature("embeddings", "embeddings")
def embeddings(model):
    data = client.embeddings.create(model=model, input=["The food was delicious.", "The waiter was kind."]).data
    are_vectors([one.embedding for one in data], 2)


@feature("transcription", "transcription")
def transcription(model):
    with open(sample, "rb") as file:
        is_text(client.audio.transcriptions.create(model=model, file=file).text)


@feature("images", "text-to-image")
def images(model):
    is_text(client.images.generate(model=model, prompt="A cute baby sea otter", n=1).data[0].b64_json)


@feature("speech", "text-to-speech")
def speech(model):
    asked = {"model": model, "voice": "alloy", "input": "The quick brown fox jumped over the lazy dog."}
    with client.audio.speech.with_streaming_response.create(**asked) as response:
        is_audio(b"".join(response.iter_bytes()))
    is_audio(client.audio.speech.create(response_format="wav", **asked).read())
