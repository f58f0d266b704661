import cohere
from report import DOCUMENTS, QUESTION, are_vectors, feature, is_text, url

client = cohere.ClientV2("none", base_url=url)
older = cohere.Client("none", base_url=url)


@feature("rerank", "reranking")
def rerank(model):
    results = client.rerank(model=model, query=QUESTION, documents=DOCUMENTS, top_n=2).results
    assert sorted(one.index for one in results) == [0, 1]
    assert results[0].relevance_score >= results[1].relevance_score


@feature("rerank of version 1", "reranking")
def rerank_v1(model):
    results = older.rerank(model=model, query=QUESTION, documents=DOCUMENTS, return_documents=True).results
    assert sorted(one.document.text for one in results) == sorted(DOCUMENTS)


@feature("embeddings", "embeddings")
def embeddings(model):
    kinds = ["float", "int8", "uint8", "binary", "ubinary"]
    answer = client.embed(model=model, texts=["hello", "goodbye"], input_type="classification", embedding_types=kinds)
    are_vectors(answer.embeddings.float_, 2)
    assert len(answer.embeddings.int8[0]) == len(answer.embeddings.float_[0])


@feature("embeddings of version 1", "embeddings")
def embeddings_v1(model):
    are_vectors(older.embed(model=model, texts=["hello", "goodbye"], input_type="search_query").embeddings, 2)


@feature("an unknown model", "embeddings")
def unknown(_model):
    try:
        client.embed(model="nobody", texts=["hello"], input_type="search_query", embedding_types=["float"])
    except cohere.NotFoundError as error:
        is_text(error.body["message"])
    else:
        raise AssertionError("it was taken")
