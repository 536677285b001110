"""A captioner that cannot be used."""

from pathlib import Path

from models.captioners.spec import CaptionerSpec
from models.foundation.errors import EncoderError
from models.foundation.messages import Readable, message


class CaptionerUnavailable(EncoderError):
    """The files of a captioner are not there, not whole, or another model's."""

    code = "captioner_unavailable"
    users_mistake = True

    def __init__(self, folder: Path, spec: CaptionerSpec, why: Readable) -> None:
        self.folder, self.captioner = folder, spec.name
        super().__init__(
            message(
                "The captioner {name} cannot be loaded from {folder}: {why}. Put the files of {repository} there, "
                "those of its tokenizer and its processor among them.",
                name=spec.name,
                folder=folder,
                why=why,
                repository=spec.repository,
            )
        )
