import cohere
from report import DOCUMENTS, QUESTION, are_vectors, feature, url

client = cohere.ClientV2("none", base_url=url)


@feature("rerank", "reranking")
def rerank(model):
    results = client.rerank(model=model, query=QUESTION, documents=DOCUMENTS, top_n=2).results
    assert sorted(one.index for one in results) == [0, 1]
    assert results[0].relevance_score >= results[1].relevance_score


@feature("embeddings", "embeddings")
def embeddings(model):
    answer = client.embed(model=model, texts=["hello", "goodbye"], input_type="classification", embedding_types=["float"])
    are_vectors(answer.embeddings.float_, 2)
