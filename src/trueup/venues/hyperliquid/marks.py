"""Prices of markets: marks, and the mid that a market order is bounded by."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from trueup.model.errors import BadInput, Malformed, Rejected
from trueup.model.instruments import Instrument
from trueup.model.venues import Mark
from trueup.venues import rows
from trueup.venues.hyperliquid.meta import SPOT_WALLET
from trueup.venues.hyperliquid.session import Session, of_dex
from trueup.venues.transport.limiter import Priority


async def marks(session: Session, symbols: Sequence[str]) -> Sequence[Mark]:
    """Mark prices; a market without one is left out. Raises :class:`VenueError`."""
    await session.ready()
    wanted: defaultdict[str, list[Instrument]] = defaultdict(list)
    for symbol in dict.fromkeys(symbols):
        instrument = session.assets.find(symbol)
        if instrument is not None:
            wanted[instrument.wallet].append(instrument)
    found: list[Mark] = []
    for wallet, instruments in wanted.items():
        prices = await _prices(session, wallet)
        found += [Mark(i.symbol, prices[i.native_symbol]) for i in instruments if i.native_symbol in prices]
    return found


async def mid(session: Session, instrument: Instrument, priority: Priority) -> Decimal:
    """The middle between bid and ask. Raises :class:`VenueError`; :class:`Rejected` where nothing is offered."""
    dex = "" if instrument.wallet == SPOT_WALLET else instrument.wallet
    mids = await session.value("allMids", of_dex(dex), priority)
    try:
        price = rows.optional_decimal(rows.as_row(mids, "allMids"), instrument.native_symbol)
    except BadInput as error:
        raise Malformed(f"allMids: {error.message}", remedy=error.remedy) from error
    if price is None:
        raise Rejected(
            f"{instrument.symbol} has no price now, so no market order can be bounded by it.",
            remedy="Nothing was sent; give a limit.",
            venue_code="no_price",
        )
    return price


async def _prices(session: Session, wallet: str) -> Mapping[str, Decimal]:
    """Mark prices of a dex's perpetuals, or of spot pairs, by coin."""
    spot = wallet == SPOT_WALLET
    kind = "spotMetaAndAssetCtxs" if spot else "metaAndAssetCtxs"
    value = await session.value(kind, {} if spot else of_dex(wallet), Priority.REST)
    try:
        return dict(_each(value))
    except (BadInput, ValueError) as error:
        raise Malformed(f"{kind}: not markets with a context each: {error}.", remedy="Ask again.") from error


def _each(value: object) -> Iterator[tuple[str, Decimal]]:
    """Coin and mark of each market. Spot contexts name their coin; a perpetual's stands at its market's place."""
    match value:
        case [dict(meta), list(contexts)]:
            universe = rows.records(meta, "universe")
        case _:
            raise BadInput("contexts", rows.shown(value), "not a pair", remedy="Ask again.")
    named = bool(contexts) and all("coin" in rows.as_row(context) for context in contexts)
    coins = contexts if named else universe
    for market, context in zip(coins, contexts, strict=True):
        price = rows.optional_decimal(rows.as_row(context), "markPx")
        if price is not None:
            yield rows.text(rows.as_row(market), "coin" if named else "name"), price
