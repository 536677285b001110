"""Pictures that are kept, and deleted."""

from pydantic import BaseModel, Field

from api.schemas.jobs import JobInfo


class StoredPicture(BaseModel):
    """A file in the folder of uploads, or one of the library that holds the same."""

    name: str = Field(description="As it was sent")
    root: str
    path: str = Field(description="Below the root; with a number where the name was taken")
    id: int | None = Field(None, description="Of the picture, if it is in the library already")
    is_new: bool = Field(description="Whether it has been kept now; not one that was there")


class StoredPictures(BaseModel):
    """What has become of files that were sent; the next update takes them into the library."""

    pictures: list[StoredPicture]
    job: JobInfo | None = Field(None, description="The update, where one was asked for")


class DeletedPicture(BaseModel):
    """A picture whose file has been deleted; the next update takes it out of the library."""

    id: int
    root: str
    path: str
    kept_days: int = Field(description="How long the file stays in the folder .trash; 0: it is gone")
    job: JobInfo | None = Field(None, description="The update, where one was asked for")
