"""What can be wrong with a picture that is to be kept, or deleted.

UploadError
├─ KeepingOff                           no folder is named for them
├─ UnsafeName                           a name that a file had better not have
├─ UnreadKind                           no picture or video that is read here
├─ NotUploaded                          a picture that does not lie in the folder of uploads
└─ UploadFolderError                    the folder cannot be written to
   └─ NoRoom                            its disk is full
"""

from models.foundation.errors import ImageSearchError
from models.foundation.messages import Readable, message


class UploadError(ImageSearchError):
    """Something about a picture that is to be kept, or deleted."""

    code = "upload_error"
    users_mistake = True


class KeepingOff(UploadError):
    """No folder is named for uploads."""

    code = "keeping_off"

    def __init__(self) -> None:
        super().__init__(
            message("This service keeps no pictures. The operator names a folder for them in XUNTU_API__UPLOAD_ROOT.")
        )


class UnsafeName(UploadError):
    """A name that a file had better not have."""

    code = "unsafe_name"

    def __init__(self, name: str, why: Readable) -> None:
        super().__init__(message("{name!r} cannot be the name of a picture: {why}.", name=name[:100], why=why))


class UnreadKind(UploadError):
    """No picture or video that is read here."""

    code = "unread_kind"

    def __init__(self, name: str, why: Readable) -> None:
        super().__init__(message("{name} cannot be taken: {why}.", name=name, why=why))


class NotUploaded(UploadError):
    """A picture that does not lie in the folder of uploads."""

    code = "not_uploaded"

    def __init__(self, image_id: int) -> None:
        super().__init__(
            message(
                "Picture {image_id} does not lie in the folder of uploads; this service deletes no others.",
                image_id=image_id,
            )
        )


class UploadFolderError(UploadError):
    """The folder cannot be written to."""

    code = "upload_folder_unusable"
    users_mistake = False

    def __init__(self, why: Readable) -> None:
        super().__init__(message("The folder of uploads cannot be written to: {why}.", why=why))


class NoRoom(UploadFolderError):
    """The disk of the folder is full."""

    code = "no_room"
