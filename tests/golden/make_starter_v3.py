"""Makes starter_v3.json, which test_starter_v3.py compares with: `python -m tests.golden.make_starter_v3`.

Apart from the weights, little of it is code that it tests: SentencePiece splits the texts, Pillow resizes the
photographs, and ONNX Runtime computes the graphs operator by operator as they are written, with nothing fused.
"""

import importlib.util
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from models.encoders.built_in import IMAGE_FILE, TEXT_FILE, TOKENIZER_FILE
from models.encoders.starter_v3 import FOLDER, SPEC
from models.language.tokenizer import ngrams

PATH = Path(__file__).with_name("starter_v3.json")
TEXTS = (
    "一只猫",
    "cat",
    "火箭发射",
    "a cup of coffee",
    "花",
    "two dogs playing in the snow",
    "穿红色裙子的女孩在草地上奔跑",
    "boxes, glasses and the boss's buses",
    "红色 dress",
    "男人和女人在海边骑自行车，天空很蓝，远处有山",
    "a man with a camera 拿着相机的男人",
)
PHOTOGRAPHS = {
    "astronaut.png": ("skimage", "data"),
    "chelsea.png": ("skimage", "data"),
    "coffee.png": ("skimage", "data"),
    "rocket.jpg": ("skimage", "data"),
    "camera.png": ("skimage", "data"),
    "china.jpg": ("sklearn", "datasets/images"),
    "flower.jpg": ("sklearn", "datasets/images"),
}
_CONTROL, _UNKNOWN = 3, 2  # kinds of pieces


def locate(name: str) -> Path:
    """Return the file of a photograph."""
    package, below = PHOTOGRAPHS[name]
    return Path(importlib.util.find_spec(package).origin).parent / below / name


def make_processor(pieces: list[tuple[str, float]]):
    """Return SentencePiece's own processor for pieces and their scores."""
    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2

    model = sentencepiece_model_pb2.ModelProto()
    for number, (piece, score) in enumerate(pieces):
        kind = {"type": _UNKNOWN if number == 0 else _CONTROL} if number < 3 else {}
        model.pieces.add(piece=piece, score=score, **kind)
    model.normalizer_spec.name = "identity"
    return sentencepiece.SentencePieceProcessor(model_proto=model.SerializeToString())


def read_ids(text: str) -> list[int]:
    """Return the ids of a text in lower case, without accents, all of whose words are known."""
    description = json.loads((FOLDER / TOKENIZER_FILE).read_text(encoding="utf-8"))
    processor, grams = make_processor(description["pieces"]), description["grams"]
    pieces = [1, *processor.encode(text), 2]
    bag = [grams.index(gram) for gram in ngrams(text) if gram in grams]
    half = description["max_len"] // 2
    assert max(len(pieces), len(bag)) <= half, text
    return [1 + piece for piece in pieces] + [1 + len(description["pieces"]) + gram for gram in bag]


def compute(file: str, name: str, value: npt.NDArray[np.generic]) -> list[float]:
    """Return the unit vector that a graph gives of one input."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(FOLDER / file), options, providers=["CPUExecutionProvider"])
    (vector,) = session.run(None, {name: value[None]})[0].astype(np.float64)
    return (vector / np.linalg.norm(vector)).round(5).tolist()


def main() -> None:
    """Write the file."""
    texts, pictures = {}, {}
    for text in TEXTS:
        ids = read_ids(text)
        texts[text] = {"ids": ids, "vector": compute(TEXT_FILE, "tokens", np.array(ids, np.int32))}
    side = (SPEC.image_size, SPEC.image_size)
    for name in PHOTOGRAPHS:
        pixels = np.asarray(Image.open(locate(name)).convert("RGB").resize(side, Image.Resampling.BILINEAR))
        pictures[name] = compute(IMAGE_FILE, "image", pixels)
    golden = {"texts": texts, "pictures": pictures}
    PATH.write_text(json.dumps(golden, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
