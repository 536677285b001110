"""What is said of a picture that was sent to be asked with."""

from pydantic import BaseModel, Field


class UploadInfo(BaseModel):
    """A picture that is kept for a while. The id is made of what is in it: the same picture has the same id."""

    id: str
    width: int = Field(description="Of the upright picture, in pixels")
    height: int
    expires_at: str = Field(description="Until when it can be asked with, ISO 8601 in UTC; sent again, it is kept anew")
