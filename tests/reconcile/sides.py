"""Small books for comparisons, and a database and a venue that agree with them."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Literal

from msgspec.structs import replace

from trueup.model.differences import Difference, VenuePosition, VenueSnapshot
from trueup.model.events import FillBooked
from trueup.model.identifiers import AccountId, PositionKey, Seq
from trueup.model.instruments import Instrument
from trueup.model.positions import Balance, OpenOrder, Position
from trueup.reconcile.compare import compare
from trueup.reconcile.state import DatabaseState, OurState
from trueup.reconcile.tolerance import DEFAULTS, Tolerances

ACCOUNT = AccountId("hyperliquid:main")
SEQ = Seq(100)
ZERO = Decimal(0)

BTC = Instrument("BTC/USDC:USDC", "BTC", "linear", "BTC", "USDC", "USDC", quantity_step=Decimal("0.001"))
ETH = Instrument("ETH/USDC:USDC", "ETH", "linear", "ETH", "USDC", "USDC", quantity_step=Decimal("0.01"))
XBT = Instrument("BTC/USD:BTC", "XBTUSD", "inverse", "BTC", "USD", "BTC", quantity_step=Decimal(1))
SOL = Instrument("SOL/USDC", "SOL/USDC", "spot", "SOL", "USDC", "USDC", quantity_step=Decimal("0.01"))
INSTRUMENTS = {one.symbol: one for one in (BTC, ETH, XBT, SOL)}

BTC_NET = (BTC.symbol, "net")
ETH_NET = (ETH.symbol, "net")


def position(instrument: Instrument, quantity: str, price: str = "100", **fields: object) -> Position:
    """A position that opened at ``price``; an inverse one at as many coins."""
    held = Decimal(quantity)
    worth = held * instrument.contract_size
    cost = worth / Decimal(price) if instrument.kind == "inverse" else worth * Decimal(price)
    plain = Position(
        account=ACCOUNT,
        instrument=instrument,
        position_side="net",
        quantity=held,
        cost=cost,
        realized_pnl=ZERO,
        realized_unknown=0,
        adjusted_pnl=ZERO,
        fees={},
        fee_value=ZERO,
        funding={},
        by_strategy={},
        unconfirmed=ZERO,
        leverage=None,
        margin_mode=None,
        opened_at=1,
        updated_at=2,
        cycles=0,
        liquidations=0,
        seq=Seq(50),
    )
    return replace(plain, **fields)


def balance(currency: str, total: str, *, unknown: int = 0, seq: int = 50) -> Balance:
    """A balance that was deposited."""
    return Balance(
        account=ACCOUNT,
        currency=currency,
        traded=ZERO,
        realized=ZERO,
        fees=ZERO,
        funding=ZERO,
        transfers={"deposit": Decimal(total)},
        adjustments=ZERO,
        opening=ZERO,
        realized_unknown=unknown,
        seq=Seq(seq),
    )


def order(order_id: str, **fields: object) -> OpenOrder:
    """A resting limit order to buy one BTC at 90."""
    plain = OpenOrder(
        account=ACCOUNT,
        instrument=BTC.symbol,
        position_side="net",
        side="buy",
        quantity=Decimal(1),
        filled=ZERO,
        status="open",
        venue_order_id=order_id,
        client_order_id="",
        price=Decimal(90),
        trigger_price=None,
        order_type="limit",
        reduce_only=False,
        updated_at=1,
    )
    return replace(plain, **fields)


def fill(
    trade_id: str, side: Literal["buy", "sell"], quantity: str, instrument: Instrument = BTC, **fields: object
) -> FillBooked:
    """A fill at 100 with a fee of 0.5 USDC."""
    plain = FillBooked(
        account=ACCOUNT,
        instrument=instrument.symbol,
        position_side="net",
        side=side,
        quantity=Decimal(quantity),
        price=Decimal(100),
        fee=Decimal("0.5"),
        fee_currency="USDC",
        venue_time=1,
        venue_trade_id=trade_id,
    )
    return replace(plain, **fields)


def book(*rows: Position | Balance | OpenOrder, marks: Mapping[str, Decimal] | None = None) -> OurState:
    """A book of these rows."""
    return OurState(
        ACCOUNT,
        SEQ,
        {(row.instrument.symbol, row.position_side): row for row in rows if isinstance(row, Position)},
        {row.currency: row for row in rows if isinstance(row, Balance)},
        {row.venue_order_id: row for row in rows if isinstance(row, OpenOrder)},
        INSTRUMENTS,
        marks or {},
    )


def database(ours: OurState) -> DatabaseState:
    """The views of the book, up to date."""
    return DatabaseState(ours.seq, dict(ours.positions), dict(ours.balances), dict(ours.orders))


def venue(ours: OurState) -> VenueSnapshot:
    """A venue that agrees with the book in everything."""
    return VenueSnapshot(
        account=ours.account,
        cut=1_000_000_000,
        positions={
            key: VenuePosition(
                instrument=key[0],
                position_side=key[1],
                quantity=held.quantity,
                entry_price=held.entry_price,
                leverage=held.leverage,
                margin_mode=held.margin_mode,
            )
            for key, held in ours.positions.items()
            if held.quantity and held.instrument.kind != "spot"
        },
        balances={name: held.known for name, held in ours.balances.items()},
        open_orders=dict(ours.orders),
    )


def only(
    ours: OurState,
    theirs: VenueSnapshot,
    tolerances: Tolerances = DEFAULTS,
    *,
    in_flight: Mapping[PositionKey, Decimal] | None = None,
    missing_fills: Mapping[PositionKey, Sequence[FillBooked]] | None = None,
) -> Difference:
    """The one difference of a comparison."""
    found = compare(ours, None, theirs, tolerances, in_flight=in_flight, missing_fills=missing_fills)
    differences = found.differences
    assert len(differences) == 1, differences
    return differences[0]
