"""`python -m models.training PACK`: train the built-in encoder from its bases.

On Linux it is faster where freed memory is kept, as it is then not cleared anew at every step: with
MALLOC_MMAP_THRESHOLD_=8589934592 and MALLOC_TRIM_THRESHOLD_=17179869184 in the environment.
"""

from pathlib import Path
from typing import Annotated

import typer

from models.foundation.progress import StepDisplay
from models.training.starter.bases import Bases
from models.training.starter.training import StarterTraining, TrainingRecipe


def main(
    pack: Annotated[Path, typer.Argument(help="Pictures in tar shards, and index.jsonl", exists=True, file_okay=False)],
    words: Annotated[Path, typer.Option(help="cedict_ts.u8, wordnet/, freq_en.tsv, freq_zh.tsv", exists=True)],
    work: Annotated[Path, typer.Option(help="What is done so far is kept here; the same command goes on")],
    output: Annotated[Path, typer.Option(help="Where the encoder's files are written")],
) -> None:
    """Train the built-in encoder. Needs the extra `bases`, and hours on a processor."""
    with StepDisplay() as display:
        StarterTraining(
            pack,
            words,
            work,
            TrainingRecipe(),
            bases=Bases.installed(),
            say=typer.echo,
            tell=display.advance,
        ).run(output)


if __name__ == "__main__":
    typer.run(main)
