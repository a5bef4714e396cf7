"""What the account holds now: balances of ``accounts``, futures of ``cfm/positions`` and ``cfm/balance_summary``.

Amounts on hold are part of a balance. The cash of the futures wallet is marked to market each day, so only while
nothing is held is it what trades and transfers add up to: then it is stated, and else unknown. A row that cannot be
read fails its whole part, because the rest would pass for everything.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal

from trueup.model.differences import VenuePosition, VenueSnapshot
from trueup.model.errors import BadInput
from trueup.model.identifiers import PositionKey
from trueup.model.instruments import Instrument, wallet_currency
from trueup.model.numbers import ONE, ZERO, canonical, exact
from trueup.ports import Reading, Refused
from trueup.venues import rows
from trueup.venues.coinbase.context import Context, money, optional_money
from trueup.venues.coinbase.products import FUTURES_WALLET, USD
from trueup.venues.rows import Row

_NOT_READ = "a row of it could not be read"
_NONE = "none is listed, which is not an empty account"
_MORE = "the list goes on on another page: ask with limit=250"
_DIRECTIONS = {"LONG": ONE, "SHORT": -ONE, "FUTURES_POSITION_SIDE_LONG": ONE, "FUTURES_POSITION_SIDE_SHORT": -ONE}


_ELSEWHERE = frozenset({"ACCOUNT_PLATFORM_CFM_CONSUMER", "ACCOUNT_PLATFORM_INTX"})
"""Platforms whose wallets are no spot: their money is stated by answers of their own, and would count twice."""


def read_accounts(context: Context, answer: Row) -> Reading:
    """Balances by currency, of all wallets of spot that the answer lists."""
    listed = rows.records(answer, "accounts")
    items = [item for item in listed if not (isinstance(item, dict) and item.get("platform") in _ELSEWHERE)]
    more = rows.flag(answer, "has_next", default=False)

    def read(row: Row) -> tuple[str, tuple[str, Decimal]]:
        currency = _currency(row, "currency")
        with exact():
            total = money(row, "available_balance", rows.decimal) + (optional_money(row, "hold") or ZERO)
        return rows.identifier(row, "uuid"), (currency, total)

    found, refused = rows.read_each(context.name, items, read)
    totals: defaultdict[str, Decimal] = defaultdict(Decimal)
    with exact():
        for currency, total in dict(found).values():
            totals[currency] += total
    problem = _NOT_READ if refused else _MORE if more else "" if totals else _NONE
    snapshot = VenueSnapshot(
        context.account,
        balances=None if problem else dict(totals),
        failed={"balances": problem} if problem else {},
        source=(context.name,),
    )
    return Reading("accounts", refused=refused, snapshot=snapshot, rows=len(listed), note=_MORE if more else "")


def read_positions(context: Context, items: Sequence[object], *, one: bool = False) -> Reading:
    """Futures held. An answer about one product says nothing of others."""
    positions, unmapped, refused = held(context, items)
    return Reading(
        "position" if one else "positions",
        refused=refused,
        snapshot=VenueSnapshot(
            context.account,
            positions=None if refused else positions,
            unmapped=unmapped,
            failed={"positions": _NOT_READ} if refused else {},
            position_scope=scope(context, positions, one=one),
            source=(context.name,),
        ),
        rows=len(items),
    )


def read_summary(context: Context, row: Row) -> Reading:
    """The cash of the futures wallet."""
    cash, margin = money(row, "cfm_usd_balance", rows.decimal), optional_money(row, "initial_margin")
    unrealized = optional_money(row, "unrealized_pnl")
    flat = margin == ZERO and unrealized == ZERO
    snapshot = VenueSnapshot(
        context.account,
        balances={wallet_currency(USD, FUTURES_WALLET): cash} if flat else None,
        source=(context.name,),
    )
    note = "" if flat else "The cash of the futures wallet is not compared: it is marked to market each day."
    return Reading("futures balance", snapshot=snapshot, rows=1, note=note)


def read_breakdown(context: Context, row: Row) -> Reading:
    """A portfolio: its coins and cash, and the futures it holds."""
    spot = rows.records(row, "spot_positions")
    futures = rows.records(row, "futures_positions") if row.get("futures_positions") else []
    perpetuals = rows.records(row, "perp_positions") if row.get("perp_positions") else []
    positions, unmapped, refused = held(context, [*futures, *perpetuals])

    def read(item: Row) -> tuple[str, Decimal]:
        return _currency(item, "asset"), rows.decimal(item, "total_balance_crypto")

    found, bad = rows.read_each(context.name, spot, read)
    totals: defaultdict[str, Decimal] = defaultdict(Decimal)
    with exact():
        for currency, total in found:
            totals[currency] += total
    failed = {"positions": _NOT_READ} if refused else {}
    if bad or not totals:
        failed["balances"] = _NOT_READ if bad else _NONE
    snapshot = VenueSnapshot(
        context.account,
        positions=None if refused else positions,
        balances=None if "balances" in failed else dict(totals),
        unmapped=unmapped,
        failed=failed,
        position_scope=scope(context, positions),
        source=(context.name,),
    )
    return Reading(
        "portfolio", refused=[*refused, *bad], snapshot=snapshot, rows=len(spot) + len(futures) + len(perpetuals)
    )


def scope(context: Context, positions: Mapping[PositionKey, VenuePosition], *, one: bool = False) -> frozenset[str]:
    """The instruments that an answer speaks for: all futures, or just what it lists."""
    listed = frozenset(symbol for symbol, _ in positions)
    return listed if one else context.products.futures | listed


def held(
    context: Context, items: Sequence[object]
) -> tuple[dict[PositionKey, VenuePosition], dict[str, str], list[Refused]]:
    """Positions by key without flat ones, the products that are not known, and the rows that were refused."""
    positions: dict[PositionKey, VenuePosition] = {}
    unmapped: dict[str, str] = {}

    def read(row: Row) -> None:
        product_id = rows.text(row, "product_id")
        field = "number_of_contracts" if "number_of_contracts" in row else "amount"
        contracts = rows.decimal(row, field)
        if not contracts:
            return
        sign = rows.one_of(row, "side", _DIRECTIONS)
        try:
            instrument = context.products.instrument(product_id)
        except BadInput as error:
            unmapped[product_id] = f"{contracts} contracts: {error.problem}"
            return
        _check(row, field, instrument)
        if (instrument.symbol, "net") in positions:
            raise BadInput("product_id", product_id, "listed twice", remedy=_SAVE_AGAIN)
        positions[instrument.symbol, "net"] = VenuePosition(
            instrument.symbol,
            "net",
            contracts.copy_sign(sign),
            entry_price=_price(row, "avg_entry_price") or _price(row, "entry_price"),
            mark_price=_price(row, "current_price"),
            liquidation_price=_price(row, "liquidation_price"),
            unrealized_pnl=optional_money(row, "unrealized_pnl"),
        )

    _, refused = rows.read_each(context.name, items, read)
    return positions, unmapped, refused


_SAVE_AGAIN = "Save the answer again, as the venue gave it."


def _check(row: Row, field: str, instrument: Instrument) -> None:
    """Refuse a row that says otherwise than the product's terms do."""
    if rows.decimal(row, field) < 0:
        raise BadInput(field, rows.shown(row[field]), "less than zero: the side says the direction", remedy=_SAVE_AGAIN)
    size = rows.optional_decimal(row, "contract_size")
    if instrument.kind == "spot" or (size is not None and size != instrument.contract_size):
        raise BadInput(
            "contract_size",
            rows.shown(row.get("contract_size", "")),
            f"not the {canonical(instrument.contract_size)} of {instrument.symbol}",
            remedy="Import the newest answer of products, then this one again.",
        )


def _price(row: Row, field: str) -> Decimal | None:
    """A price; the venue also writes 0 for none."""
    return optional_money(row, field) or None


def _currency(row: Row, field: str) -> str:
    currency = rows.text(row, field)
    if "@" in currency:
        raise BadInput(field, currency, "not a name of a currency", remedy=_SAVE_AGAIN)
    return currency
