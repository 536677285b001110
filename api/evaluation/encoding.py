"""Pictures and texts of a data set -> unit vectors, straight through the encoder."""

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from api.evaluation.data.datasets import Picture
from api.evaluation.measures.ranking import OnStep, Positions
from api.evaluation.unknown import knows
from api.search.turns import turn
from indexer.library.thumbnails import DECODED_SIDE, SPARE
from indexer.pipeline.engines.devices import DeviceEncoders
from models.encoders.encoder import Preprocess, TextEncoder
from models.encoders.registry import get_preprocess
from models.encoders.runtime import Runtime
from models.encoders.spec import EncoderSpec
from models.encoders.wordings import encode_wordings, list_wordings
from models.foundation.devices import count_cpus
from models.foundation.messages import mark
from models.foundation.vectors import Vectors
from models.language.text import normalize_text
from models.pictures.decode import decode_image
from models.pictures.errors import DecodeError
from models.pictures.limits import DecodeLimits

_TEXT_BATCH = 64
_AHEAD = 4  # batches of pictures that are decoded before they are wanted

OnePicture = npt.NDArray[np.uint8]  # (height, width, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """How the inputs of a data set become vectors.

    `as_written`: texts are encoded as they are, cut off where the encoder stops reading; else as a search does it: in
    the form that it brings its query into, names in templates if the runtime says so, long ones in pieces.
    `hub_correction`: pictures are ranked for them as a search does it, but not for texts as they are written, whose
    figures are compared with published ones. 0 `threads` and `batch_size` mean what suits the machine.
    """

    spec: EncoderSpec
    runtime: Runtime
    limits: DecodeLimits
    threads: int = 0
    batch_size: int = 0
    as_written: bool = False
    hub_correction: bool = True

    @property
    def corrects_hubs(self) -> bool:
        """Whether what a picture scores with any text is taken off its score."""
        return self.hub_correction and self.spec.hub_share > 0 and not self.as_written

    @property
    def templates(self) -> bool:
        """Whether names are encoded in several sentences."""
        return not self.as_written and self.runtime.uses_templates(self.spec)


@dataclass(frozen=True, slots=True, eq=False)
class EncodedPictures:
    """`vectors` float32 (m, dim) are those of the pictures at `places` (m,), which ascend; the others have failed.

    `digests` (m,) are those of the pixels that the encoder sees: pictures that share one are copies of each other.
    """

    vectors: Vectors
    places: Positions
    failures: dict[int, DecodeError]
    digests: Sequence[str]


@dataclass(frozen=True, slots=True, eq=False)
class EncodedTexts:
    """`vectors` float32 (m, dim) are those of the texts at `places` (m,), which ascend; of others no word is known."""

    vectors: Vectors
    places: Positions


def encode_pictures(
    pictures: Sequence[Picture], encoding: Encoding, on_step: OnStep, *, turned_by: int = 0
) -> EncodedPictures:
    """Decode and encode pictures exactly as the indexer does. Raises what `load_image_encoder` raises.

    `turned_by`: how many degrees they are turned first, counterclockwise: 0, 90, 180 or 270.
    """
    spec = encoding.spec
    parts: list[Vectors] = [np.empty((0, spec.dim), np.float32)]
    places: list[int] = []
    digests: list[str] = []
    failures: dict[int, DecodeError] = {}
    batch: list[OnePicture] = []
    under_way: deque[Future[Vectors]] = deque()
    with DeviceEncoders(spec, encoding.runtime) as encoders:
        encoders.load()
        size = encoding.batch_size or encoders.batch_size
        preprocess = get_preprocess(spec.name, encoding.runtime)
        prepare = partial(
            _prepare,
            preprocess=preprocess,
            side=spec.image_size,
            limits=encoding.limits,
            degrees=turned_by,
        )
        for place, pixels in enumerate(_run_ahead(prepare, pictures, encoding.threads, _AHEAD * size)):
            if isinstance(pixels, DecodeError):
                failures[place] = pixels
            else:
                places.append(place)
                digests.append(hashlib.sha256(pixels.tobytes()).hexdigest())
                batch.append(pixels)
            if batch and (len(batch) == size or place + 1 == len(pictures)):
                under_way.append(encoders.submit(np.stack(batch)))
                batch = []
            while len(under_way) > (encoders.ahead if place + 1 < len(pictures) else 0):
                parts.append(encoders.result(under_way.popleft()))
                on_step(mark("Encoding pictures"), place + 1, len(pictures))
    return EncodedPictures(np.concatenate(parts), np.array(places, np.int64), failures, digests)


def encode_texts(texts: Sequence[str], encoder: TextEncoder, encoding: Encoding, on_step: OnStep) -> EncodedTexts:
    """Encode texts as a search would, or as they are written.

    Texts of like length are encoded together, since a batch is as long as its longest.
    """
    read = _without_half_characters if encoding.as_written else normalize_text
    texts = [read(text) for text in texts]
    places = np.array([place for place, text in enumerate(texts) if knows(encoder, text)], np.int64)
    wordings = [_wordings_of(texts[place], encoder, encoding) for place in places.tolist()]
    vectors = np.empty((len(places), encoder.spec.dim), np.float32)
    order = sorted(range(len(wordings)), key=lambda row: len(wordings[row][-1]))
    for start in range(0, len(order), _TEXT_BATCH):
        on_step(mark("Encoding texts"), start, len(order))
        rows = order[start : start + _TEXT_BATCH]
        vectors[rows] = encode_wordings(encoder, [wordings[row] for row in rows])
    return EncodedTexts(vectors, places)


def _without_half_characters(text: str) -> str:
    """Return a text that an encoder can take: bytes that were no text, and halves of pairs in JSON, become "?"."""
    return text.encode("utf-8", "replace").decode()


def _wordings_of(text: str, encoder: TextEncoder, encoding: Encoding) -> tuple[str, ...]:
    return (text,) if encoding.as_written else list_wordings(text, encoder, templates=encoding.templates)


def _prepare(
    picture: Picture, *, preprocess: Preprocess, side: int, limits: DecodeLimits, degrees: int
) -> OnePicture | DecodeError:
    try:
        data = picture.read()
        decoded = decode_image(data, short_side=SPARE * side, long_side=DECODED_SIDE, spare=SPARE, limits=limits)
    except DecodeError as error:
        return error
    return preprocess(turn(decoded.image, degrees))


def _run_ahead(
    prepare: Callable[[Picture], OnePicture | DecodeError], pictures: Sequence[Picture], threads: int, ahead: int
) -> Iterator[OnePicture | DecodeError]:
    """Yield what `prepare` makes of each picture, in order; at most `ahead` are held. Pillow lets threads run."""
    waiting: deque[Future[OnePicture | DecodeError]] = deque()
    with ThreadPoolExecutor(threads or count_cpus()) as pool:
        try:
            for picture in pictures:
                waiting.append(pool.submit(prepare, picture))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
