"""`python -m models.training PACK`: train the built-in encoder from random numbers."""

from pathlib import Path
from typing import Annotated

import typer

from models.foundation.progress import StepDisplay
from models.training.starter.training import StarterTraining, TrainingRecipe


def main(
    pack: Annotated[Path, typer.Argument(help="Pictures in tar shards, and index.jsonl", exists=True, file_okay=False)],
    teachers: Annotated[list[Path], typer.Option("--teacher", help="A teacher's .tflite file; give both", exists=True)],
    words: Annotated[Path, typer.Option(help="cedict_ts.u8, wordnet/, freq_en.tsv, freq_zh.tsv", exists=True)],
    work: Annotated[Path, typer.Option(help="What is done so far is kept here; the same command goes on")],
    output: Annotated[Path, typer.Option(help="Where the encoder's files are written")],
    processes: Annotated[int, typer.Option(min=1, help="That run the teachers")] = 2,
) -> None:
    """Train the built-in encoder. Needs the extra `teachers`, and many hours on a processor."""
    with StepDisplay() as display:
        StarterTraining(
            pack, teachers, words, work, TrainingRecipe(), processes=processes, say=typer.echo, tell=display.advance
        ).run(output)


if __name__ == "__main__":
    typer.run(main)
