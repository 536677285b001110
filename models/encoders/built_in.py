"""Encoders whose weights come with xuntu: no download, and nothing but ONNX Runtime to run them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from models.encoders.encoder import ImageEncoder, Preprocess, TextEncoder
from models.encoders.onnx import OnnxImageEncoder, OnnxTextEncoder, open_session
from models.encoders.runtime import Runtime
from models.encoders.spec import EncoderSpec
from models.language.tokenizer import Tokenizer

IMAGE_FILE, TEXT_FILE, TOKENIZER_FILE = "image_int8.onnx", "text.onnx", "tokenizer.json"
WORDS_FILE = "words.txt.gz"  # that the encoder places


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltInEncoder:
    """An encoder and the folder of its files, whose checksums its spec holds."""

    spec: EncoderSpec
    folder: Path
    preprocess: Preprocess
    read_tokenizer: Callable[[Path], Tokenizer]

    def open_image(self, *, threads: int = 0) -> ImageEncoder:
        """Load the image tower; 0 threads means every processor. Raises WeightsCorrupt."""
        session = open_session(self._file(IMAGE_FILE), threads=threads)
        return OnnxImageEncoder(self.spec, self.preprocess, session)

    def open_text(self) -> TextEncoder:
        """Load the text tower and its tokenizer; one thread is the fastest for it. Raises WeightsCorrupt."""
        tokenizer = self.read_tokenizer(self._file(TOKENIZER_FILE))
        return OnnxTextEncoder(self.spec, tokenizer, open_session(self._file(TEXT_FILE), threads=1))

    def _file(self, name: str) -> Path:
        return next(file for file in self.spec.files if file.name == name).verified(self.folder)


class BuiltInFamily:
    """Built-in encoders as the registry takes them."""

    def __init__(self, *encoders: BuiltInEncoder) -> None:
        self._by_name = {encoder.spec.name: encoder for encoder in encoders}
        self.specs = tuple(encoder.spec for encoder in encoders)

    def preprocess(self, spec: EncoderSpec) -> Preprocess:
        """Return the resize."""
        return self._by_name[spec.name].preprocess

    def open_image(self, spec: EncoderSpec, runtime: Runtime) -> ImageEncoder:
        """Load the image tower."""
        return self._by_name[spec.name].open_image(threads=runtime.threads)

    def open_text(self, spec: EncoderSpec, _runtime: Runtime) -> TextEncoder:
        """Load the text tower."""
        return self._by_name[spec.name].open_text()
