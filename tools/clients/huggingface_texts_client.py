from huggingface_hub import InferenceClient
from report import feature, is_text, url


def at(model):
    return InferenceClient(base_url=f"{url}/models/{model}", api_key="none")


@feature("entities", "token-classification")
def entities(model):
    found = at(model).token_classification("My name is Sarah Jessica Parker but you can call me Jessica")
    assert found
    for one in found:
        is_text(one.word)
        assert one.start < one.end and one.score >= 0


@feature("zero-shot", "zero-shot-classification")
def zero_shot(model):
    text = "A new model offers an explanation for how the Galilean satellites formed around the solar system's largest world."
    labels = ["space & cosmos", "scientific discovery", "microbiology"]
    classes = at(model).zero_shot_classification(text, labels)
    assert sorted(one.label for one in classes) == sorted(labels)
    assert abs(sum(one.score for one in classes) - 1) < 1e-5
    several = at(model).zero_shot_classification(text, labels, multi_label=True, hypothesis_template="This text is about {}.")
    assert len(several) == len(labels)


@feature("question answering", "question-answering")
def question_answering(model):
    asked = dict(question="What's my name?", context="My name is Clara and I live in Berkeley.")
    found = at(model).question_answering(**asked)
    assert found.answer == asked["context"][found.start : found.end]
    assert len(at(model).question_answering(**asked, top_k=2)) == 2


@feature("fill-mask", "fill-mask")
def fill_mask(model):
    found = at(model).fill_mask("The goal of life is [MASK].")
    assert len(found) == 5
    for one in found:
        is_text(one.sequence)


@feature("translation", "translation")
def translation(model):
    is_text(at(model).translation("My name is Wolfgang and I live in Berlin").translation_text)
    is_text(at(model).translation("My name is Wolfgang", src_lang="en", tgt_lang="fr", generate_parameters={"max_new_tokens": 9}).translation_text)


@feature("summarization", "summarization")
def summarization(model):
    is_text(at(model).summarization("The Eiffel tower is 324 metres tall, about the same height as an 81-storey building.").summary_text)
