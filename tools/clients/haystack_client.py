from haystack import Document
from haystack.components.embedders import OpenAIDocumentEmbedder, OpenAITextEmbedder
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage
from haystack.tools import Tool
from haystack.utils import Secret
from report import WEATHER, are_vectors, feature, is_text, url

SERVER = {"api_base_url": f"{url}/v1", "api_key": Secret.from_token("none"), "max_retries": 0}
ASK = [ChatMessage.from_user("What's Natural Language Processing?")]


@feature("chat", "chat")
def chat(model):
    is_text(OpenAIChatGenerator(model=model, **SERVER).run(ASK)["replies"][0].text)


@feature("stream", "chat")
def stream(model):
    pieces = []
    OpenAIChatGenerator(model=model, streaming_callback=pieces.append, **SERVER).run(ASK)
    assert len(pieces) > 1
    is_text("".join(piece.content for piece in pieces))


@feature("tools", "chat")
def tools(model):
    tool = Tool(function=lambda location: "14 degrees", **WEATHER)
    generator = OpenAIChatGenerator(model=model, tools=[tool], generation_kwargs={"tool_choice": "required"}, **SERVER)
    is_text(generator.run([ChatMessage.from_user("What is the weather in Paris?")])["replies"][0].tool_calls[0].arguments["location"])


@feature("embeddings", "embeddings")
def embeddings(model):
    query = OpenAITextEmbedder(model=model, **SERVER).run("I love pizza!")["embedding"]
    embedder = OpenAIDocumentEmbedder(model=model, progress_bar=False, **SERVER)
    are_vectors([query, embedder.run([Document(content="I love pizza!")])["documents"][0].embedding], 2)
