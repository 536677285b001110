"""What `xuntu setup` prints: the plan, what was measured, and the command to go on with."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.foundation.messages import NOTHING, Message, Readable, Word, mark, message
from models.foundation.terminal import describe_bytes, print_table, say, tell

if TYPE_CHECKING:  # what follows takes time to import
    from models.config import EncoderSettings
    from models.foundation.hardware import Hardware
    from models.weights.measure import Speed
    from models.weights.setup import SetupPlan

LANGUAGE_NAMES = {"zh": mark("Chinese"), "en": mark("English"), "both": mark("Chinese and English")}


def describe_hardware(hardware: "Hardware") -> Message:
    """Return processors, free memory and GPUs in words."""
    said = message("{count} processors", count=hardware.cpus)
    if hardware.memory_bytes:
        said = message("{said}, {size} of free memory", said=said, size=describe_bytes(hardware.memory_bytes))
    if hardware.gpus and hardware.gpu_bytes:
        said = message(
            "{said}, {count} x GPU with {size}", said=said, count=hardware.gpus, size=describe_bytes(hardware.gpu_bytes)
        )
    elif hardware.gpus:
        said = message("{said}, {count} x GPU of unknown memory", said=said, count=hardware.gpus)
    return said


def print_plan(plan: "SetupPlan", *, language: str, hardware: "Hardware", found: "Hardware", why: Readable) -> None:
    """Print what is to be done, what it costs, and why this encoder; tell what is in the way."""
    spec = plan.spec
    runs_on = (
        message("{name} ({found})", name=hardware.name, found=describe_hardware(found)) if hardware is found else None
    )
    memory = message(
        "{size}; free are {free}", size=describe_bytes(plan.memory_bytes), free=describe_bytes(found.memory_bytes)
    )
    done = message("done already")
    rows: list[tuple[Readable, object]] = [
        (message("languages"), Message(LANGUAGE_NAMES[language])),
        (message("hardware"), runs_on or hardware.name),
        (message("licence"), Word(spec.license)),
        (message("size"), f"{spec.parameters / 1e6:.0f} M"),
        (message("download"), done if plan.has_weights else plan.source or _about(plan.download_bytes)),
        (message("runs as"), plan.precision),
        (message("export"), done if plan.is_exported else message("on this machine")),
        (
            message("disk, at most"),
            message("{size}; free are {free}", size=_about(plan.disk_bytes), free=describe_bytes(plan.free_bytes))
            if plan.disk_bytes
            else NOTHING,
        ),
        (message("memory of the export"), memory if plan.memory_bytes and found.memory_bytes else NOTHING),
        (message("weights in"), plan.folder),
    ]
    print_table((message("encoder"), spec.name), [row for row in rows if row[1] is not NOTHING])
    say(why)
    tell(message("Figures are published, not measured by xuntu: xuntu models show {name}", name=spec.name))
    if plan.memory_bytes > found.memory_bytes > 0:
        tell(
            message(
                "The export may need more memory than is free. Close other programs, or take a smaller encoder with "
                "--encoder: xuntu models list"
            )
        )
    if found.has_idle_gpu:
        tell(
            message(
                "There is a GPU, and nothing that computes on it. To use it: pip install -c constraints.txt '.[gpu]'"
            )
        )
    if plan.missing_package:
        tell(message("First install what an export needs: pip install -c constraints.txt '.[torch]'"))


def plan_fields(plan: "SetupPlan") -> dict[str, Any]:
    """Return a plan as `--json` prints it."""
    return {
        "folder": str(plan.folder),
        "precision": plan.precision,
        "license": plan.spec.license,
        "parameters": plan.spec.parameters,
        "download_bytes": plan.download_bytes,
        "disk_bytes": plan.disk_bytes,
        "memory_bytes": plan.memory_bytes,
        "has_weights": plan.has_weights,
        "is_exported": plan.is_exported,
        "missing_package": plan.missing_package,
    }


def print_speed(speed: "Speed") -> None:
    """Print what was measured, and that it was measured here."""
    say(
        message(
            "Measured here just now: {rate:.3g} pictures a second through the image tower ({count} pictures, decoding "
            "not counted).",
            rate=speed.pictures_a_second,
            count=speed.pictures,
        )
    )
    if speed.text_ms is not None:
        say(
            message(
                "Measured here just now: {text_ms:.3g} ms a text (median of {count}, one at a time).",
                text_ms=speed.text_ms,
                count=speed.texts,
            )
        )
    if speed.memory_bytes:
        say(
            message(
                "Measured here just now: {size} of memory with the encoder loaded.",
                size=describe_bytes(speed.memory_bytes),
            )
        )


def find_next(name: str, settings: "EncoderSettings") -> tuple[str, Message]:
    """Return the command to go on with, for a new library or for the one that is there, and a sentence that says it."""
    from indexer.library.builds.current import read_current
    from indexer.library.errors import IndexDamaged, NoIndex
    from indexer.library.layout import Layout

    here = "" if settings.data == Path("data") else f" --data {shlex.quote(str(settings.data))}"
    try:
        encoders = [entry.encoder for entry in read_current(Layout(settings.data.absolute())).indexes]
    except (NoIndex, IndexDamaged):
        encoders = []
    if not encoders:
        command = f"xuntu index build FOLDER --encoder {name}{here}"
        return command, message("Next: {command}", command=command)
    if name in encoders:
        command = f"xuntu index update{here}"
        said = message("The library in {data} has it already. Next: {command}", data=settings.data, command=command)
        return command, said
    command = f"xuntu index rebuild --reencode --encoder {name}{here}"
    said = message("Next, to encode the library in {data} anew: {command}", data=settings.data, command=command)
    return command, said


def _about(count: int) -> Message:
    return message("about {size}", size=describe_bytes(count)) if count else NOTHING
