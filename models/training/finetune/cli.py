"""`xuntu models finetune`."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from models.foundation.errors import BackendNotInstalled, InvalidSetting, NotTrainable
from models.foundation.terminal import Data, Json, print_json, print_table, tell

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
        raise InvalidSetting("--epochs", str(epochs), "a training has an end")
    if freeze not in _TOWERS:
        raise InvalidSetting("--freeze", freeze, f"it is one of {', '.join(_TOWERS)}")
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
            note = f"loss {sum(report.losses.values()):.3f}, {_speed(report.steps_per_second)}"
            display.advance("train", report.step, report.steps, note)

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
        tell(f"Stopped after step {done.step} of {done.steps}. The same command goes on from there.")
        raise typer.Exit(130)
    if as_json:
        print_json(asdict(done))
    else:
        elsewhere = f" --data {settings.data}" if settings.weights is None and settings.data != Path("data") else ""
        _print_card(done, before=f"XUNTU_WEIGHTS={output} " if output else "", after="" if output else elsewhere)
    if done.got_worse:
        tell(
            f"{name} finds less than {done.base} does, on pairs that it has not seen. Try a lower --learning-rate, "
            "fewer --epochs, --lora 16, or more pairs."
        )


def _print_card(card: "Card", *, before: str, after: str) -> None:
    """Print what was gained, and the commands that go on; `before` and `after` them stands where the encoder lies."""
    head = ("recall", "pairs", "before", "after")
    rows = [
        (what, card.held_out_pairs, f"{found:.1%}", f"{card.after[what]:.1%}") for what, found in card.before.items()
    ]
    print_table(head, rows)
    print(f"{card.name}: {card.base}, trained on {card.pairs} pairs of {card.pictures} pictures ({card.license}).")
    print(f"To use it: {before}xuntu index build PATH --encoder {card.name}{after}")
    print(f"To make it faster: {before}xuntu models export {card.name} --precision int8{after}")


def _tell_skipped(skipped: "Sequence[Skipped]") -> None:
    tell(f"{len(skipped)} rows are left out (all of them in skipped.tsv beside the training):")
    for one in skipped[:_NAMED]:
        tell(f"  {one.where}: {one.why[0]}")


def _speed(steps_per_second: float) -> str:
    if steps_per_second >= 1:
        return f"{steps_per_second:.1f} steps a second"
    return f"{1 / steps_per_second:.1f} s a step"


def _table_or_share(text: str) -> Path | float:
    try:
        share = float(text)
    except ValueError:
        return Path(text)
    if not 0 < share < 1:
        raise InvalidSetting("--validation", text, "it is a file, or a share between 0 and 1")
    return share


def _check_name(name: str) -> None:
    from models.encoders.finetuned import is_name
    from models.encoders.registry import is_known

    if not is_name(name):
        why = "it is made of small letters, digits, dots, dashes and underscores, and begins with one of the first two"
        raise InvalidSetting("--name", name, why)
    if is_known(name):
        raise InvalidSetting("--name", name, "an encoder that comes with xuntu has that name")


def _trainable(encoder: str, runtime: "Runtime") -> "Published":
    from models.encoders.registry import get_published

    published = get_published(encoder, runtime)
    if published is None or published.family.load_trainable is None:
        raise NotTrainable(encoder)
    return published
