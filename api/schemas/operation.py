"""What whoever looks after a library is told: folders that jobs may add, room on the disk, settings."""

from typing import Literal

from pydantic import BaseModel, Field

SettingSource = Literal["default", "environment", "secret file", ".env", "start"]


class FolderInfo(BaseModel):
    """A folder that a job may add. `path` is what a job calls it: the label of a root, and the way below it."""

    name: str
    path: str


class FolderList(BaseModel):
    """The folders in one that jobs may add, by name; those that hold them all where none was named."""

    folder: str = Field(description="The one that was asked for, as jobs call it; empty: none")
    folders: list[FolderInfo]
    is_cut: bool = Field(False, description="Whether there are more, which are not listed")


class StorageInfo(BaseModel):
    """Bytes that a library takes. Its thumbnails are not among them: they are too many to be looked at one by one."""

    originals: int = Field(description="Of the files of its pictures, wherever they lie")
    catalog: int
    vectors: int
    indexes: int = Field(description="Of the build in use")
    free: int = Field(description="What is free where the library lies")


class SettingInfo(BaseModel):
    """A setting of the service: the variable that sets it, what it is, and where that comes from.

    `start`: given when the service was started, by a flag. Of a secret only whether there is one is said, of paths the
    last two names, of an address that is told of jobs the server.
    """

    name: str
    value: str | None = Field(description="None: there is none, or it is a secret")
    is_secret: bool = Field(False, description="Whether nobody may see it")
    is_set: bool = Field(description="Whether it has any value")
    source: SettingSource
    description: str


class SettingList(BaseModel):
    """The settings of the service."""

    settings: list[SettingInfo]
