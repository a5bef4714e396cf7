"""What the account holds now: ``clearinghouseState`` of one dex, and ``spotClearinghouseState``.

A row that cannot be read fails its whole part, because the rest would pass for everything. A coin without a known
market is listed as unmapped instead, and the others stand.
"""

from collections.abc import Sequence
from decimal import Decimal

from trueup.model.differences import VenuePosition, VenueSnapshot
from trueup.model.errors import BadInput
from trueup.model.instruments import Instrument, wallet_currency
from trueup.model.numbers import ZERO, exact, quotient
from trueup.ports import Refused
from trueup.venues import rows
from trueup.venues.hyperliquid.context import Context
from trueup.venues.hyperliquid.meta import SPOT_WALLET, USDC
from trueup.venues.rows import Row

_NOT_READ = "a row of it could not be read"
_MARGIN_MODES = {"cross": "cross", "isolated": "isolated"}


def read_clearinghouse(context: Context, state: Row) -> tuple[VenueSnapshot, Sequence[Refused], str]:
    """Positions and cash of one dex, with what was refused and a note for a person.

    Raises:
        BadInput: No list of positions, or a time that is none.
    """
    held: dict[Instrument, VenuePosition] = {}
    unmapped: dict[str, str] = {}

    def read(row: Row) -> None:
        position = rows.record(row, "position")
        coin, quantity = rows.text(position, "coin"), rows.decimal(position, "szi")
        if not quantity:
            return
        try:
            instrument = context.symbols.instrument(coin)
        except BadInput as error:
            unmapped[coin] = f"{coin} {quantity}: {error.problem}"
            return
        if instrument in held:
            raise BadInput("coin", coin, "a second position in one coin", remedy="Check the row at its source.")
        held[instrument] = _position(instrument, quantity, position)

    items = rows.records(state, "assetPositions")
    _, refused = rows.read_each(context.name, items, read)
    dex, currency = _wallet(context, list(held))
    cash = _cash(state, items) if currency and not refused else None
    scope = _scope(context, dex, [instrument.symbol for instrument in held])
    snapshot = VenueSnapshot(
        account=context.account,
        cut=rows.milliseconds(state, "time") if state.get("time") is not None else None,
        positions=None if refused else {(i.symbol, "net"): position for i, position in held.items()},
        balances=None if cash is None else {currency: cash},
        unmapped=unmapped,
        failed={"positions": _NOT_READ} if refused else {},
        position_scope=scope,
        source=(context.name,),
    )
    return snapshot, refused, _note(known_scope=scope is not None, known_cash=cash is not None)


def read_spot_state(context: Context, state: Row) -> tuple[VenueSnapshot, Sequence[Refused]]:
    """Spot balances in total, held amounts included.

    The answer lists what there is, so USDC is zero when it does not occur.

    Raises:
        BadInput: No list of balances.
    """

    def read(row: Row) -> tuple[str, Decimal]:
        coin = rows.text(row, "coin")
        if "@" in coin:
            raise BadInput("coin", coin, "not a name of a token", remedy="Save the answer again.")
        return wallet_currency(coin, SPOT_WALLET), rows.decimal(row, "total")

    found, refused = rows.read_each(context.name, rows.records(state, "balances"), read)
    snapshot = VenueSnapshot(
        account=context.account,
        balances=None if refused else {wallet_currency(USDC, SPOT_WALLET): ZERO, **dict(found)},
        failed={"balances": _NOT_READ} if refused else {},
        source=(context.name,),
    )
    return snapshot, refused


def _position(instrument: Instrument, quantity: Decimal, row: Row) -> VenuePosition:
    leverage = rows.record(row, "leverage") if row.get("leverage") is not None else {}
    value = rows.optional_decimal(row, "positionValue")
    return VenuePosition(
        instrument=instrument.symbol,
        position_side="net",
        quantity=quantity,
        entry_price=rows.optional_decimal(row, "entryPx"),
        mark_price=None if value is None else _mark(value, abs(quantity)),
        leverage=rows.optional_decimal(leverage, "value"),
        margin_mode=rows.one_of(leverage, "type", _MARGIN_MODES) if leverage.get("type") is not None else None,
        liquidation_price=rows.optional_decimal(row, "liquidationPx"),
        unrealized_pnl=rows.optional_decimal(row, "unrealizedPnl"),
    )


def _mark(value: Decimal, size: Decimal) -> Decimal | None:
    """The price behind a position's value; None where the venue rounded it away."""
    price = quotient(value, size)
    with exact():
        return price if price * size == value else None


def _cash(state: Row, items: Sequence[object]) -> Decimal | None:
    """What the wallet holds apart from open positions: ``accountValue`` without unrealised P&L; None when not said."""
    summary = rows.record(state, "marginSummary") if state.get("marginSummary") is not None else {}
    value = rows.optional_decimal(summary, "accountValue")
    positions = [rows.record(rows.as_row(item), "position") for item in items]
    unrealized = [rows.optional_decimal(position, "unrealizedPnl") for position in positions]
    if value is None or None in unrealized:
        return None
    with exact():
        return value - sum(filter(None, unrealized), ZERO)


def _wallet(context: Context, held: Sequence[Instrument]) -> tuple[str, str]:
    """The dex that the answer is of, and the name of its cash; the name is empty when unclear.

    The request says which dex was asked for; else the coins do. An answer that names none is of the main dex, which
    is the one that is given unasked.
    """
    dexes = {instrument.wallet for instrument in held}
    dex = context.dex if context.dex is not None else min(dexes, default="")
    collateral = USDC if not dex else context.symbols.collateral(dex) or min((i.settle for i in held), default="")
    clear = dexes <= {dex} and collateral
    return dex, wallet_currency(collateral, dex) if clear else ""


def _scope(context: Context, dex: str, held: Sequence[str]) -> frozenset[str] | None:
    """The instruments that the positions speak for: the dex's own.

    Where its ``meta`` was not read, the main dex is taken to be all the account has (None), and a builder dex speaks
    for what it lists.
    """
    known = context.symbols.scope(dex)
    if not known and not dex:
        return None
    return known.union(held)


def _note(*, known_scope: bool, known_cash: bool) -> str:
    notes = []
    if not known_scope:
        notes.append("Positions are of the main dex alone; those of builder dexes are answers of their own.")
    if not known_cash:
        notes.append("The cash balance is not stated.")
    return " ".join(notes)
