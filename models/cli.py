"""`xuntu models`: the encoders, their weights, and what is exported."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from models.foundation.errors import InvalidSetting
from models.foundation.messages import Readable, Word, mark, message
from models.foundation.terminal import Data, Json, describe_bytes, print_json, print_table, say, tell

if TYPE_CHECKING:
    from models.config import EncoderSettings
    from models.encoders.published import Published

app = typer.Typer(
    help="Encoders: what turns pictures and words into vectors.", no_args_is_help=True, pretty_exceptions_enable=False
)

_WORDS = {  # of status and checks, read by people and programs
    mark("image"),
    mark("text"),
    mark("built in"),
    mark("plug-in"),
    mark("checkpoint"),
    mark("golden vectors"),
    mark("the authors' code"),
    mark("weights: evaluation and non-commercial use"),
    mark("weights: evaluation and non-commercial use (MODEL_CARD.md)"),
    mark("non-commercial"),
    mark("text -> image, R@1"),
    mark("zero-shot, top-1"),
    mark("k-NN, top-1"),
}
_SHORT = {"weights: evaluation and non-commercial use (MODEL_CARD.md)": "non-commercial"}  # to fit a line of the list

Name = Annotated[str, typer.Argument(metavar="NAME", help="See: xuntu models list", show_default=False)]


@app.callback()
def _models(context: typer.Context, data: Data = None) -> None:
    context.obj = data or context.obj


def _settings(context: typer.Context, data: Path | None, **given: object) -> "EncoderSettings":
    from models.config import EncoderSettings, load_settings

    return load_settings(EncoderSettings, data=data or context.obj, **given)


@app.command("list")
def list_models(context: typer.Context, *, data: Data = None, as_json: Json = False) -> None:
    """List the encoders: what they are, where their weights lie, and what is exported."""
    from models.weights.status import describe_encoders

    found = describe_encoders(_settings(context, data).runtime)
    if as_json:
        print_json(found)
        return
    head = (
        message("name"),
        message("languages"),
        message("dim"),
        message("size"),
        message("download"),
        message("licence"),
        message("weights"),
    )
    rows = [
        (
            _named(one),
            " ".join(one["languages"]) or "–",
            one["dim"],
            _millions(one["parameters"]),
            _bytes(one["download_bytes"]),
            Word(_SHORT.get(one["license"], one["license"]).partition(" (")[0]),
            _here(one),
        )
        for one in found
    ]
    print_table(head, rows)
    tell(message("Published figures, and where each comes from: xuntu models show NAME"))


@app.command()
def show(context: typer.Context, name: Name, *, data: Data = None, as_json: Json = False) -> None:
    """Say all that is known of an encoder: what it is, where it comes from, what is published of how well it does."""
    from models.weights.status import describe_encoder

    one = describe_encoder(name, _settings(context, data).runtime)
    if as_json:
        print_json(one)
        return
    rows: list[tuple[Readable | str, object]] = [
        (message("space"), one["space"]),
        (message("built like"), one["architecture"]),
        (message("dim"), one["dim"]),
        (message("languages"), " ".join(one["languages"])),
        (message("tokens"), one["context_length"]),
        (message("size"), _millions(one["parameters"])),
        (message("licence"), Word(one["license"])),
        (message("terms to accept"), one["terms"]),
        (message("download"), _bytes(one["download_bytes"])),
        *((message("published at"), place) for place in one["places"]),
        (message("commit"), one["revision"]),
        (message("weights"), Word(one["weights"]) if one["weights"] else ""),
        (message("on disk"), _bytes(one["bytes"])),
        (message("exported"), " ".join(one["exported"])),
        (message("fingerprint"), one["fingerprint"]),
    ]
    known = [(said, value) for said, value in rows if value not in ("", "–", 0, None)]
    print_table((message("name"), _named(one)), known)
    if one["figures"]:
        print()
        head = (message("published figure"), message("measure"), "%", message("source"))
        figures = [(f["dataset"], Word(f["measure"]), f"{f['value']:.1f}", f["source"]) for f in one["figures"]]
        print_table(head, figures)


@app.command()
def pull(
    context: typer.Context,
    name: Name,
    *,
    source: Annotated[
        Path | None,
        typer.Option("--from", help="A checkpoint file, or a folder with one: nothing is fetched.", show_default=False),
    ] = None,
    hub: Annotated[str | None, typer.Option(help="auto, huggingface or modelscope.", show_default="auto")] = None,
    accept_licence: Annotated[
        str,
        typer.Option(metavar="NAME", help="The licence you have read and accept, where one asks for it."),
    ] = "",
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Bring an encoder's weights to this machine: from a hub, or from a file you have.

    Stop it at any time: the same command goes on where it stopped. HF_ENDPOINT or XUNTU_MIRROR names a mirror of
    Hugging Face, XUNTU_HUB=modelscope goes to ModelScope at once, XUNTU_OFFLINE=1 never touches the network.
    """
    from models.foundation.progress import StepDisplay
    from models.weights.fetch import FetchOptions, adopt, fetch

    settings = _settings(context, data, hub=hub)
    published = _published(name, settings)
    if published is None:
        tell(message("{name} is built in: there is nothing to fetch.", name=name))
        return
    folder = published.folder(settings.runtime)
    with StepDisplay(in_bytes=True) as display:
        if source is not None:
            record = adopt(folder, source, on_progress=display.advance)
        else:
            options = FetchOptions(
                offline=settings.offline,
                hub=settings.hub,
                mirror=settings.mirror,
                accepted_licence=accept_licence,
                on_progress=display.advance,
            )
            record = fetch(folder, options)
    if as_json:
        print_json({"name": name, "folder": str(folder.path), **asdict(record)})
        return
    files = [file.name for file in record.checkpoint]
    say(
        message(
            "{name}: {files} in {folder}, from {source}.",
            name=name,
            files=files,
            folder=folder.path,
            source=record.source,
        )
    )
    here = f" --data {settings.data}" if settings.weights is None and settings.data != Path("data") else ""
    say_next_steps(name, after=here, exportable="int8" in published.family.exports)


@app.command()
def export(
    context: typer.Context,
    name: Name,
    *,
    precision: Annotated[
        list[str] | None,
        typer.Option(help="fp32, fp16 (GPUs) or int8 (processors); may be repeated.", show_default="fp32"),
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(help="A folder of pictures to measure and calibrate on.", show_default="those of the library"),
    ] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Turn an encoder into ONNX, which runs faster and needs no torch, and prove that its vectors are the same."""
    from models.encoders.runtime import PRECISIONS
    from models.foundation.progress import StepDisplay
    from models.weights.export import export as run_export
    from models.weights.status import list_pictures

    settings = _settings(context, data)
    wanted = list(dict.fromkeys(precision or ["fp32"]))
    for one in wanted:
        if one not in PRECISIONS:
            raise InvalidSetting("--precision", one, message("it is one of {names}", names=PRECISIONS))
    published = _published(name, settings)
    if published is None:
        tell(message("{name} is built in, and exported already.", name=name))
        return
    for one in wanted:
        published.check_exportable(one)
    paths = list_pictures(pictures, settings.data)
    if not paths:
        tell(
            message(
                "No pictures to measure on: synthetic ones are used. Name a folder with --pictures, or index one first."
            )
        )
    folder = published.folder(settings.runtime)
    with StepDisplay() as display:
        done = run_export(published, folder, wanted, pictures=paths, on_step=display.advance)
    if as_json:
        print_json([asdict(one) for one in done])
        return
    head = (
        message("tower"),
        message("runs as"),
        "MB",
        message("inputs"),
        message("real"),
        message("lowest cosine"),
        message("mean cosine"),
        message("10 nearest kept"),
    )
    print_table(
        head,
        [
            (
                Word(one.tower),
                one.precision,
                f"{sum((folder.path / file.name).stat().st_size for file in one.files) / 1e6:.0f}",
                one.inputs,
                one.pictures,
                f"{one.min_cosine:.6f}",
                f"{one.mean_cosine:.6f}",
                f"{one.neighbours_kept:.1%}",
            )
            for one in done
        ],
    )


@app.command()
def verify(context: typer.Context, name: Name, *, data: Data = None, as_json: Json = False) -> None:
    """Check an encoder's files against their checksums, and its vectors against golden ones."""
    from models.foundation.progress import StepDisplay
    from models.weights.verify import verify as run_verify

    settings = _settings(context, data)
    with StepDisplay() as display:
        checks = run_verify(name, settings.runtime, on_step=display.advance)
    if as_json:
        print_json([asdict(check) for check in checks])
    else:
        rows = [
            (
                Word(c.tower),
                Word(c.form),
                Word(c.against),
                f"{c.min_cosine:.6f}",
                f"{c.least:g}",
                message("ok") if c.ok else message("WRONG"),
            )
            for c in checks
        ]
        head = (
            message("tower"),
            message("runs as"),
            message("compared with"),
            message("lowest cosine"),
            message("needed"),
            "",
        )
        print_table(head, rows)
    if not all(check.ok for check in checks):
        tell(message("Run again: xuntu models pull {name}, then xuntu models export {name}", name=name))
        raise typer.Exit(1)


def say_next_steps(name: str, *, before: str = "", after: str = "", exportable: bool = True) -> None:
    """Print the commands that go on with an encoder; `before` and `after` them stands where it lies."""
    commands = {"name": name, "before": before, "after": after}
    say(message("To use it: {before}xuntu index build PATH --encoder {name}{after}", **commands))
    if exportable:
        say(message("To make it faster: {before}xuntu models export {name} --precision int8{after}", **commands))


def _millions(parameters: int) -> str:
    return f"{parameters / 1e6:.0f} M" if parameters else "–"


def _bytes(count: int) -> str:
    return describe_bytes(count) if count else "–"


def _here(encoder: Mapping[str, Any]) -> Readable | str:
    """Say in a few words what lies on this machine: precisions, a checkpoint, or nothing."""
    weights = encoder["weights"]
    if encoder["exported"]:
        return " ".join(encoder["exported"])
    if encoder["fingerprint"] is None:
        return message("unusable") if weights else "–"
    return Word(weights if weights in ("built in", "plug-in") else "checkpoint")


def _named(encoder: Mapping[str, Any]) -> Readable | str:
    from models.encoders.registry import DEFAULT_ENCODER

    name: str = encoder["name"]
    if encoder["architecture"]:
        return message("{name} (fine-tuned)", name=name)
    return message("{name} (default)", name=name) if name == DEFAULT_ENCODER else name


def _published(name: str, settings: "EncoderSettings") -> "Published | None":
    from models.encoders.registry import get_published

    return get_published(name, settings.runtime)
