"""`xuntu models finetune`."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from models.cli import say_next_steps
from models.foundation.errors import BackendNotInstalled, InvalidSetting, NotTrainable
from models.foundation.messages import Message, mark, message
from models.foundation.terminal import Data, Json, print_json, print_table, say, tell

if TYPE_CHECKING:
    from models.encoders.finetuned import Card
    from models.encoders.published import Published
    from models.encoders.runtime import Runtime
    from models.training.finetune.pairs import Skipped

_NAMED = 10  # rows that are left out, on the terminal
_TOWERS = ("image", "text", "none")


def finetune(
    context: typer.Context,
    pairs: Annotated[
        Path,
        typer.Argument(metavar="PAIRS", help="CSV, TSV or JSON lines: picture and caption.", show_default=False),
    ],
    *,
    name: Annotated[str, typer.Option(help="What the new encoder is called.", show_default=False)],
    encoder: Annotated[str, typer.Option(help="The encoder to begin with.")] = "chinese-clip-vit-b-16",
    epochs: Annotated[float, typer.Option(min=0.001, help="How often each pair is seen.")] = 5,
    batch_size: Annotated[int, typer.Option(min=2, help="Pairs compared with one another.")] = 256,
    micro_batch: Annotated[
        int | None,
        typer.Option(min=1, help="Of them, pairs computed at once on a device.", show_default="64; on a processor 16"),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            "--learning-rate", min=1e-9, max=1, help="How far a step goes.", show_default="1e-5; with adapters 1e-4"
        ),
    ] = None,
    freeze: Annotated[str, typer.Option(help="The tower that stays as it is: image, text or none.")] = "none",
    lora: Annotated[int, typer.Option(min=0, max=1024, help="Train adapters of this rank; 0: the weights.")] = 0,
    flip: Annotated[
        bool, typer.Option("--flip", help="Mirror half of the pictures: where left and right do not matter.")
    ] = False,
    validation: Annotated[
        str, typer.Option(help="What to measure with: a file like PAIRS, or a share of the pictures.")
    ] = "0.1",
    output: Annotated[
        Path | None, typer.Option(help="Folder of weights for the result.", show_default="that of all encoders")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes that read pictures.", show_default="one per processor")
    ] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Train an encoder on your own pictures and captions; measure before and after on some that it does not see.

    Stop it at any time: the same command goes on where it stopped. The result is an encoder like any other.
    """
    for package in ("torch", "cn_clip", *(["peft"] if lora else [])):
        if find_spec(package) is None:
            raise BackendNotInstalled(package, "train")
    from models.config import EncoderSettings, load_settings
    from models.foundation.progress import StepDisplay
    from models.training.finetune.finetuning import FinetuneOptions, Finetuning, Listener, Stopped
    from models.training.loop import TrainingReport

    settings = load_settings(EncoderSettings, data=data or context.obj)
    if math.isinf(epochs):
        raise InvalidSetting("--epochs", str(epochs), message("a training has an end"))
    if freeze not in _TOWERS:
        raise InvalidSetting("--freeze", freeze, message("it is one of {names}", names=_TOWERS))
    options = FinetuneOptions(
        epochs=epochs,
        batch_size=batch_size,
        micro_batch=micro_batch,
        rate=rate,
        freeze=freeze,
        lora=lora,
        flip=flip,
        validation=_table_or_share(validation),
        workers=workers,
    )
    base = _trainable(encoder, settings.runtime)
    _check_name(name)
    with StepDisplay() as display:

        def show(report: TrainingReport) -> None:
            loss = sum(report.losses.values())
            note = message("loss {loss:.3f}, {speed}", loss=loss, speed=_speed(report.steps_per_second))
            display.advance(mark("train"), report.step, report.steps, note)

        done = Finetuning(
            table=pairs,
            base=base,
            name=name,
            runtime=settings.runtime,
            weights=output or settings.runtime.weights,
            options=options,
            listener=Listener(on_step=display.advance, on_skipped=_tell_skipped, on_report=show),
        ).run()
    if isinstance(done, Stopped):
        tell(
            message(
                "Stopped after step {step} of {steps}. The same command goes on from there.",
                step=done.step,
                steps=done.steps,
            )
        )
        raise typer.Exit(130)
    if as_json:
        print_json(asdict(done))
    else:
        elsewhere = f" --data {settings.data}" if settings.weights is None and settings.data != Path("data") else ""
        _print_card(done, before=f"XUNTU_WEIGHTS={output} " if output else "", after="" if output else elsewhere)
    if done.got_worse:
        tell(
            message(
                "{name} finds less than {base} does, on pairs that it has not seen. Try a lower --learning-rate, fewer "
                "--epochs, --lora 16, or more pairs.",
                name=name,
                base=done.base,
            )
        )


def _print_card(card: "Card", *, before: str, after: str) -> None:
    """Print what was gained, and the commands that go on; `before` and `after` them stands where the encoder lies."""
    head = (message("recall"), message("pairs"), message("before"), message("after"))
    rows = [
        (what, card.held_out_pairs, f"{found:.1%}", f"{card.after[what]:.1%}") for what, found in card.before.items()
    ]
    print_table(head, rows)
    say(
        message(
            "{name}: {base}, trained on {pairs} pairs of {pictures} pictures ({license}).",
            name=card.name,
            base=card.base,
            pairs=card.pairs,
            pictures=card.pictures,
            license=card.license,
        )
    )
    say_next_steps(card.name, before=before, after=after)


def _tell_skipped(skipped: "Sequence[Skipped]") -> None:
    tell(message("{count} rows are left out (all of them in skipped.tsv beside the training):", count=len(skipped)))
    for one in skipped[:_NAMED]:
        tell(message("  {where}: {why}", where=one.where, why=one.why))


def _speed(steps_per_second: float) -> Message:
    if steps_per_second >= 1:
        return message("{rate:.1f} steps a second", rate=steps_per_second)
    return message("{seconds:.1f} s a step", seconds=1 / steps_per_second)


def _table_or_share(text: str) -> Path | float:
    try:
        share = float(text)
    except ValueError:
        return Path(text)
    if not 0 < share < 1:
        raise InvalidSetting("--validation", text, message("it is a file, or a share between 0 and 1"))
    return share


def _check_name(name: str) -> None:
    from models.encoders.finetuned import is_name
    from models.encoders.registry import is_known

    if not is_name(name):
        why = message(
            "it is made of small letters, digits, dots, dashes and underscores, and begins with one of the first two"
        )
        raise InvalidSetting("--name", name, why)
    if is_known(name):
        raise InvalidSetting("--name", name, message("an encoder that comes with xuntu has that name"))


def _trainable(encoder: str, runtime: "Runtime") -> "Published":
    from models.encoders.registry import get_published

    published = get_published(encoder, runtime)
    if published is None or published.family.load_trainable is None:
        raise NotTrainable(encoder)
    return published
