"""The steps of `xuntu setup`: fetch, export, verify, measure; what is done already is told as done."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from api.setup.output import print_speed
from models.foundation.messages import Word, message
from models.foundation.terminal import describe_bytes, say, tell

if TYPE_CHECKING:  # what follows takes time to import
    from models.config import EncoderSettings
    from models.encoders.published import Published
    from models.encoders.weights_folder import Export
    from models.foundation.hardware import Hardware
    from models.weights.setup import SetupPlan
    from models.weights.verify import Check

_FEW_NEIGHBOURS = 0.9  # of the ten nearest that an export keeps: below that a person is told


def run_steps(
    plan: "SetupPlan", published: "Published", settings: "EncoderSettings", hardware: "Hardware", *, as_json: bool
) -> dict[str, Any]:
    """Do what is left to be done; return what `--json` prints of it. Raises what fetching and exporting raise.

    Raises typer.Exit where the vectors are not what they should be.
    """
    from models.weights.measure import measure_speed

    plan.check()
    _fetch(plan, published, settings)
    exports = _export(plan, published, settings, hardware)
    checks = _verify(plan, settings)
    name = plan.spec.name
    tell(message("4 of 4, how fast it is: measured on this machine, with pictures and texts that are made up."))
    speed = measure_speed(name, settings.runtime)
    if not as_json:
        print_speed(speed)
    record = published.folder(settings.runtime).record()
    files = {*record.checkpoint, *(file for one in record.exports for file in one.files)}
    disk = sum(path.stat().st_size for file in files if (path := plan.folder / file.name).is_file())
    if not as_json:
        say(message("On disk: {size} in {folder}.", size=describe_bytes(disk), folder=plan.folder))
    return {
        "bytes": disk,
        "exports": [asdict(one) for one in exports],
        "checks": [asdict(check) for check in checks],
        "speed": asdict(speed),
    }


def _fetch(plan: "SetupPlan", published: "Published", settings: "EncoderSettings") -> None:
    from models.foundation.progress import StepDisplay
    from models.weights.fetch import FetchOptions, adopt, fetch

    if plan.has_weights:
        tell(message("1 of 4, fetch: done already."))
        return
    tell(message("1 of 4, fetch: into {folder}.", folder=plan.folder))
    folder = published.folder(settings.runtime)
    with StepDisplay(in_bytes=True) as display:
        if plan.source is not None:
            adopt(folder, plan.source, on_progress=display.advance)
            return
        options = FetchOptions(
            offline=settings.offline, hub=settings.hub, mirror=settings.mirror, on_progress=display.advance
        )
        fetch(folder, options)


def _export(
    plan: "SetupPlan", published: "Published", settings: "EncoderSettings", hardware: "Hardware"
) -> "list[Export]":
    """Export both towers, or find that it is done. On a GPU the checkpoint runs where an export is refused."""
    from models.foundation.errors import ExportRefused
    from models.foundation.progress import StepDisplay
    from models.weights.export import export
    from models.weights.setup import find_exports
    from models.weights.status import list_pictures

    folder = published.folder(settings.runtime)
    if plan.is_exported:
        tell(message("2 of 4, export: done already."))
        return find_exports(folder.record(), plan.spec, plan.precision)
    tell(
        message(
            "2 of 4, export as {precision}: this takes minutes, for a large encoder longer.", precision=plan.precision
        )
    )
    try:
        with StepDisplay() as display:
            pictures = list_pictures(None, settings.data)
            done = export(published, folder, [plan.precision], pictures=pictures, on_step=display.advance)
    except ExportRefused as error:
        if not hardware.gpus:
            raise
        tell(error)
        tell(message("The checkpoint itself runs on the GPU instead."))
        return []
    for one in done:
        if one.neighbours_kept < _FEW_NEIGHBOURS:
            tell(
                message(
                    "The {tower} tower keeps {share:.0%} of the ten nearest as {precision}. Slower and exact: xuntu "
                    "models export {name}, and XUNTU_PRECISION=fp32.",
                    tower=Word(one.tower),
                    share=one.neighbours_kept,
                    precision=one.precision,
                    name=plan.spec.name,
                )
            )
    return done


def _verify(plan: "SetupPlan", settings: "EncoderSettings") -> "list[Check]":
    from models.foundation.progress import StepDisplay
    from models.weights.verify import verify

    tell(message("3 of 4, verify: every file, and the vectors against golden ones."))
    with StepDisplay() as display:
        checks = verify(plan.spec.name, settings.runtime, on_step=display.advance)
    if wrong := [check for check in checks if not check.ok]:
        for check in wrong:
            tell(
                message(
                    "The {tower} tower as {form} has a lowest cosine of {cosine:.6f}, below {least:g}.",
                    tower=Word(check.tower),
                    form=Word(check.form),
                    cosine=check.min_cosine,
                    least=check.least,
                )
            )
        tell(message("Run again: xuntu models pull {name}, then xuntu models export {name}", name=plan.spec.name))
        raise typer.Exit(1)
    return checks
