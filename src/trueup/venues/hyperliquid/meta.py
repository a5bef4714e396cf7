"""Markets: what a coin is called here, and the terms the venue states for it (``meta``, ``spotMeta``).

A perpetual and a named spot pair explain themselves; ``@107`` does not, and is refused until ``spotMeta`` was read.
All definitions are version 1: the venue never changes what a contract is worth. Prices have at most five significant
figures, which is no fixed tick, so none is stated.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

from trueup.model.errors import BadInput
from trueup.model.instruments import Instrument
from trueup.ports import Refused
from trueup.venues import rows
from trueup.venues.rows import Row

USDC = "USDC"
SPOT_WALLET = "spot"

_NAME = re.compile(r"[!-.0-9;-?A-~]{1,32}")  # printable ASCII but for / : and @, which mean something
_DECIMALS_MAX = 18


class Symbols:
    """The markets known so far in one import: what ``meta`` and ``spotMeta`` said, and what coins say themselves.

    Args:
        remembered: Terms from earlier imports: they name a coin where this import has no answer that does.
    """

    def __init__(self, remembered: Iterable[Instrument] = ()) -> None:
        self._by_coin: dict[str, Instrument] = {}
        self._remembered = {instrument.native_symbol: instrument for instrument in remembered}
        self._coins: dict[str, str] = {}
        self._tokens: dict[int, str] = {0: USDC}

    def instrument(self, coin: str, settle: str = "") -> Instrument:
        """The instrument behind a coin.

        Args:
            coin: As the venue writes it: ``BTC``, ``dex:XYZ``, ``PURR/USDC`` or ``@107``.
            settle: For a coin of a builder dex that no ``meta`` defined: the currency its fees are paid in, which is
                the dex's collateral; USDC when nothing says.

        Raises:
            BadInput: The coin cannot be named without guessing.
        """
        known = self._by_coin.get(coin) or self._remembered.get(coin)
        if known is not None:
            return known
        base, slash, quote = coin.partition("/")
        if slash and _NAME.fullmatch(base) and _NAME.fullmatch(quote):
            return spot(coin, base, quote)
        dex, colon, name = coin.rpartition(":")
        if _NAME.fullmatch(name) and (not colon or _NAME.fullmatch(dex)):
            return perpetual(coin, settle if dex and settle else USDC)
        raise BadInput(
            "coin",
            coin,
            "no market of this name is known",
            remedy="Import the saved answer of spotMeta (or meta) first.",
        )

    def define(self, instrument: Instrument) -> None:
        """Take the venue's own terms of a market.

        Raises:
            BadInput: Two markets would get the same name, and their holdings be mixed.
        """
        coin = self._coins.setdefault(instrument.symbol, instrument.native_symbol)
        if coin != instrument.native_symbol:
            raise BadInput(
                "name",
                instrument.native_symbol,
                f"another market, {coin}, is already called {instrument.symbol}",
                remedy="Check the answer: its tokens must have different names.",
            )
        self._by_coin[instrument.native_symbol] = instrument

    def scope(self, dex: str) -> frozenset[str]:
        """Every perpetual of a dex (the main one is ``""``); empty when its ``meta`` was not read."""
        return frozenset(instrument.symbol for instrument in self._perpetuals(dex))

    def collateral(self, dex: str) -> str:
        """The currency a dex pays in; empty when its ``meta`` was not read."""
        return next((instrument.settle for instrument in self._perpetuals(dex)), "")

    def _perpetuals(self, dex: str) -> Iterator[Instrument]:
        return (i for i in self._by_coin.values() if i.kind == "linear" and i.wallet == dex)

    def name_tokens(self, names: Mapping[int, str]) -> None:
        """Take the names of spot tokens by their index."""
        self._tokens.update(names)

    def token(self, index: int) -> str:
        """The name of a spot token; raises :class:`BadInput` when ``spotMeta`` did not give it."""
        name = self._tokens.get(index)
        if name is None:
            raise BadInput(
                "token", index, "no token of this index is known", remedy="Import the saved answer of spotMeta first."
            )
        return name


def perpetual(
    coin: str, settle: str = USDC, *, decimals: int | None = None, leverage: Decimal | None = None
) -> Instrument:
    """A perpetual: linear, one unit is one base. A coin ``dex:XYZ`` belongs to the dex's own wallet."""
    return Instrument(
        symbol=f"{coin}/{settle}:{settle}",
        native_symbol=coin,
        kind="linear",
        base=coin,
        quote=settle,
        settle=settle,
        quantity_step=_step(decimals),
        max_leverage=leverage,
        wallet=coin.rpartition(":")[0],
    )


def spot(coin: str, base: str, quote: str, *, decimals: int | None = None) -> Instrument:
    """A spot pair, which trades from and into the spot wallet."""
    return Instrument(
        symbol=f"{base}/{quote}",
        native_symbol=coin,
        kind="spot",
        base=base,
        quote=quote,
        settle=quote,
        quantity_step=_step(decimals),
        wallet=SPOT_WALLET,
    )


def read_meta(name: str, meta: Row, symbols: Symbols) -> tuple[Sequence[Instrument], Sequence[Refused]]:
    """The perpetuals of one dex, from ``meta``.

    Raises:
        BadInput: No list of markets, or a collateral whose name is not known yet.
    """
    settle = USDC if meta.get("collateralToken") is None else symbols.token(rows.integer(meta, "collateralToken"))

    def read(row: Row) -> Instrument:
        instrument = perpetual(
            _plain(row, "name"), settle, decimals=_decimals(row), leverage=rows.optional_decimal(row, "maxLeverage")
        )
        symbols.define(instrument)
        return instrument

    return rows.read_each(name, rows.records(meta, "universe"), read)


def read_spot_meta(name: str, meta: Row, symbols: Symbols) -> tuple[Sequence[Instrument], Sequence[Refused]]:
    """The spot pairs, from ``spotMeta``; its token names are kept for what is read later.

    Raises:
        BadInput: No list of tokens or markets.
    """
    tokens, bad_tokens = rows.read_each(
        name,
        rows.records(meta, "tokens"),
        lambda row: (rows.integer(row, "index"), (_plain(row, "name"), _decimals(row))),
    )
    decimals = {name: places for _, (name, places) in tokens}
    symbols.name_tokens({index: name for index, (name, _) in tokens})

    def read(row: Row) -> Instrument:
        base, quote = (symbols.token(index) for index in _pair(row))
        instrument = spot(rows.text(row, "name"), base, quote, decimals=decimals.get(base))
        symbols.define(instrument)
        return instrument

    pairs, bad_pairs = rows.read_each(name, rows.records(meta, "universe"), read)
    return pairs, [*bad_tokens, *bad_pairs]


def _pair(row: Row) -> tuple[int, int]:
    match rows.records(row, "tokens"):
        case [int(base), int(quote)]:
            return base, quote
        case other:
            raise BadInput("tokens", rows.shown(other), "not a pair of indices", remedy="Save the whole spotMeta.")


def _plain(row: Row, field: str) -> str:
    """A name that cannot be mistaken for two."""
    name = rows.text(row, field)
    if all(_NAME.fullmatch(part) for part in name.split(":")) and name.count(":") <= 1:
        return name
    raise BadInput(field, rows.shown(name), "not a plain name", remedy="Save the answer again, as the venue gave it.")


def _decimals(row: Row) -> int:
    places = rows.integer(row, "szDecimals")
    if 0 <= places <= _DECIMALS_MAX:
        return places
    raise BadInput("szDecimals", places, f"not between 0 and {_DECIMALS_MAX}", remedy="Save the answer again.")


def _step(decimals: int | None) -> Decimal | None:
    return None if decimals is None else Decimal(1).scaleb(-decimals)
