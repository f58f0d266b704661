import os

# LiteLLM fetches its price list otherwise.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
from report import DOCUMENTS, QUESTION, WEATHER, are_vectors, feature, is_audio, is_text, joined, sample, url

MESSAGES = [{"role": "user", "content": "Hello, how are you?"}]
SERVER = {"api_base": f"{url}/v1", "api_key": "none", "max_retries": 0}


def delta_of(chunk):
    return chunk.choices[0].delta.content


@feature("chat", "chat")
def chat(model):
    for provider in ("openai", "hosted_vllm"):
        is_text(litellm.completion(model=f"{provider}/{model}", messages=MESSAGES, **SERVER).choices[0].message.content)


@feature("stream", "chat")
def stream(model):
    for provider in ("openai", "hosted_vllm"):
        is_text(joined(litellm.completion(model=f"{provider}/{model}", messages=MESSAGES, stream=True, **SERVER), delta_of))


@feature("generate of Triton", "chat")
def triton(model):
    answer = litellm.completion(model=f"triton/{model}", messages=MESSAGES, api_base=f"{url}/v2/models/{model}/generate", max_tokens=8)
    is_text(answer.choices[0].message.content)


@feature("responses", "chat")
def responses(model):
    answer = litellm.responses(model=f"openai/{model}", input="Tell me a three sentence bedtime story about a unicorn.", **SERVER)
    is_text(answer.output[-1].content[0].text)


@feature("tools", "chat")
def tools(model):
    tool = {"type": "function", "function": WEATHER}
    answer = litellm.completion(model=f"openai/{model}", messages=MESSAGES, tools=[tool], tool_choice="required", **SERVER)
    is_text(answer.choices[0].message.tool_calls[0].function.name)


@feature("embeddings", "embeddings")
def embeddings(model):
    bases = {"openai": f"{url}/v1", "hosted_vllm": f"{url}/v1", "infinity": url, "cohere": f"{url}/v2/embed"}
    for provider, base in bases.items():
        data = litellm.embedding(model=f"{provider}/{model}", input=["good morning", "hi"], api_base=base, api_key="none").data
        are_vectors([one["embedding"] for one in data], 2)


@feature("rerank", "reranking")
def rerank(model):
    for provider in ("hosted_vllm", "infinity", "jina_ai", "cohere", "huggingface"):
        # Infinity repeats documents in a form of its own at the path that it shares with vLLM.
        own = {"return_documents": False} if provider == "infinity" else {}
        asked = {"query": QUESTION, "documents": DOCUMENTS, "top_n": 2, "api_base": url, "api_key": "none", **own}
        answer = litellm.rerank(model=f"{provider}/{model}", **asked)
        assert sorted(one["index"] for one in answer.results) == [0, 1], provider


@feature("transcription", "transcription")
def transcription(model):
    with open(sample, "rb") as file:
        is_text(litellm.transcription(model=f"openai/{model}", file=file, **SERVER).text)


@feature("images", "text-to-image")
def images(model):
    is_text(litellm.image_generation(model=f"openai/{model}", prompt="A cute baby sea otter", **SERVER).data[0].b64_json)


@feature("speech", "text-to-speech")
def speech(model):
    asked = {"voice": "alloy", "input": "The quick brown fox jumped over the lazy dogs"}
    is_audio(litellm.speech(model=f"openai/{model}", **asked, **SERVER).read())
