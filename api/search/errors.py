"""What can be wrong with a question; the branch below ImageSearchError that belongs to searching.

SearchError
├─ InvalidQuery                         empty, too long, contradictory; says what
│  └─ CropOutside                       a part to ask with that the picture does not have
├─ InvalidCursor                        a place in a list (after, before) of another list, or of none
├─ ImageNotFound                        no such picture id
├─ InvalidRouting                       routes that name no kind of query, or no encoder of the library
├─ FileGone                             the picture is known, its file is no longer there
├─ UploadGone                           no picture is kept under this id, or no longer
├─ UploadsOff                           this service keeps no pictures that are sent
├─ UploadsUnavailable                   a picture that is sent cannot be kept now
├─ FileChanged                          something else lies there by now
├─ LinkNotFollowed                      it is a link that leads out of its folder
├─ AddressWithheld                      the picture is at an address that is not given out
├─ AddressNotFetched                    the picture is at an address, and could not be fetched from there now
├─ PlaceNotRemovable                    where it was taken cannot be taken out of its file
└─ Overloaded                           too many requests at once; try again soon
"""

from collections.abc import Sequence
from typing import Literal

from indexer.library.storage.errors import StorageUnavailable
from models.foundation.errors import ImageSearchError
from models.foundation.messages import message


class SearchError(ImageSearchError):
    """Something about a question."""

    code = "search_error"


class InvalidQuery(SearchError):
    """A question that cannot be answered as it is."""

    code = "invalid_query"
    users_mistake = True


class CropOutside(InvalidQuery):
    """A part that lies outside of its picture, which is `width` x `height` pixels."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        super().__init__(
            message(
                "The part that is asked with lies outside of the picture, which is {width} x {height} pixels.",
                width=width,
                height=height,
            )
        )


class InvalidCursor(SearchError):
    """An `after` or `before` that is not what an answer gave, or not for this question."""

    code = "invalid_cursor"
    users_mistake = True

    def __init__(self, *, of_another: bool = False) -> None:
        self.of_another = of_another
        super().__init__(
            message("The cursor belongs to another question: ask the same as before with it, or begin without it.")
            if of_another
            else message("The cursor cannot be read. Give `next` or `previous` of an answer as it is.")
        )


class ImageNotFound(SearchError):
    """A picture id that the library does not have."""

    code = "image_not_found"
    users_mistake = True

    def __init__(self, image_id: int) -> None:
        self.image_id = image_id
        super().__init__(message("There is no picture with id {image_id} in this library.", image_id=image_id))


class InvalidRouting(SearchError):
    """A route that leads nowhere: `part` as it was written."""

    code = "invalid_routing"
    users_mistake = True

    def __init__(self, part: str, known: Sequence[str]) -> None:
        self.part = part
        super().__init__(
            message(
                "The route {part!r} cannot be used. Write zh, en or picture, each once, and encoders that can answer "
                "it, as in zh=A en=A+B picture=C; here: {known}.",
                part=part,
                known=tuple(known),
            )
        )


class FileGone(SearchError):
    """A picture of the library whose file cannot be read any more."""

    code = "file_gone"

    def __init__(self, image_id: int) -> None:
        self.image_id = image_id
        super().__init__(
            message(
                "The file of picture {image_id} is no longer there. Bring the library up to date: xuntu index update",
                image_id=image_id,
            )
        )


class UploadGone(SearchError):
    """An id under which no picture is kept that was sent, or no longer."""

    code = "upload_gone"
    users_mistake = True

    def __init__(self, upload_id: str) -> None:
        self.upload_id = upload_id
        super().__init__(message("The uploaded picture is not there, or no longer. Send it again: PUT /v1/uploads"))


class UploadsOff(SearchError):
    """A service that keeps no pictures that are sent."""

    code = "uploads_off"

    def __init__(self) -> None:
        super().__init__(message("This service keeps no uploaded pictures. Send the picture with each search."))


class UploadsUnavailable(SearchError):
    """A picture that cannot be kept: it is too large for all that may be kept, or the folder cannot be written."""

    code = "uploads_unavailable"

    def __init__(self) -> None:
        super().__init__(message("The uploaded picture cannot be kept. Send the picture with each search."))


class FileChanged(SearchError):
    """A picture of the library in whose place something else lies by now; that is not given out."""

    code = "file_changed"

    def __init__(self, image_id: int) -> None:
        self.image_id = image_id
        super().__init__(
            message(
                "The file of picture {image_id} has changed since it was indexed. Bring the library up to date: xuntu "
                "index update",
                image_id=image_id,
            )
        )


class LinkNotFollowed(SearchError):
    """A picture of the library that is reached by a link out of its folder, where such links are not followed."""

    code = "link_not_followed"

    def __init__(self, image_id: int) -> None:
        self.image_id = image_id
        super().__init__(
            message(
                "Picture {image_id} is reached by a link that leads out of its folder. If that is meant, let the "
                "service follow links: XUNTU_API__FOLLOW_LINKS=true",
                image_id=image_id,
            )
        )


def why_not_read(image_id: int, error: Exception) -> ImageSearchError:
    """Return what is wrong with a picture of the library that could not be read, by what reading it raised."""
    if isinstance(error.__cause__, StorageUnavailable):  # nothing says that it is gone
        return error.__cause__
    kinds = {"changed": FileChanged, "linked_away": LinkNotFollowed}
    return kinds.get(getattr(error, "reason", ""), FileGone)(image_id)


class AddressWithheld(SearchError):
    """A picture at an address that is not given out, and `why`.

    None are, they are not fetched but for clients to be sent there, it would let others in, or it is large.
    """

    code = "address_withheld"

    def __init__(self, image_id: int, why: Literal["off", "redirect", "secret", "large"]) -> None:
        self.image_id, self.why = image_id, why
        said = {
            "off": message(
                "Picture {image_id} lies at an address, and this service gives out none: XUNTU_API__ADDRESSES=off",
                image_id=image_id,
            ),
            "redirect": message(
                "Picture {image_id} lies at an address, and this service fetches none: it sends clients there, one "
                "picture at a time.",
                image_id=image_id,
            ),
            "secret": message(
                "Picture {image_id} lies at an address with a key in it, which is not given out.", image_id=image_id
            ),
            "large": message(
                "Picture {image_id} lies at an address, and is too large to be fetched from there by this service.",
                image_id=image_id,
            ),
        }
        super().__init__(said[why])


class AddressNotFetched(SearchError):
    """A picture at an address from where it could not be fetched now. Why is in the log: it may tell of a network."""

    code = "not_fetched"

    def __init__(self, image_id: int) -> None:
        self.image_id = image_id
        super().__init__(
            message(
                "Picture {image_id} could not be fetched from its address now. The log of the service says why.",
                image_id=image_id,
            )
        )


class PlaceNotRemovable(SearchError):
    """A file that may say where it was taken, in a way that cannot be taken out of it without writing it anew."""

    code = "place_not_removable"

    def __init__(self, image_id: int, form: str) -> None:
        self.image_id, self.form = image_id, form
        super().__init__(
            message(
                "The file of picture {image_id} ({form}) is not given out: where it was taken cannot be left out of "
                "it, and XUNTU_API__STRIP_GPS asks for that. Thumbnails never say it.",
                image_id=image_id,
                form=form.upper(),
            )
        )


class Overloaded(SearchError):
    """There is no room for another request now; `retry_after_s` is when there is likely to be."""

    code = "overloaded"

    def __init__(self, retry_after_s: int = 1) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(
            message("Too many requests at once. Try again in {retry_after_s} s.", retry_after_s=retry_after_s)
        )
