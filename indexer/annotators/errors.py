"""What can keep library annotators from their work.

IndexerError
├─ AnnotatorNotSetUp        one that was asked for needs a setting, a list, or weights
├─ InvalidLabels            a list of labels that cannot be read as one
├─ LabelsUnknown            labels of which the encoder knows no word (a warning)
├─ LabelsNeedText           the library's main encoder reads no text
├─ CaptionsRefused          the caption server lets nobody in, or knows no such model
└─ CaptionsInterrupted      the caption server did not answer several times in a row
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


class CaptionsRefused(IndexerError):
    """The caption server lets nobody in, knows no such model, or takes no picture: nothing that asking again mends."""

    code = "captions_refused"
    users_mistake = True

    def __init__(self, server: str, said: str, *, model: str) -> None:
        self.server, self.model = server, model
        super().__init__(
            message(
                "The caption server {server} refuses: {said} Set XUNTU_CAPTION__URL, XUNTU_CAPTION__MODEL (now "
                "{model}) and XUNTU_CAPTION__KEY to what it knows. Captions that were found are kept.",
                server=server,
                said=said,
                model=model,
            )
        )


class CaptionsInterrupted(IndexerError):
    """The caption server failed several times in a row: the rest is left for another time."""

    code = "captions_interrupted"

    def __init__(self, server: str, said: str) -> None:
        self.server = server
        super().__init__(
            message(
                "The caption server {server} failed several times in a row: {said} Captions that were found are kept; "
                "to go on: xuntu index annotate caption",
                server=server,
                said=said,
            )
        )
