from huggingface_hub import InferenceClient
from report import are_vectors, feature, is_audio, is_text, joined, sample, url

MESSAGES = [{"role": "user", "content": "What is the capital of France?"}]
client = InferenceClient(base_url=f"{url}/v1", api_key="none")


@feature("chat", "chat")
def chat(model):
    # Its own default name, where none is given.
    is_text(client.chat_completion(MESSAGES).choices[0].message.content)
    is_text(client.chat.completions.create(model=model, messages=MESSAGES).choices[0].message.content)


@feature("stream", "chat")
def stream(model):
    chunks = client.chat_completion(MESSAGES, stream=True)
    is_text(joined(chunks, lambda chunk: chunk.choices[0].delta.content if chunk.choices else None))


@feature("embeddings", "embeddings")
def embeddings(_model):
    vectors = InferenceClient(url, api_key="none").feature_extraction("Today is a sunny day.")
    are_vectors(vectors.tolist(), 1)


@feature("similarity", "embeddings")
def similarity(_model):
    others = ["Deep learning is so straightforward.", "This is so difficult."]
    for address in (url, f"{url}/similarity"):
        scores = InferenceClient(address, api_key="none").sentence_similarity("Machine learning is so easy.", other_sentences=others)
        assert len(scores) == 2 and scores[0] > scores[1], address


@feature("transcription", "transcription")
def transcription(model):
    is_text(InferenceClient(f"{url}/models/{model}", api_key="none").automatic_speech_recognition(sample).text)


@feature("audio classification", "audio-classification")
def audio_classification(model):
    client = InferenceClient(f"{url}/models/{model}", api_key="none")
    classes = client.audio_classification(sample)
    assert len(classes) > 1 and classes[0].score >= classes[1].score
    assert len(client.audio_classification(sample, top_k=1)) == 1


@feature("speech", "text-to-speech")
def speech(model):
    is_audio(InferenceClient(f"{url}/models/{model}", api_key="none").text_to_speech("Hello world"))
