"""What can be wrong with a question; the branch below ImageSearchError that belongs to searching.

SearchError
├─ InvalidQuery                         empty, too long, contradictory; says what
├─ InvalidCursor                        a place in a list (after, before) of another list, or of none
├─ ImageNotFound                        no such picture id
├─ InvalidRouting                       routes that name no kind of query, or no encoder of the library
├─ FileGone                             the picture is known, its file is no longer there
└─ Overloaded                           too many requests at once; try again soon
"""

from collections.abc import Sequence

from models.foundation.errors import ImageSearchError
from models.foundation.messages import message


class SearchError(ImageSearchError):
    """Something about a question."""

    code = "search_error"


class InvalidQuery(SearchError):
    """A question that cannot be answered as it is."""

    code = "invalid_query"
    users_mistake = True


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


class Overloaded(SearchError):
    """There is no room for another request now; `retry_after_s` is when there is likely to be."""

    code = "overloaded"

    def __init__(self, retry_after_s: int = 1) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(
            message("Too many requests at once. Try again in {retry_after_s} s.", retry_after_s=retry_after_s)
        )
