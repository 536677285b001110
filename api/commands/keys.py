"""`xuntu key`: the keys of the REST API."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from models.foundation.messages import Readable, message, verbatim
from models.foundation.terminal import Data, Json, print_json, print_table, say, tell

if TYPE_CHECKING:
    from api.keys.records import KeyRecord

app = typer.Typer(help="Make keys for callers of the REST API, list and revoke them.", no_args_is_help=True)


@app.command()
def create(
    context: typer.Context,
    *,
    name: Annotated[str, typer.Option(help="What the key is called, in lists, logs and metrics.")],
    scopes: Annotated[
        str, typer.Option(help="What it may do, between commas: search, files, boards, index, admin.")
    ] = "search,files",
    rate: Annotated[str | None, typer.Option(help="How often it may ask: 10/s, 60/min, 1000/h, 5000/day.")] = None,
    expires: Annotated[str | None, typer.Option(help="When it ends: 12h, 30d or 8w from now, or a date.")] = None,
    libraries: Annotated[
        str | None, typer.Option(help="Libraries that it may ask, between commas, where a service has several.")
    ] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Make a key, and print it. It is shown this once: what is kept is a digest of it.

    A running service takes it within a second.
    """
    from api.keys import records
    from api.keys.store import add_key

    path = _file_of(context, data)
    key, now = records.make_key(), datetime.now(UTC)
    told = records.read_rate(rate)
    record = records.KeyRecord(
        name=records.check_name(name),
        digest=records.digest_of(key.encode()),
        scopes=records.read_scopes(scopes),
        rate=str(told) if told else None,
        libraries=frozenset(records.split_names(libraries)) or None if libraries else None,
        created_at=now.replace(microsecond=0),
        expires_at=records.read_expiry(expires, now) if expires else None,
    )
    add_key(path, record)
    if as_json:
        print_json({**_fields(record, now), "key": key})
        return
    tell(message("The key {name}. Keep it now: it is not shown again.", name=record.name))
    say(verbatim(key))


@app.command("list")
def list_keys(context: typer.Context, *, data: Data = None, as_json: Json = False) -> None:
    """List the keys: what each may do, how often, and until when. The keys themselves are not kept."""
    from api.keys.store import read_keys

    now = datetime.now(UTC)
    keys = read_keys(_file_of(context, data)) or []
    if as_json:
        print_json({"keys": [_fields(record, now) for record in keys]})
        return
    head = (message("name"), message("scopes"), message("rate"), message("made"), message("ends"))
    print_table(head, [_row(record, now) for record in keys])


@app.command()
def revoke(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of a key.")],
    *,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Take a key back. A running service refuses it within a second."""
    from api.keys.store import revoke_key

    path = _file_of(context, data)
    left = revoke_key(path, name)
    if as_json:
        print_json({"revoked": name, "left": left})
        return
    say(message("The key {name} is revoked.", name=name))
    if not left:
        tell(
            message(
                "No key is left, and callers without one are still refused. To let everybody on this machine in again, "
                "delete {path}",
                path=path,
            )
        )


def _file_of(context: typer.Context, data: Path | None) -> Path:
    from api.config import Settings
    from models.config import load_settings

    return load_settings(Settings, data=data or context.obj).keys_file


def _fields(record: "KeyRecord", now: datetime) -> dict[str, object]:
    """Return what is known of a key but its digest."""
    return record.model_dump(mode="json", exclude={"digest"}) | {"expired": record.is_expired(now)}


def _row(record: "KeyRecord", now: datetime) -> tuple[object, ...]:
    ends: Readable | str = ""
    if record.expires_at:
        ends = message("has expired") if record.is_expired(now) else _local(record.expires_at)
    scopes = ",".join(sorted(record.scopes))
    return record.name, scopes, record.rate or "", _local(record.created_at), ends


def _local(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")
