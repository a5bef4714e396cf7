"""``trueup venues``: what each venue offers, a look at an account, and venues to rehearse against."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from trueup.cli.options import Config, ExitCode, Json
from trueup.cli.output import Output
from trueup.cli.verbs import register

if TYPE_CHECKING:
    from trueup.model.instruments import Instrument
    from trueup.model.venues import Capabilities
    from trueup.venues.ccxt.capabilities import Offer

Name = Annotated[str, typer.Argument(metavar="NAME", help="An account of the settings: NAME or VENUE:NAME.")]

VERIFIED = {
    "hyperliquid": "recorded answers; published signatures; a server of its protocol, which the official client "
    "and ccxt judged",
    "oanda": "recorded answers; a server of its protocol, which the official client judged",
    "coinbase": "recorded answers; tokens verified with the public key; a server of its protocol",
    "coinbase_derivatives": "recorded answers of Deribit, whose engine it is; a server of its protocol",
    "deribit": "recorded answers; a published signature; a server of its protocol, which ccxt judged",
    "zerodha": "published answers; a server of its protocol, which the official client judged",
    "ccxt": "recorded answers of seven exchanges; the conformance suite against servers of Hyperliquid and Deribit",
    "paper": "the conformance suite",
    "generic": "files of every kind, and broken ones",
}
"""How each was tried; nothing here ever spoke to a venue itself."""

_PARTS = ("positions", "balances", "orders", "trades", "funding", "transfers", "streams", "sandbox", "tried")
"""What is told of an exchange of ccxt's."""

_YES = {True: "yes", False: "no"}


def list_venues(
    *,
    every: Annotated[bool, typer.Option("--all", help="Each exchange of venue ccxt, instead of the venues.")] = False,
    as_json: Json = False,
) -> int:
    """Show what each venue offers, what cannot be done there and why, and how it was verified.

    CURSOR says how the history can be read again: exact by dense ids, where a hole shows; by overlapping times; or not
    at all. FIND says whether an order can be looked up by our id after its answer was lost.

    With --all it is told of each exchange that ccxt knows what can be reconciled there; TRIED are those for which there
    is a table of what ccxt leaves out or says otherwise. What cannot be had there is told by --json, in sentences.
    """
    if every:
        return _list_exchanges(Output(as_json=as_json))
    from trueup.bootstrap.venues import venue_capabilities

    out = Output(as_json=as_json)
    found = venue_capabilities()
    if as_json:
        out.data({"venues": [_shape(venue, offers) for venue, offers in found.items()]})
        return ExitCode.FINE
    from trueup.cli import render

    names = ("VENUE", "CURSOR", "FACTS KEPT", "FIND", "ORDERS", "IN FORCE", "AMENDS", "HEDGES", "STREAMS")
    columns = [*map(render.text, names), render.prose("VERIFIED BY")]
    render.show_table(columns, [_row(venue, offers) for venue, offers in found.items()])
    for venue, offers in found.items():
        for sentence in offers.cannot:
            render.show(f"{venue}: {sentence}")
    return ExitCode.FINE


def check(*, name: Name, config: Config = None, as_json: Json = False) -> int:
    """Look at an account: is the venue there, whose account is it, how does its clock run, what may the key do.

    Nothing is booked and nothing is changed.

    Examples:
      trueup venues check hyperliquid:main
      trueup venues check main --config rehearsal.toml
    """
    from trueup.cli.live import account_set, connected
    from trueup.engine.reading import Hints

    out = Output(as_json=as_json)
    account = account_set(config, *_split(name))

    async def looked() -> tuple[Sequence[str], Sequence[str]]:
        async with connected(account, Hints()) as venue:
            return await venue.check(), venue.warnings

    sentences, warnings = asyncio.run(looked())
    if as_json:
        told = {"account": account.account, "stage": account.stage.value}
        out.data({**told, "found": list(sentences), "warnings": list(warnings)})
        return ExitCode.FINE
    from trueup.cli import render

    render.show(f"{account.account}, stage {account.stage.value}")
    for sentence in sentences:
        render.show(sentence)
    for warning in warnings:
        render.show(warning, "warn")
    return ExitCode.FINE


def instruments(*, name: Name, config: Config = None, as_json: Json = False) -> int:
    """Show the contract terms of everything an account may trade. Nothing is booked.

    Examples:
      trueup venues instruments oanda:main
    """
    from trueup.cli.live import account_set, connected
    from trueup.cli.shapes import plain
    from trueup.engine.reading import Hints

    out = Output(as_json=as_json)
    account = account_set(config, *_split(name))

    async def listed() -> "Sequence[Instrument]":
        async with connected(account, Hints()) as venue:
            return await venue.instruments()

    found = sorted(asyncio.run(listed()), key=lambda terms: terms.symbol)
    if as_json:
        out.data({"account": account.account, "instruments": [plain(terms) for terms in found]})
    else:
        _show_instruments(found)
    return ExitCode.FINE


def serve(
    *,
    venue: Annotated[
        Literal["coinbase", "coinbase_derivatives", "deribit", "hyperliquid", "oanda", "zerodha"],
        typer.Argument(help="Whose protocol it speaks."),
    ],
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="On this machine; 0 takes a free one.")] = 0,
    faults: Annotated[
        Path | None,
        typer.Option("--faults", metavar="FILE", help="What goes wrong on the wire, and when: a plan in TOML."),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option("--seconds", min=0, help="How long; without, until it is interrupted.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Serve a venue's protocol on this machine, in front of a paper exchange: to rehearse everything without keys.

    It prints the settings and the keys that point an account at it; they open nothing else. Prices move by themselves.
    What a plan of faults struck is told at the end.

    Examples:
      trueup venues serve hyperliquid --port 9000
      trueup venues serve oanda --faults plan.toml --seconds 600
    """
    from trueup.cli.rehearsal import rehearse

    return rehearse(venue, port, faults, seconds, Output(as_json=as_json))


def login(*, name: Name, config: Config = None, as_json: Json = False) -> int:
    """Log in at a venue where a person has to, which is Zerodha, once a day.

    It shows the address of the venue's page. Sign in there; the browser is then sent on to your app's own address,
    which need not answer. Paste that address here. The token that it gives is kept in the account's token_file, for
    this user alone, until the venue ends it the next morning.

    Examples:
      trueup venues login zerodha
      trueup venues login zerodha:main
    """
    from trueup.cli.live import account_set, logging_in

    out = Output(as_json=as_json)
    account = account_set(config, *_split(name))

    async def logged_in() -> str:
        async with logging_in(account) as flow:
            typer.echo(f"Sign in at:\n\n{flow.url}\n\nThen paste the address that you were sent on to:", err=as_json)
            return await flow.complete(sys.stdin.readline())

    _tell(out, account.account, asyncio.run(logged_in()))
    return ExitCode.FINE


def logout(*, name: Name, config: Config = None, as_json: Json = False) -> int:
    """Log out at a venue where a person logs in: its token ends, and the file that kept it goes.

    Examples:
      trueup venues logout zerodha:main
    """
    from trueup.cli.live import account_set, logging_in

    out = Output(as_json=as_json)
    account = account_set(config, *_split(name))

    async def logged_out() -> None:
        async with logging_in(account) as flow:
            await flow.end()

    asyncio.run(logged_out())
    _tell(out, account.account, "Logged out.")
    return ExitCode.FINE


app = typer.Typer(help="What venues offer, a look at an account, and venues to rehearse against.", no_args_is_help=True)
register(app, list_venues, "list")
register(app, check)
register(app, instruments)
register(app, serve)
register(app, login)
register(app, logout)


def _list_exchanges(out: Output) -> int:
    """Show what can be reconciled at each exchange that ccxt knows."""
    from trueup.bootstrap.venues import exchange_offers

    offers = exchange_offers()
    if out.as_json:
        out.data({"exchanges": [_exchange_shape(offer) for offer in offers]})
        return ExitCode.FINE
    from trueup.cli import render

    columns = [render.text(name) for name in ("EXCHANGE", "NEEDS", *(part.upper() for part in _PARTS), "FIND")]
    rows: list[list[render.Cell]] = [
        [
            offer.exchange,
            ", ".join(offer.needs),
            *(_YES[getattr(offer, part)] for part in _PARTS),
            offer.capabilities.find,
        ]
        for offer in offers
    ]
    render.show_table(columns, rows)
    render.show(f"{len(rows)} exchanges; what cannot be had at each of them: trueup venues list --all --json")
    return ExitCode.FINE


def _exchange_shape(offer: "Offer") -> dict[str, object]:
    parts = {part: getattr(offer, part) for part in _PARTS}
    offers = offer.capabilities
    return {
        "exchange": offer.exchange,
        "needs": list(offer.needs),
        **parts,
        "find": offers.find,
        "order_types": sorted(offers.order_types),
        "cannot": list(offers.cannot),
    }


def _split(name: str) -> tuple[str | None, str | None]:
    """The venue that a name says, if it does, and the name, where it is not that of a venue alone."""
    from trueup.settings.shape import VENUES

    venue, colon, _ = name.partition(":")
    if not colon and name in VENUES:
        return name, None
    return (venue if colon else None), name


def _tell(out: Output, account: str, told: str) -> None:
    if out.as_json:
        out.data({"account": account, "told": told})
    else:
        from trueup.cli import render

        render.show(told)


def _shape(venue: str, offers: "Capabilities") -> dict[str, object]:
    return {
        "venue": venue,
        "cursor": offers.cursor,
        "history_max": offers.history_max,
        "find": offers.find,
        "order_types": sorted(offers.order_types),
        "times_in_force": sorted(force for force in offers.times_in_force if force),
        "amends": offers.amends,
        "hedges": offers.hedges,
        "streams": offers.streams,
        "cannot": list(offers.cannot),
        "verified": VERIFIED[venue],
    }


def _row(venue: str, offers: "Capabilities") -> list[str | int]:
    return [
        venue,
        offers.cursor,
        "all" if offers.history_max is None else offers.history_max,
        offers.find,
        ", ".join(sorted(offers.order_types)) or "-",
        ", ".join(sorted(force for force in offers.times_in_force if force)) or "-",
        _YES[offers.amends],
        _YES[offers.hedges],
        _YES[offers.streams],
        VERIFIED[venue],
    ]


def _show_instruments(found: "Sequence[Instrument]") -> None:
    from trueup.cli import render

    columns = [render.text(name) for name in ("SYMBOL", "NATIVE", "KIND", "SETTLES IN")]
    columns += [render.number(name) for name in ("TICK", "STEP", "CONTRACT", "LEVERAGE")]
    rows: list[list[render.Cell]] = [
        [
            terms.symbol,
            terms.native_symbol,
            terms.kind,
            terms.settle,
            "" if terms.price_tick is None else terms.price_tick,
            "" if terms.quantity_step is None else terms.quantity_step,
            terms.contract_size,
            "" if terms.max_leverage is None else terms.max_leverage,
        ]
        for terms in found
    ]
    render.show_table(columns, rows)
    render.show(f"{len(rows)} instruments")
