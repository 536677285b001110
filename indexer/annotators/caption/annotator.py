"""The annotator of captions: what a machine says of a picture, in fields of their own beside people's words."""

from collections.abc import Callable, Generator, Sequence
from functools import cached_property

from indexer.annotators.caption.agreement import DOUBTFUL, Agreement
from indexer.annotators.caption.captions import Captioner
from indexer.annotators.caption.local import LocalCaptioner
from indexer.annotators.caption.server import CaptionServer, is_on_this_machine
from indexer.annotators.errors import AnnotatorNotSetUp
from indexer.config import IndexerSettings
from indexer.library.annotated import AnnotatedLibrary
from indexer.library.annotations.fields import Field, FieldType
from indexer.library.annotations.port import IndexedPictures
from indexer.library.annotations.values import Failure, Values
from models.captioners.captioner import load_captioner
from models.captioners.spec import SPECS, find_captioner
from models.foundation.errors import ImageSearchError
from models.foundation.messages import mark, message


def open_captions(settings: IndexerSettings, library: AnnotatedLibrary) -> "CaptionAnnotator":
    """Return the annotator of captions, with the captioner that a person names. Raises AnnotatorNotSetUp."""
    return CaptionAnnotator(_choose_captioner(settings), library, settings)


def _choose_captioner(settings: IndexerSettings) -> Callable[[], Captioner]:
    """Return what opens the captioner, which takes a while for one of this machine."""
    caption = settings.caption
    spec = find_captioner(caption.model)
    if not caption.url and spec is not None:
        if not set(caption.in_languages) & set(spec.languages):
            how = message("{name} writes no {language}", name=spec.name, language=caption.languages)
            raise AnnotatorNotSetUp(CaptionAnnotator.name, how)
        return lambda: LocalCaptioner(load_captioner(spec, settings.runtime), caption.in_languages)
    if not caption.url or not caption.model:
        how = message(
            "name a server that speaks OpenAI's protocol with XUNTU_CAPTION__URL, such as http://localhost:11434/v1, "
            "and its model with XUNTU_CAPTION__MODEL; or with the latter alone a model whose files lie here: {names}",
            names=[one.name for one in SPECS],
        )
        raise AnnotatorNotSetUp(CaptionAnnotator.name, how)
    if settings.offline and not is_on_this_machine(caption.url):
        how = message("XUNTU_OFFLINE is set, and the caption server is not on this machine")
        raise AnnotatorNotSetUp(CaptionAnnotator.name, how)
    return lambda: CaptionServer(caption)


class CaptionAnnotator:
    """Has pictures captioned, and says whether each caption seems to fit."""

    name = "caption"
    version = 1
    state = ""  # another model does not do away with what is there: `annotate caption --again` does
    warnings: Sequence[ImageSearchError] = ()
    fields = (
        Field(
            name="caption_zh",
            type=FieldType.TEXT,
            label=mark("Caption by a machine, Chinese"),
            searchable=True,
            filterable=True,
        ),
        Field(
            name="caption_en",
            type=FieldType.TEXT,
            label=mark("Caption by a machine, English"),
            searchable=True,
            filterable=True,
        ),
        Field(
            name="caption_by",
            type=FieldType.TEXT,
            label=mark("Machine that wrote the caption"),
            filterable=True,
            faceted=True,
        ),
        Field(
            name="caption_agreement",
            type=FieldType.NUMBER,
            label=mark("Agreement of the caption with the picture"),
            filterable=True,
            shown=False,
        ),
        Field(
            name="caption_doubtful",
            type=FieldType.FLAG,
            label=mark("The machine's caption may not fit the picture"),
            filterable=True,
            faceted=True,
        ),
    )

    def __init__(
        self, open_captioner: Callable[[], Captioner], library: AnnotatedLibrary, settings: IndexerSettings
    ) -> None:
        self._open_captioner = open_captioner
        self._agreement = Agreement(library)
        self._settings = settings.caption

    def most(self, *, is_asked_for: bool) -> int | None:
        """Return the budget of a run that asks for captions, or of an update."""
        return self._settings.budget if is_asked_for else self._settings.with_updates

    @cached_property
    def _captioner(self) -> Captioner:
        return self._open_captioner()

    def annotate(self, pictures: IndexedPictures) -> Generator[tuple[int, Values | Failure], None, None]:
        """Yield the captions of pictures as they are written. Raises CaptionsRefused or CaptionsInterrupted."""
        for row, captions in self._captioner.caption(pictures):
            if isinstance(captions, Failure):
                yield row, captions
                continue
            agreement = self._agreement.measure(captions, pictures.vectors[row])
            yield (
                row,
                {
                    **{f"caption_{language}": caption.text for language, caption in captions.items()},
                    "caption_by": self._captioner.name,
                    "caption_agreement": None if agreement is None else round(agreement, 3),
                    "caption_doubtful": None if agreement is None else agreement < DOUBTFUL,
                },
            )
