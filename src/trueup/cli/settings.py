"""``trueup settings``: what is in force, and where each value comes from."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trueup.cli.options import ExitCode, Json
from trueup.cli.output import Output

if TYPE_CHECKING:
    from trueup.model.errors import BadSettings
    from trueup.settings import Settings

DEFAULT = "default"


def settings(
    *,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="The file; also TRUEUP_CONFIG. Default: trueup.toml here.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> int:
    """Show every setting that is in force, and where it comes from: a line of the file, a variable, or the default.

    A secret is shown by its name; there is no setting that holds one. trueup.toml.example says what may be set.

    Exit code 2: there are mistakes; all of them are listed, each with its place and what to do.

    Examples:
      trueup settings
      trueup settings --config /etc/trueup/trueup.toml --json
    """
    from trueup.cli.session import settings as in_force
    from trueup.model.errors import BadSettings

    out = Output(as_json=as_json)
    try:
        rows = list(_rows(in_force(config)))
    except BadSettings as error:
        _show_mistakes(out, error)
        return ExitCode.UNKNOWN
    if as_json:
        out.data({"settings": [{"key": key, "value": value, "source": source} for key, value, source in rows]})
    else:
        from trueup.cli import render

        columns = [render.text("SETTING"), render.text("VALUE"), render.text("FROM")]
        render.show_table(columns, [[key, _shown(value), source] for key, value, source in rows])
    return ExitCode.FINE


def _rows(settings: "Settings") -> Iterator[tuple[str, object, str]]:
    """Every setting with its value, in plain types, and its source."""
    import msgspec

    def row(key: str, value: object) -> tuple[str, object, str]:
        return key, value, settings.sources.get(key, DEFAULT)

    plain: dict[str, object] = msgspec.to_builtins(settings)
    plain.pop("sources")
    plain.pop("accounts")
    tables = {name: plain.pop(name) for name in ("allocation", "corrections", "rates", "assets")}
    yield from (row(key, value) for key, value in plain.items())
    for table, said in tables.items():
        if isinstance(said, dict):
            yield from (row(f"{table}.{name}", value) for name, value in said.items())
    for name, account in settings.accounts.items():
        yield row(f"accounts.{name}.venue", account.venue)
        values: dict[str, object] = msgspec.to_builtins(account)
        values.pop("account")
        yield from (row(f"accounts.{name}.{key}", value) for key, value in values.items())


def _shown(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(f'"{name}"' for name in value)
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if value != "" else "-"


def _show_mistakes(out: Output, error: "BadSettings") -> None:
    if out.as_json:
        out.data({"mistakes": [mistake._asdict() for mistake in error.mistakes]})
        return
    from trueup.cli import render

    columns = [render.text("WHERE"), render.text("SETTING"), render.prose("MISTAKE"), render.prose("REMEDY")]
    render.show_table(columns, [list(mistake) for mistake in error.mistakes])
