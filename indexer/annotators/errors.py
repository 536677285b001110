"""What can keep library annotators from their work.

IndexerError
├─ AnnotatorNotSetUp        one that was asked for needs a setting, a list, or weights
├─ InvalidLabels            a list of labels that cannot be read as one
├─ LabelsUnknown            labels of which the encoder knows no word (a warning)
└─ LabelsNeedText           the library's main encoder reads no text
"""

from collections.abc import Sequence
from pathlib import Path

from indexer.errors import IndexerError
from models.foundation.messages import NOTHING, Readable, message


class AnnotatorNotSetUp(IndexerError):
    """An annotator that was asked for, and that needs something first."""

    code = "annotator_not_set_up"
    users_mistake = True

    def __init__(self, name: str, how: Readable) -> None:
        self.name = name
        super().__init__(message("The annotator {name} is not set up: {how}.", name=name, how=how))


class InvalidLabels(IndexerError):
    """A list of labels that cannot be read as one, from `line` on if one is given. What was found before stays."""

    code = "invalid_labels"
    users_mistake = True

    def __init__(self, path: Path, why: Readable, *, line: int | None = None) -> None:
        self.path, self.line = path, line
        at = message(", line {line}", line=line) if line is not None else NOTHING
        super().__init__(
            message(
                "The list of labels {path}{at}: {why}. The labels that pictures have stay as they are.",
                path=path,
                at=at,
                why=why,
            )
        )


class LabelsUnknown(IndexerError):
    """Labels of which the encoder knows no word. A warning: no picture gets them."""

    code = "labels_unknown"

    def __init__(self, names: Sequence[str], encoder: str) -> None:
        self.names, self.encoder = tuple(names), encoder
        super().__init__(
            message(
                "No picture gets the labels {names}: the encoder {encoder} knows none of these words. Give them "
                "another name in the list, after a comma.",
                names=self.names,
                encoder=encoder,
            )
        )


class LabelsNeedText(IndexerError):
    """The main encoder of a library reads no text, or not here."""

    code = "labels_need_text"

    def __init__(self, encoder: str, why: Readable = NOTHING) -> None:
        self.encoder = encoder
        super().__init__(
            message(
                "Pictures get no labels: they are found by the library's main encoder, and {encoder} reads no text "
                "here. {why}",
                encoder=encoder,
                why=why,
            )
        )
