"""Captions by a model on this machine, one picture after the other."""

from collections.abc import Iterator, Sequence

from PIL import Image

from indexer.annotators.caption.captions import (
    SIDE,
    Captions,
    MachineCaption,
    clean_caption,
    is_whole,
    make_prompt,
    merge,
    read_answer,
)
from indexer.library.annotations.port import IndexedPictures
from indexer.library.annotations.values import Failure
from models.captioners.captioner import TransformersCaptioner
from models.captioners.spec import CaptionLanguage


class LocalCaptioner:
    """Asks a captioner of this machine for captions in those of `languages` that it writes."""

    def __init__(self, captioner: TransformersCaptioner, languages: Sequence[CaptionLanguage]) -> None:
        self.name = captioner.spec.name
        self.languages = tuple(one for one in languages if one in captioner.spec.languages)
        self._captioner = captioner

    def caption(self, pictures: IndexedPictures) -> Iterator[tuple[int, Captions | Failure]]:
        """Yield rows and what the model says of each."""
        for row in range(len(pictures)):
            image = pictures.read(row, SIDE)
            if image is None:
                continue
            try:
                said = self._ask(image)
            except (ValueError, TypeError, IndexError) as error:  # what a processor makes of an odd picture
                yield row, Failure(f"{type(error).__name__}: {error}")
                continue
            yield row, said or Failure("the answers of the model say nothing that can be used")

    def _ask(self, image: Image.Image) -> Captions:
        spec = self._captioner.spec
        if spec.tasks:
            short, descriptive = (clean_caption(self._captioner.answer(image, task)) for task in spec.tasks)
            return {self.languages[0]: MachineCaption(short, descriptive)} if short else {}
        captions = read_answer(self._captioner.answer(image, make_prompt(self.languages)))
        if is_whole(captions, self.languages):
            return captions
        return merge(captions, read_answer(self._captioner.answer(image, make_prompt(self.languages, is_second=True))))
