"""Whether the files of an encoder are what they were, and its vectors still the golden ones."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from models.encoders.encoder import ImageEncoder, TextEncoder
from models.encoders.published import CHECKPOINT, Published
from models.encoders.registry import get_built_in_folder, get_published, load_image_encoder, load_text_encoder
from models.encoders.runtime import Runtime
from models.encoders.weights_folder import GOLDEN_FILE, EncoderFolder
from models.foundation.errors import BackendNotInstalled, WeightsCorrupt
from models.foundation.files import replace_file
from models.foundation.messages import mark, message
from models.foundation.vectors import Vectors
from models.weights.golden import GOLDEN_INPUTS, make_pictures, make_texts

OnStep = Callable[[str, int, int], None]
# The lowest cosine that an export may have, and int8 on another processor than the one it was made on.
LEAST_COSINE = {"fp32": 0.9999, "fp16": 0.999, CHECKPOINT: 0.9999}
_LEAST_INT8 = 0.98


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One tower in one form, compared with other vectors of the same inputs: the lowest cosine of any."""

    tower: str
    form: str  # a precision, CHECKPOINT, or "built in"
    against: str
    min_cosine: float
    least: float

    @property
    def ok(self) -> bool:
        """Whether the vectors are near enough."""
        return self.min_cosine >= self.least


def verify(name: str, runtime: Runtime, *, on_step: OnStep = lambda *_: None) -> list[Check]:
    """Read every file, and run every tower in every form it is there in, on the processor.

    Raises WeightsMissing or WeightsCorrupt for the first file that is not what it was, UnknownEncoder, and
    BackendNotInstalled where nothing is there to compare with and torch is not either.
    """
    published = get_published(name, runtime)
    if published is None:
        own = run_golden(load_image_encoder(name, runtime), load_text_encoder(name, runtime))
        built_in = get_built_in_folder(name)
        return _compare(own, read_golden(built_in / GOLDEN_FILE), "built in", "golden vectors") if built_in else []
    folder = published.folder(runtime)
    record = folder.record()
    on_step(mark("checksums"), 0, 1)
    # Once exported, an encoder needs its checkpoint no more.
    has_checkpoint = not record.exports or all((folder.path / file.name).is_file() for file in record.checkpoint)
    folder.verified(
        [*(record.checkpoint if has_checkpoint else ()), *(file for export in record.exports for file in export.files)]
    )
    path = folder.path / GOLDEN_FILE
    golden = read_golden(path, path.parent.name) if path.is_file() else {}
    checks: list[Check] = []
    if has_checkpoint and find_spec("torch") is not None:
        on_step(CHECKPOINT, 0, 1)
        own = _run_form(published, runtime, CHECKPOINT)
        checks += _compare_with_authors(published, folder, own, on_step)
        if golden:
            checks += _compare(own, golden, CHECKPOINT, "golden vectors")
        golden = golden or own
    elif not golden:
        raise BackendNotInstalled("torch", "torch")
    for precision in sorted({export.precision for export in record.exports}):
        on_step(precision, 0, 1)
        checks += _compare(_run_form(published, runtime, precision), golden, precision, "golden vectors")
    return checks


def run_golden(image: ImageEncoder | None, text: TextEncoder | None) -> dict[str, Vectors]:
    """Return tower -> vectors of the golden inputs, float32 (GOLDEN_INPUTS, dim)."""
    vectors = {}
    if image is not None:
        pixels = np.stack([image.preprocess(picture) for picture in make_pictures(GOLDEN_INPUTS)])
        vectors["image"] = image.encode_image(pixels)
    if text is not None:
        vectors["text"] = text.encode_text(make_texts(GOLDEN_INPUTS))
    return vectors


def write_golden(path: Path, vectors: Mapping[str, Vectors]) -> None:
    """Keep golden vectors."""
    document = {tower: [[round(float(value), 7) for value in row] for row in rows] for tower, rows in vectors.items()}
    replace_file(path, json.dumps(document).encode())


def read_golden(path: Path, encoder: str = "") -> dict[str, Vectors]:
    """Return what `write_golden` kept of an encoder, "" for a built-in one. Raises WeightsCorrupt."""
    try:
        document = json.loads(path.read_bytes())
        return {tower: np.array(rows, np.float32) for tower, rows in document.items()}
    except (ValueError, AttributeError) as error:
        raise WeightsCorrupt(path, encoder=encoder, why=message("it cannot be read"), is_export=True) from error


def _run_form(published: Published, runtime: Runtime, form: str) -> dict[str, Vectors]:
    runtime = replace(runtime, device="cpu")
    record = published.folder(runtime).record()
    towers = [tower for tower in ("image", "text") if form == CHECKPOINT or record.find_export(tower, form)]
    image = published.open_image(runtime, form) if "image" in towers else None
    text = published.open_text(runtime, form) if "text" in towers and published.spec.languages else None
    return run_golden(image, text)


def _compare_with_authors(
    published: Published, folder: EncoderFolder, own: Mapping[str, Vectors], on_step: OnStep
) -> list[Check]:
    reference = published.family.run_reference
    checkpoint = folder.path / folder.record().checkpoint[0].name
    if reference is None or checkpoint.suffix != ".pt":  # their code reads no other form
        return []
    on_step(mark("the authors' code"), 0, 1)
    image, text = reference(published.spec, checkpoint, make_pictures(GOLDEN_INPUTS), make_texts(GOLDEN_INPUTS))
    return _compare(own, {"image": image, "text": text}, CHECKPOINT, "the authors' code")


def _compare(own: Mapping[str, Vectors], other: Mapping[str, Vectors], form: str, against: str) -> list[Check]:
    checks = []
    for tower, vectors in own.items():
        cosines = (vectors * other[tower]).sum(axis=1) if vectors.shape == other[tower].shape else np.array(-1.0)
        checks.append(
            Check(
                tower=tower,
                form=form,
                against=against,
                min_cosine=round(float(np.nan_to_num(cosines, nan=-1.0).min()), 6),
                least=LEAST_COSINE.get(form, _LEAST_INT8),
            )
        )
    return checks
