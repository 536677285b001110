"""Vectors of texts and pictures, and the encoders that make them, in the shapes of OpenAI's API."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Discriminator, Field, Tag, model_validator

from api.schemas.base import Strict

MAX_EMBEDDINGS = 64  # texts and pictures in one request


class ImageAddress(BaseModel):
    """A picture as messages carry it: its `url` is a data: URI; nothing is fetched."""

    url: str


class EmbeddingItem(Strict):
    """One thing to embed: exactly one of `text`, `image` and `image_url`; what `type` says is not needed."""

    type: Literal["text", "image", "image_url"] | None = None
    text: str | None = None
    image: str | None = Field(None, description="A picture file, base64 (a data: URI is accepted)")
    image_url: ImageAddress | str | None = Field(None, description="A picture file as a data: URI")

    @model_validator(mode="after")
    def _check_one(self) -> "EmbeddingItem":
        if sum(one is not None for one in (self.text, self.image, self.image_url)) != 1:
            raise ValueError("give exactly one of text, image and image_url")
        return self

    @property
    def picture(self) -> str | None:
        """The picture, in base64 or as a data: URI; None for a text."""
        return self.image_url.url if isinstance(self.image_url, ImageAddress) else self.image_url or self.image


def _kind(value: Any) -> str | None:
    if isinstance(value, str):
        return "text"
    if isinstance(value, (dict, EmbeddingItem)):
        return "item"
    return "list" if isinstance(value, list) else None


_KINDS = Discriminator(
    _kind,
    custom_error_type="embedding_input",
    custom_error_message="Input should be a text, or an object with text, image or image_url; tokens are not taken",
)
_One = Annotated[Annotated[str, Tag("text")] | Annotated[EmbeddingItem, Tag("item")], _KINDS]
_Several = Annotated[list[_One], Field(min_length=1, max_length=MAX_EMBEDDINGS)]
_Input = Annotated[
    Annotated[str, Tag("text")] | Annotated[EmbeddingItem, Tag("item")] | Annotated[_Several, Tag("list")], _KINDS
]


class EmbeddingRequest(Strict):
    """What is to be embedded, and by which encoder."""

    input: _Input = Field(description="A text, a picture, or a list of them")
    model: str = Field("default", max_length=100, description="An encoder of the library; default: its main one")
    encoding_format: Literal["float", "base64"] = Field(
        "float", description="Lists of numbers, or float32, little-endian, in base64"
    )
    dimensions: int | None = Field(None, description="As many as the encoder's vectors have; they are not cut")
    user: str | None = Field(None, description="Not looked at")

    @property
    def items(self) -> list[str | EmbeddingItem]:
        """What is to be embedded, as a list."""
        return self.input if isinstance(self.input, list) else [self.input]


class Embedding(BaseModel):
    """One vector of length 1: numbers, or base64, whichever was asked for."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingUsage(BaseModel):
    """Always 0: tokens are not counted."""

    prompt_tokens: int = 0
    total_tokens: int = 0


class EmbeddingResponse(BaseModel):
    """Vectors in the order of what was sent. `model` is the encoder's name."""

    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage = EmbeddingUsage()


class ModelInfo(BaseModel):
    """An encoder of the library. `dim`: numbers in its vectors. `created`: when the build was made, Unix time."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "xuntu"
    dim: int
    languages: list[str] = Field([], description="Of texts that it encodes; empty: pictures only")
    space: str = Field(description="Vectors of one space may be compared")


class ModelList(BaseModel):
    """The encoders of the library, the main one first."""

    object: Literal["list"] = "list"
    data: list[ModelInfo]
