"""What clients and the front of clip-retrieval send and read."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

MAX_METADATA = 500  # pictures in one request

_Vector = Annotated[list[Annotated[float, Field(allow_inf_nan=False)]], Field(min_length=1, max_length=16_384)]
_WITHOUT_EFFECT = "Accepted, without effect"


class KnnRequest(BaseModel):
    """A search: one of `text`, `image`, `image_url` and `embedding_input` says for what."""

    text: str | None = Field(None, description="What is in the picture, in Chinese or English")
    image: str | None = Field(None, description="A picture file, base64 (a data: URI is accepted)")
    image_url: str | None = Field(None, description="Address of a picture of this service; others are not fetched")
    embedding_input: _Vector | None = Field(None, description="A vector of the main encoder")
    modality: Literal["image", "text"] = Field("image", description="Either searches pictures")
    num_images: int = Field(40, ge=0, description="Hits of which everything is said")
    num_result_ids: int | None = Field(None, ge=1, description="Hits in all, at most 500; default: num_images")
    indice_name: str | None = Field(None, description="As GET /indices-list says it; null or empty: the only one")
    deduplicate: bool = Field(False, description="Leave out copies and near-duplicates of better hits")
    use_mclip: bool = Field(False, description=_WITHOUT_EFFECT)
    use_safety_model: bool = Field(False, description=_WITHOUT_EFFECT)
    use_violence_detector: bool = Field(False, description=_WITHOUT_EFFECT)
    aesthetic_score: float | str | None = Field(None, description=_WITHOUT_EFFECT)
    aesthetic_weight: float | str | None = Field(None, description=_WITHOUT_EFFECT)


class KnnHit(BaseModel):
    """A picture that was found. Of those after the first `num_images` only `id` and `similarity` are said.

    `url` is where it can be fetched; where that is nowhere, `image` is a small JPEG in base64.
    """

    id: int
    similarity: float = Field(description="The score: a cosine, of texts as the library corrects it")
    url: str | None = None
    caption: str | None = None
    image: str | None = None
    image_path: str | None = None


class MetadataRequest(BaseModel):
    """Which pictures are asked about."""

    ids: list[int] = Field(max_length=MAX_METADATA)
    indice_name: str | None = None


class PictureMetadata(BaseModel):
    """What is known of a picture, as hits say it."""

    id: int
    metadata: dict[str, Any]
