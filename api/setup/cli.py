"""The command `xuntu setup`."""

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.setup.output import LANGUAGE_NAMES, find_next, plan_fields, print_plan
from api.setup.questions import DEFAULT_LANGUAGE, ask_hardware, ask_language
from api.setup.steps import run_steps
from models.foundation.errors import FetchFailed, InvalidSetting, WeightsUnwritable
from models.foundation.messages import Readable, message
from models.foundation.terminal import Data, Json, print_json, say, tell

if TYPE_CHECKING:  # what follows takes time to import, and `xuntu search` needs none of it
    from models.config import EncoderSettings
    from models.encoders.published import Published
    from models.foundation.hardware import Hardware
    from models.weights.setup import SetupPlan


def setup(
    context: typer.Context,
    *,
    language: Annotated[
        str | None, typer.Option(help="What people will search in: zh, en or both.", show_default="is asked")
    ] = None,
    hardware: Annotated[
        str | None,
        typer.Option(
            help="What it will run on: cpu, cpu-N with N processors, gpu-N with N GB of its memory.",
            show_default="what is found here",
        ),
    ] = None,
    encoder: Annotated[
        str | None, typer.Option(help="Take this one. See: xuntu models list", show_default="by the answers")
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option("--from", help="A checkpoint file, or a folder with one: nothing is fetched.", show_default=False),
    ] = None,
    hub: Annotated[str | None, typer.Option(help="auto, huggingface or modelscope.", show_default="auto")] = None,
    mirror: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="A mirror of Hugging Face, as HF_ENDPOINT names it.", show_default=False),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing: what is not given is found here, or both.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Get a stronger encoder: choose one, fetch it, export it, verify it, and measure how fast it runs here.

    Stop it at any time: the same command goes on where it stopped.
    """
    from models.config import EncoderSettings, load_settings
    from models.encoders.registry import get_published, get_spec
    from models.foundation.hardware import find_hardware, parse_hardware
    from models.weights.setup import plan_setup

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: keep what is done
    settings = load_settings(EncoderSettings, data=data or context.obj, hub=hub, mirror=mirror)
    if language is not None and language not in LANGUAGE_NAMES:
        raise InvalidSetting("--language", language, message("it is one of {names}", names=list(LANGUAGE_NAMES)))
    found = find_hardware(settings.device)
    given = None if hardware is None else parse_hardware(hardware)
    is_complete = yes or encoder is not None or (language is not None and given is not None)
    if not is_complete and not as_json and sys.stdin.isatty() and sys.stderr.isatty():
        language, given = _ask(language, given, found)
        is_complete = True
    language, chosen = language or DEFAULT_LANGUAGE, given or found

    name, facts, why = _choose(language, chosen, encoder)
    published = get_published(name, settings.runtime)
    if published is None:
        tell(message("{name} is built in: there is nothing to fetch.", name=name))
        say(find_next(name, settings)[1])
        return
    plan = plan_setup(published, chosen, settings.runtime, source=source)
    facts |= {"language": language, "hardware": chosen.name, "plan": plan_fields(plan)}
    if not as_json:
        print_plan(plan, language=language, hardware=chosen, found=found, why=why)
        if not get_spec(name, settings.runtime).languages:
            tell(message("{name} reads no text: it compares pictures alone.", name=name))
    if not dry_run and is_complete:
        facts |= _explaining_failures(plan, published, settings, chosen, as_json=as_json)
        facts["next"], said = find_next(name, settings)
        if not as_json:
            say(said)
    elif not dry_run:
        tell(message("Nothing was changed: there is no terminal to ask in. To go on: xuntu setup --yes"))
    if as_json:
        print_json(facts)


def _ask(language: str | None, given: "Hardware | None", found: "Hardware") -> "tuple[str, Hardware]":
    """Return the language and the hardware, after asking for what was not given."""
    try:
        return language or ask_language(), given or ask_hardware(found)
    except KeyboardInterrupt:
        tell(message("Stopped. Nothing was changed."))
        raise typer.Exit(130) from None


def _choose(language: str, hardware: "Hardware", encoder: str | None) -> tuple[str, dict[str, Any], Readable]:
    """Return the encoder, what `--json` says of the choice, and why it was made."""
    from models.weights.advice import advise

    advice = advise(language, hardware)
    if encoder is None:
        facts = {"encoder": advice.encoder, "runner_up": advice.runner_up, "why": advice.why.text("en")}
        return advice.encoder, facts, advice.why
    why = message(
        "{encoder}: it was named. By the answers it would be {advised}.", encoder=encoder, advised=advice.encoder
    )
    if encoder == advice.encoder:
        why = advice.why
    return encoder, {"encoder": encoder, "runner_up": advice.encoder, "why": why.text("en")}, why


def _explaining_failures(
    plan: "SetupPlan", published: "Published", settings: "EncoderSettings", hardware: "Hardware", *, as_json: bool
) -> dict[str, Any]:
    """Run the steps; of what fails, say what to try where the error does not."""
    try:
        return run_steps(plan, published, settings, hardware, as_json=as_json)
    except KeyboardInterrupt:
        tell(message("Stopped. What was fetched or exported is kept; run the same command to go on."))
        raise typer.Exit(130) from None
    except FetchFailed as error:
        from models.encoders.weights_folder import MIRROR

        tell(error)
        tell(
            message(
                "To try another place: xuntu setup --mirror {mirror}, or xuntu setup --hub modelscope; with a file or "
                "a folder that you have: xuntu setup --from FILE. What was fetched is kept, and gone on with.",
                mirror=MIRROR,
            )
        )
        raise typer.Exit(1) from None
    except WeightsUnwritable as error:
        tell(error)
        tell(message("On another disk, for all libraries: set XUNTU_WEIGHTS to a folder there."))
        raise typer.Exit(1) from None
