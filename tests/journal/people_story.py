"""One short history of two accounts and of what their program stated, and the rows that people then find by SQL.

The same for every store: numbers as text, times as RFC 3339 with nine digits, truth as 0 and 1.
"""

from decimal import Decimal

from tests.engine.world import ACCOUNT, DEFINED, PERP, SECOND, START, fill
from trueup.engine.store import Store
from trueup.model import events as e
from trueup.model import statements as s
from trueup.model.identifiers import CONTROL, AccountId

OTHER = AccountId("oanda:fx")


def _at(second: int) -> int:
    return START + second * SECOND


def _moment(second: int) -> str:
    """``START`` is 2023-11-14T22:13:20Z."""
    return f"2023-11-14T22:13:{20 + second:02d}.000000000Z"


def tell(store: Store) -> None:
    """Book it; every ledger in several frames."""
    one, other, control = store.ledger(ACCOUNT), store.ledger(OTHER), store.ledger(CONTROL)
    one.book_facts([DEFINED, fill(1), fill(2, price="110", side="sell")])
    one.book_facts([fill(3, price="120", side="sell")])
    one.book_facts([fill(4, price="130")])  # flat again
    forced = fill(6, price="90", side="sell")
    one.book_facts([fill(5), e.FillBooked(**{f: getattr(forced, f) for f in forced.__struct_fields__} | _FORCED)])
    one.book_facts([fill(7, price="200")])
    one.commit(
        lambda _: [
            e.MarkSampled(ACCOUNT, PERP.symbol, Decimal("201.50"), _at(8), "feed"),
            s.PositionDetailsSaved(
                ACCOUNT, PERP.symbol, PERP.symbol, "net", 1, _at(9), "me",
                is_base_position=True, liquidation_price=Decimal(150), leverage=Decimal(3), strike=Decimal(52000),
                pe_symbol="PE", rollover_status="none", rolled_at=_at(2),
            ),
            s.PositionDetailsSaved(ACCOUNT, "planned", PERP.symbol, "net", 1, _at(9), "me"),
            e.Compared(ACCOUNT, "SYNCED", ("file",), _at(10), 1, (("SYNCED", 1),)),
        ]
    )  # fmt: skip
    other.book_facts([e.TransferBooked(OTHER, Decimal(100), "EUR", _at(1), "t")])
    control.commit(lambda _: [_portfolio(1, "1000"), _pyramid(1, "99.50")])
    control.commit(lambda _: [_portfolio(2, "1250.75"), _pyramid(2, None)])
    control.book_facts([_signal("f1", 1), _signal("f2", 2)])
    control.book_facts([_signal("f1", 1)])
    control.commit(lambda _: [s.SignalProcessed(CONTROL, "f1", "REJECTED", _at(9), "me", "too late", '{"lots":0}')])


_FORCED = {"liquidation": "liquidation"}


def _portfolio(version: int, closed: str) -> s.PortfolioStateSaved:
    return s.PortfolioStateSaved(
        CONTROL, version, _at(version), "me", initial_capital=Decimal("1000.00"), closed_equity=Decimal(closed)
    )


def _pyramid(version: int, price: str | None) -> s.PyramidingStateSaved:
    last = None if price is None else Decimal(price)
    return s.PyramidingStateSaved(CONTROL, "GOLD", version, _at(version), "me", last, "Long_1")


def _signal(fingerprint: str, second: int) -> s.SignalLogged:
    return s.SignalLogged(
        CONTROL,
        fingerprint,
        "GOLD",
        "PYRAMID",
        _at(3),
        _at(second),
        "trend",
        "long",
        Decimal("0.50"),
        '{"a":1}',
        "hook",
    )


ANSWERS: dict[str, list[tuple[object, ...]]] = {
    "SELECT asset, entry_price, current_price, size, leverage, venue, liquidation_price, opened_at, closed_at, "
    "updated_at, last_reconciled_at, status FROM positions": [
        (PERP.symbol, "200", "201.5", "1", "3", "paper", "150", _moment(7), None, _moment(7), _moment(10), "OPEN")
    ],
    "SELECT id, asset, event_type, old_values, new_values, timestamp FROM position_history": [
        (
            f"paper:one/{PERP.symbol}:net#{number}-{kind}",
            PERP.symbol,
            kind,
            old,
            new,
            _moment(at),
        )
        for number, kind, at, old, new in [
            (1, "OPENED", 1, None, {"side": "long", "status": "OPEN"}),
            (1, "CLOSED", 2, {"side": "long", "status": "OPEN", "largest_size": "1"}, "10"),
            (2, "OPENED", 3, None, {"side": "short", "status": "OPEN"}),
            (2, "CLOSED", 4, {"side": "short", "status": "OPEN", "largest_size": "1"}, "-10"),
            (3, "OPENED", 5, None, {"side": "long", "status": "OPEN"}),
            (3, "LIQUIDATED", 6, {"side": "long", "status": "OPEN", "largest_size": "1"}, "-10"),
            (4, "OPENED", 7, None, {"side": "long", "status": "OPEN"}),
        ]
    ],
    "SELECT position_id, account, instrument, position_side, status, quantity, entry_price, is_base_position, strike, "
    "pe_symbol, rollover_status, rolled_at, version, updated_at FROM portfolio_positions": [
        (
            *(PERP.symbol, "paper:one", PERP.symbol, "net", "OPEN", "1", "200", 1, "52000", "PE", "none"),
            *(_moment(2), 1, _moment(9)),
        ),
        (
            *("planned", "paper:one", PERP.symbol, "net", "CLOSED", "0", None, None, None, None, None, None),
            *(1, _moment(9)),
        ),
    ],
    "SELECT initial_capital, closed_equity, total_risk_amount, version, updated_at, updated_by FROM portfolio_state": [
        ("1000", "1250.75", None, 2, _moment(2), "me")
    ],
    "SELECT instrument, last_pyramid_price, base_position, version, updated_at, account FROM pyramiding_state": [
        ("GOLD", None, "Long_1", 2, _moment(2), "control")
    ],
    "SELECT fingerprint, strategy, instrument, kind, direction, strength, signal_time, received_at, payload, status, "
    "processed_at, processed_by, reason, details, source FROM signal_log": [
        (
            *("f1", "trend", "GOLD", "PYRAMID", "long", "0.5", _moment(1), _moment(3), {"a": 1}, "REJECTED"),
            *(_moment(9), "me", "too late", {"lots": 0}, "hook"),
        ),
        (
            *("f2", "trend", "GOLD", "PYRAMID", "long", "0.5", _moment(2), _moment(3), {"a": 1}, "WAITING"),
            *(None, None, None, None, "hook"),
        ),
    ],
}
"""What each query gives. In ``position_history`` what a round trip realised stands for the whole of ``new_values``."""

JSON_COLUMNS = frozenset({"old_values", "new_values", "payload", "details"})
