"""Models of scikit-learn as its users export them, made here because they are too small for anybody to publish."""

import numpy as np
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingRegressor, IsolationForest, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC

FLOATS = [("x", FloatTensorType([None, 6]))]


def scikit_learn():
    """Pairs of a zoo entry and the bytes of its model."""
    random = np.random.default_rng(3)
    x = random.normal(size=(200, 6)).astype(np.float32)
    classes = (x[:, 0] + x[:, 1] ** 2 > 1).astype(int) + (x[:, 2] > 1)
    target = x[:, 0] * 2 + np.sin(x[:, 1])
    exports = {
        "skl-logistic": (LogisticRegression().fit(x, classes), FLOATS, {"zipmap": False}),
        "skl-forest-zipmap": (RandomForestClassifier(10).fit(x, classes), FLOATS, {}),
        "skl-svm": (make_pipeline(StandardScaler(), SVC(probability=True)).fit(x, classes), FLOATS, {"zipmap": False}),
        "skl-neighbours": (KNeighborsClassifier().fit(x, classes), FLOATS, {"zipmap": False}),
        "skl-boosting": (GradientBoostingRegressor().fit(x, target), FLOATS, None),
        "skl-isolation": (IsolationForest(n_estimators=20).fit(x), FLOATS, None),
        "skl-mlp": (MLPRegressor(max_iter=50).fit(x, target), FLOATS, None),
        "skl-kmeans": (KMeans(4, n_init=1).fit(x), FLOATS, None),
    }
    for name, (model, inputs, options) in exports.items():
        chosen = None if options is None else {id(model): options}
        opset = {"": 17, "ai.onnx.ml": 3}
        yield {"name": name, "small": True}, to_onnx(
            model, initial_types=inputs, options=chosen, target_opset=opset
        ).SerializeToString()
    yield {"name": "skl-columns", "small": True}, columns(random)
    yield {"name": "skl-text"}, text()


def columns(random):
    """A table of numbers and words: an input for each kind."""
    import pandas

    table = pandas.DataFrame({"size": random.normal(size=60), "colour": random.choice(["red", "green", "blue"], 60)})
    steps = ColumnTransformer(
        [("numbers", StandardScaler(), ["size"]), ("words", OneHotEncoder(handle_unknown="ignore"), ["colour"])]
    )
    model = make_pipeline(steps, LogisticRegression()).fit(table, table["size"] > 0)
    inputs = [("size", FloatTensorType([None, 1])), ("colour", StringTensorType([None, 1]))]
    return to_onnx(
        model, initial_types=inputs, options={id(model): {"zipmap": False}}, target_opset={"": 17, "ai.onnx.ml": 3}
    ).SerializeToString()


def text():
    texts = ["a red house", "a green house", "a blue car", "some longer text of words", "a red car"]
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, [0, 0, 1, 1, 1])
    return to_onnx(
        model,
        initial_types=[("text", StringTensorType([None, 1]))],
        # The default, en_US, is not on every machine.
        options={id(model): {"zipmap": False}, TfidfVectorizer: {"locale": "C"}},
        target_opset={"": 17, "ai.onnx.ml": 3},
    ).SerializeToString()
