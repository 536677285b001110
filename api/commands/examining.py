"""`xuntu doctor`: what is wrong here, and what to do."""

import typer

from models.foundation.messages import Word, message
from models.foundation.terminal import Data, Json, print_json, print_table, say


def doctor(context: typer.Context, *, data: Data = None, as_json: Json = False) -> None:
    """Check machine, packages, settings and library, and say what to do; the exit status is 1 when there is a problem.

    Nothing is changed, and nothing beyond this machine is asked.
    """
    from api.doctor.checkup import examine
    from api.doctor.findings import Level

    found = examine(data or context.obj)
    problems = [one for one in found if one.level is Level.PROBLEM]
    warnings = [one for one in found if one.level is Level.WARNING]
    if as_json:
        print_json(
            {
                "ok": not problems,
                "findings": [
                    {
                        "check": one.check,
                        "level": one.level,
                        "message": one.said.text("en"),
                        "to_do": one.to_do.text("en") if one.to_do else None,
                    }
                    for one in found
                ],
            }
        )
    else:
        rows = [(Word(one.level), one.check, one.said) for one in found]
        print_table((message("level"), message("check"), message("what was found")), rows)
        for one in [*problems, *warnings]:
            if one.to_do:
                say(message("{check}: {said}. To do: {to_do}", check=one.check, said=one.said, to_do=one.to_do))
        say(message("{problems} problems, {warnings} warnings.", problems=len(problems), warnings=len(warnings)))
    if problems:
        raise typer.Exit(1)
