"""An annotator: how bright a picture is, 0..1."""

from collections.abc import Sequence

from PIL import ImageStat

from indexer.library.annotations.fields import Field, FieldType
from indexer.library.annotations.port import AnnotatedPicture, Needs
from indexer.library.annotations.values import Values


class BrightnessAnnotator:
    """What the entry point names. A thumbnail is enough for it, so an older library is brought up to date quickly."""

    name = "brightness"
    version = 1
    needs: Needs = "thumbnail"
    fields = (Field(name="brightness", type=FieldType.NUMBER, label="Brightness", label_zh="亮度", filterable=True),)

    def annotate(self, batch: Sequence[AnnotatedPicture]) -> Sequence[Values]:
        """Return the mean brightness of each picture."""
        return [{"brightness": round(ImageStat.Stat(one.image.convert("L")).mean[0] / 255, 3)} for one in batch]
