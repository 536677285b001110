"""The plain recipe that indexing is compared with, run as a program: plain.py FOLDER OUTPUT.

One process: each JPEG decoded whole with Pillow, converted to RGB and preprocessed; batches of 32 through the image
tower on ONNX Runtime with its default options; the vectors pickled, and a flat FAISS index written. No thumbnails,
no EXIF, no checksums, no catalog. Prints the number of pictures.
"""

import pickle
import sys
from pathlib import Path

import faiss
import numpy as np
import onnxruntime
from PIL import Image

from models.encoders import starter
from models.foundation.vectors import l2_normalize

BATCH = 32


def main(folder: Path, output: Path) -> None:
    """Index the photographs below `folder` into `output`."""
    files = sorted(folder.rglob("*.jpg"))
    session = onnxruntime.InferenceSession(
        str(starter.FOLDER / starter.SPEC.files[0].name), providers=["CPUExecutionProvider"]
    )
    name = session.get_inputs()[0].name
    parts = []
    for start in range(0, len(files), BATCH):
        pixels = np.stack([read(path) for path in files[start : start + BATCH]])
        parts.append(session.run(None, {name: pixels})[0])
    vectors = l2_normalize(np.concatenate(parts))
    output.mkdir(parents=True, exist_ok=True)
    (output / "vectors.pickle").write_bytes(pickle.dumps((list(map(str, files)), vectors)))
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    faiss.write_index(index, str(output / "index.faiss"))
    print(len(files))


def read(path: Path) -> np.ndarray:
    """Return what the image tower sees of a picture."""
    with Image.open(path) as image:
        return starter.PREPROCESS(image.convert("RGB"))


main(Path(sys.argv[1]), Path(sys.argv[2]))
