from llama_index.core.llms import ChatMessage
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai_like import OpenAILike
from report import are_vectors, feature, is_text, joined, url


def like(model):
    return OpenAILike(model=model, api_base=f"{url}/v1", api_key="none", is_chat_model=True, max_retries=0)


@feature("chat", "chat")
def chat(model):
    is_text(like(model).complete("Hello World!").text)
    is_text(like(model).chat([ChatMessage(role="user", content="What is your name?")]).message.content)


@feature("stream", "chat")
def stream(model):
    is_text(joined(like(model).stream_complete("Paul Graham is "), lambda piece: piece.delta))


@feature("completions", "chat")
def completions(model):
    own = OpenAILike(model=model, api_base=f"{url}/v1", api_key="none", is_chat_model=False, max_retries=0)
    is_text(own.complete("Paul Graham is ").text)


@feature("embeddings", "embeddings")
def embeddings(model):
    own = OpenAILikeEmbedding(model_name=model, api_base=f"{url}/v1", api_key="none", max_retries=0)
    are_vectors([own.get_text_embedding("Hi"), *own.get_text_embedding_batch(["Hello", "Bye"])], 3)
