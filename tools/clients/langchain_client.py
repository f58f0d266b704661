from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from report import RECIPE, WEATHER, are_vectors, feature, is_text, joined, url

SERVER = {"base_url": f"{url}/v1", "api_key": "none", "max_retries": 0}
TRANSLATE = [
    ("system", "You are a helpful assistant that translates English to French. Translate the user sentence."),
    ("human", "I love programming."),
]


@feature("chat", "chat")
def chat(model):
    answer = ChatOpenAI(model=model, **SERVER).invoke(TRANSLATE)
    is_text(answer.content)
    assert answer.usage_metadata["total_tokens"] > answer.usage_metadata["input_tokens"]


@feature("stream", "chat")
def stream(model):
    is_text(joined(ChatOpenAI(model=model, **SERVER).stream(TRANSLATE), lambda chunk: chunk.text))


@feature("responses", "chat")
def responses(model):
    is_text(ChatOpenAI(model=model, use_responses_api=True, **SERVER).invoke(TRANSLATE).text)


@feature("tools", "chat")
def tools(model):
    tool = {"type": "function", "function": WEATHER}
    bound = ChatOpenAI(model=model, **SERVER).bind_tools([tool], tool_choice=WEATHER["name"])
    is_text(bound.invoke("What is the weather in Paris?").tool_calls[0]["args"]["location"])


@feature("JSON", "chat")
def structured(model):
    schema = {"title": "recipe", "description": "A recipe.", **RECIPE}
    asked = ChatOpenAI(model=model, **SERVER).with_structured_output(schema, include_raw=True)
    answer = asked.invoke("A recipe for lasagna.")
    if answer["raw"].response_metadata["finish_reason"] != "length":
        is_text(answer["parsed"]["name"])


@feature("embeddings", "embeddings")
def embeddings(model):
    # Otherwise LangChain sends ids of OpenAI's own tokenizer instead of text, as its documentation says of other servers.
    own = OpenAIEmbeddings(model=model, check_embedding_ctx_length=False, **SERVER)
    are_vectors([own.embed_query("Hi"), *own.embed_documents(["Hello", "Bye"])], 3)
