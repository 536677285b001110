"""What a caller of the REST API may do."""

from enum import StrEnum


class Scope(StrEnum):
    """What a caller may do."""

    SEARCH = "search"
    FILES = "files"
    BOARDS = "boards"
    INDEX = "index"
    ADMIN = "admin"
