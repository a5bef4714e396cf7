"""What a comparison finds, case by case: a sentence, the three sides, and what must be said of them."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from tests.reconcile.sides import (
    ACCOUNT,
    BTC,
    BTC_NET,
    ETH,
    ETH_NET,
    SEQ,
    SOL,
    XBT,
    balance,
    book,
    database,
    fill,
    only,
    order,
    position,
    venue,
)
from trueup.model.differences import Kind, Severity, Status, VenuePosition, VenueSnapshot
from trueup.model.errors import BadInput
from trueup.model.events import FillBooked
from trueup.model.identifiers import Seq
from trueup.model.positions import OpenOrder
from trueup.reconcile.compare import compare
from trueup.reconcile.state import DatabaseState, OurState
from trueup.reconcile.tolerance import Tolerance, Tolerances

D = Decimal
LONG = book(position(BTC, "2"))
SHORT = book(position(BTC, "-2"))
FLAT = book()
CASH = book(balance("USDC", "1000"))


def holding(quantity: str, **fields: object) -> VenueSnapshot:
    """A venue that states one BTC position."""
    stated = replace(VenuePosition(BTC.symbol, "net", D(quantity)), **fields)
    return VenueSnapshot(ACCOUNT, positions={BTC_NET: stated}, balances={}, open_orders={})


def paying(**balances: str) -> VenueSnapshot:
    """A venue that states these balances and nothing else."""
    return VenueSnapshot(ACCOUNT, balances={name: D(total) for name, total in balances.items()})


EMPTY = VenueSnapshot(ACCOUNT, positions={}, balances={}, open_orders={})


# --- positions --------------------------------------------------------------------------------------------------------

POSITIONS = [
    ("more than we know", LONG, holding("5"), Kind.QTY, "3", "venue holds 3 more"),
    ("less than we know", LONG, holding("0.5"), Kind.QTY, "-1.5", "venue holds 1.5 less"),
    ("a larger short", SHORT, holding("-5"), Kind.QTY, "-3", "venue is short 3 more"),
    ("a smaller short", SHORT, holding("-0.5"), Kind.QTY, "1.5", "venue is short 1.5 less"),
    ("the other side", LONG, holding("-3"), Kind.SIDE, "-5", "we are long 2, venue is short 3"),
    ("a position we do not have", FLAT, holding("3"), Kind.MISSING_OURS, "3", "we are flat, venue is long 3"),
    ("nothing where we hold", SHORT, EMPTY, Kind.MISSING_THEIRS, "2", "we are short 2, venue is flat"),
]


@pytest.mark.parametrize(("sentence", "ours", "theirs", "kind", "difference", "direction"), POSITIONS)
def test_the_venue_holds(
    sentence: str, ours: OurState, theirs: VenueSnapshot, kind: Kind, difference: str, direction: str
) -> None:
    found = only(ours, theirs)
    assert (found.kind, found.difference, found.direction) == (kind, D(difference), direction), sentence
    assert (found.status, found.severity, found.subject) == (Status.DRIFT, Severity.CRITICAL, f"{BTC.symbol} net")
    assert D(found.theirs or "0") - D(found.ours or "0") == found.difference
    assert compare(ours, None, theirs).status is Status.DRIFT


@pytest.mark.parametrize(
    ("sentence", "limit", "mark", "theirs", "severity"),
    [
        ("one lot is bad", None, None, "2.001", Severity.HIGH),
        ("two lots are critical", None, None, "2.002", Severity.CRITICAL),
        ("one lot worth the limit is bad", "50", "50000", "2.001", Severity.HIGH),
        ("one lot worth more is critical", "49.99", "50000", "2.001", Severity.CRITICAL),
        ("one lot of unknown worth may be anything", "50", None, "2.001", Severity.CRITICAL),
    ],
)
def test_how_bad_a_quantity_is(
    sentence: str, limit: str | None, mark: str | None, theirs: str, severity: Severity
) -> None:
    tolerances = Tolerances(notional_limit=None if limit is None else D(limit))
    ours = book(position(BTC, "2"), marks={BTC.symbol: D(mark)} if mark else None)
    assert only(ours, holding(theirs), tolerances).severity is severity, sentence
    if mark:
        stated = holding(theirs, mark_price=D(mark))
        assert only(LONG, stated, tolerances).severity is severity, "the venue's own mark serves as well"


def test_without_a_lot_every_difference_is_critical() -> None:
    coarse = position(replace(BTC, quantity_step=None), "2")
    assert only(book(coarse), holding("2.0000001")).severity is Severity.CRITICAL


def test_less_than_half_a_lot_is_no_difference() -> None:
    assert compare(LONG, None, holding("2.0005")).status is Status.SYNCED
    assert compare(LONG, None, holding("2.0006")).status is Status.DRIFT


def test_tolerance_of_an_instrument_replaces_the_usual_one() -> None:
    tolerances = Tolerances(by_instrument={BTC.symbol: Tolerance(lots=3)})
    assert compare(LONG, None, holding("2.003"), tolerances).differences == ()
    assert compare(LONG, None, holding("2.004"), tolerances).status is Status.DRIFT
    short = book(position(BTC, "-0.001"))
    assert only(short, holding("0.001"), tolerances).kind is Kind.SIDE, "the side has no tolerance"


@pytest.mark.parametrize(
    ("fields", "stated", "kind", "difference", "severity"),
    [
        ({"leverage": D(5)}, {"leverage": D(10)}, Kind.LEVERAGE, D(5), Severity.MEDIUM),
        ({"margin_mode": "cross"}, {"margin_mode": "isolated"}, Kind.MARGIN_MODE, None, Severity.MEDIUM),
    ],
    ids=["leverage", "margin mode"],
)
def test_other_terms_than_ours(
    fields: dict[str, Any], stated: dict[str, Any], kind: Kind, difference: Decimal | None, severity: Severity
) -> None:
    found = only(book(position(BTC, "2", **fields)), holding("2", **stated))
    assert (found.kind, found.difference, found.severity) == (kind, difference, severity)
    assert found.status is Status.DRIFT


@pytest.mark.parametrize("quantity", ["2", "-2"])
@pytest.mark.parametrize(("entry", "difference"), [("100.02", "0.02"), ("99.98", "-0.02")])
def test_another_average_is_for_information(quantity: str, entry: str, difference: str) -> None:
    ours, theirs = book(position(BTC, quantity)), holding(quantity, entry_price=D(entry))
    found = only(ours, theirs)
    assert (found.kind, found.difference, found.severity) == (Kind.AVG_PX, D(difference), Severity.LOW)
    assert compare(ours, None, theirs).status is Status.SYNCED


@pytest.mark.parametrize(
    ("sentence", "fields", "stated"),
    [
        ("the venue does not say", {"leverage": D(5), "margin_mode": "cross"}, {}),
        ("we do not know", {"cost": None}, {"entry_price": D(77)}),
    ],
)
def test_terms_that_are_unknown(sentence: str, fields: dict[str, Any], stated: dict[str, Any]) -> None:
    assert compare(book(position(BTC, "2", **fields)), None, holding("2", **stated)).differences == (), sentence


def test_terms_that_we_do_not_know_are_not_compared_and_not_called_equal() -> None:
    stated = holding("2", leverage=D(5), margin_mode="cross")
    found = compare(LONG, database(LONG), stated)
    assert (found.status, found.differences) == (Status.SYNCED, ())
    assert found.not_compared == (f"leverage of {BTC.symbol} net", f"margin mode of {BTC.symbol} net")


@pytest.mark.parametrize("quantity", ["2", "-2"])
@pytest.mark.parametrize(
    ("ours", "theirs", "agree"),
    [
        ("99.99", "100", True),
        ("99.98999", "100", False),
        ("100.01", "100", True),
        ("100.01001", "100", False),
        ("100", "100", True),
    ],
)
def test_a_basis_point_of_the_venues_average_is_allowed(quantity: str, ours: str, theirs: str, agree: bool) -> None:
    found = compare(book(position(BTC, quantity, ours)), None, holding(quantity, entry_price=D(theirs)))
    assert (found.differences == ()) is agree


def test_average_of_an_inverse_position_is_compared_as_a_price() -> None:
    ours = book(position(XBT, "1000", "8000"))
    key = (XBT.symbol, "net")
    near, far = (VenuePosition(XBT.symbol, "net", D(1000), entry_price=D(price)) for price in ("8000.7", "8000.9"))
    assert compare(ours, None, VenueSnapshot(ACCOUNT, positions={key: near})).differences == ()
    assert only(ours, VenueSnapshot(ACCOUNT, positions={key: far})).kind is Kind.AVG_PX


def test_average_is_not_compared_where_quantities_differ() -> None:
    assert only(LONG, holding("5", entry_price=D(500))).kind is Kind.QTY


def test_leverage_is_compared_where_quantities_differ() -> None:
    ours = book(position(BTC, "2", leverage=D(5)))
    kinds = [found.kind for found in compare(ours, None, holding("5", leverage=D(7))).differences]
    assert kinds == [Kind.QTY, Kind.LEVERAGE]


def test_flat_is_flat_whether_it_has_a_row_or_not() -> None:
    ours = book(position(BTC, "0"))
    found = compare(ours, database(ours), EMPTY, table=True)
    assert (found.status, found.rows, found.compared) == (Status.SYNCED, (), 1)


def test_spot_positions_are_compared_as_balances() -> None:
    ours = book(position(SOL, "2"), balance("SOL", "2"))
    theirs = VenueSnapshot(ACCOUNT, positions={}, balances={"SOL": D(2)})
    found = compare(ours, database(ours), theirs, table=True)
    assert found.status is Status.SYNCED
    assert [(row.section, row.memory, row.database, row.venue) for row in found.rows] == [
        ("positions", "2", "2", None),
        ("balances", "2", "2", "2"),
    ]
    assert [row.status for row in found.rows] == [Status.SYNCED, Status.SYNCED]


@pytest.mark.parametrize(
    ("sentence", "balances", "status", "kinds"),
    [
        ("its balance agrees", {"SOL": D(2)}, Status.SYNCED, ()),
        ("its balance differs", {"SOL": D(9)}, Status.DRIFT, (Kind.CASH,)),
        ("its wallet was not in the answer", {"USDC@other": D(9)}, Status.NOT_COMPARED, ()),
        ("no balances were asked for", None, Status.NOT_COMPARED, ()),
    ],
)
def test_the_row_of_a_spot_position_says_what_its_balance_said(
    sentence: str, balances: dict[str, Decimal] | None, status: Status, kinds: tuple[Kind, ...]
) -> None:
    ours = book(position(SOL, "2"), balance("SOL", "2"))
    theirs = VenueSnapshot(ACCOUNT, positions={}, balances=balances)
    row = compare(ours, database(ours), theirs, table=True).rows[0]
    assert (row.section, row.venue, row.status, row.kinds) == ("positions", None, status, kinds), sentence


def test_a_spot_position_that_the_venue_states_is_compared() -> None:
    key = (SOL.symbol, "net")
    stated = VenueSnapshot(ACCOUNT, positions={key: VenuePosition(SOL.symbol, "net", D(9))})
    assert only(book(), stated).kind is Kind.MISSING_OURS
    ours = book(position(SOL, "2"))
    found = compare(ours, database(ours), stated, table=True)
    assert [(one.kind, one.difference) for one in found.differences] == [(Kind.QTY, D(7))]
    assert [(row.venue, row.status) for row in found.rows] == [("9", Status.DRIFT)]
    fees = book(position(SOL, "8.995", fees={"SOL": D("0.005")}))
    assert compare(fees, None, stated).differences == (), "a coin that pays fees may be off by a lot"


def test_an_instrument_that_the_book_does_not_define_is_still_missing_in_ours() -> None:
    key = ("DOGE/USDC:USDC", "net")
    theirs = VenueSnapshot(ACCOUNT, positions={key: VenuePosition(*key, D(1))})
    assert only(FLAT, theirs).kind is Kind.MISSING_OURS


def test_positions_outside_the_answers_scope_are_named_and_not_called_flat() -> None:
    ours = book(position(BTC, "2"), position(ETH, "3"))
    theirs = replace(holding("2"), position_scope=frozenset({BTC.symbol}))
    found = compare(ours, None, theirs, table=True)
    assert (found.status, found.compared) == (Status.SYNCED, 1)
    assert found.not_compared == (f"positions of {ETH.symbol}",)
    assert [row.subject for row in found.rows] == [f"{BTC.symbol} net"]


@pytest.mark.parametrize(
    ("sentence", "theirs", "in_flight", "status"),
    [
        ("an order on its way explains it", "5", "3", Status.PENDING),
        ("a part of an order explains it", "4", "3", Status.PENDING),
        ("an order explains no more than itself", "5.001", "3", Status.DRIFT),
        ("an order the other way explains nothing", "1", "3", Status.DRIFT),
        ("no order explains nothing", "5", "0", Status.DRIFT),
    ],
)
def test_orders_in_flight(sentence: str, theirs: str, in_flight: str, status: Status) -> None:
    found = only(LONG, holding(theirs), in_flight={BTC_NET: D(in_flight)})
    assert found.status is status, sentence
    assert (found.severity is Severity.INFO) is (status is Status.PENDING)
    assert ("orders in flight may explain it" in found.direction) is (status is Status.PENDING)


@pytest.mark.parametrize(
    ("sentence", "ours", "theirs", "fills", "ids", "words"),
    [
        ("one fill is all", LONG, "3", [fill("7", "buy", "1")], ("7",), "this fill missing in our book explains all"),
        (
            "two fills are all",
            FLAT,
            "3",
            [fill("7", "buy", "5"), fill("8", "sell", "2")],
            ("7", "8"),
            "these 2 fills missing in our book explain all",
        ),
        (
            "one fill is a part",
            LONG,
            "5",
            [fill("7", "buy", "1")],
            ("7",),
            "explains a part, 2 remains unexplained",
        ),
    ],
)
def test_missing_fills_are_named(
    sentence: str, ours: OurState, theirs: str, fills: list[FillBooked], ids: tuple[str, ...], words: str
) -> None:
    found = only(ours, holding(theirs), missing_fills={BTC_NET: fills})
    assert found.evidence == ids, sentence
    assert words in found.direction


NETTED = [fill("7", "buy", "1"), fill("8", "sell", "1")]


@pytest.mark.parametrize(("ours", "theirs"), [(LONG, holding("2")), (FLAT, EMPTY)], ids=["held", "flat"])
def test_missing_fills_that_cancel_out_are_missing_all_the_same(ours: OurState, theirs: VenueSnapshot) -> None:
    found = compare(ours, database(ours), theirs, table=True, missing_fills={BTC_NET: NETTED})
    (missing,) = found.differences
    assert (missing.kind, missing.severity, missing.status) == (Kind.FILL_MISSING, Severity.HIGH, Status.DRIFT)
    assert (missing.subject, missing.evidence) == (f"{BTC.symbol} net", ("7", "8"))
    assert [(row.status, row.kinds) for row in found.rows] == [(Status.DRIFT, (Kind.FILL_MISSING,))]


def test_missing_fills_of_what_was_not_compared_are_missing_all_the_same() -> None:
    missing = only(CASH, paying(USDC="1000"), missing_fills={BTC_NET: NETTED})
    assert (missing.kind, missing.evidence) == (Kind.FILL_MISSING, ("7", "8"))


# --- balances ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sentence", "ours", "theirs", "difference", "direction", "severity"),
    [
        ("a fee too many", "100000", "99999", "-1", "venue has 1 less", Severity.LOW),
        ("a basis point", "10001", "10000", "-1", "venue has 1 less", Severity.MEDIUM),
        ("one percent", "990", "1000", "10", "venue has 10 more", Severity.HIGH),
        ("all of it", "1000", "0", "-1000", "venue has 1000 less", Severity.HIGH),
    ],
)
def test_cash(sentence: str, ours: str, theirs: str, difference: str, direction: str, severity: Severity) -> None:
    found = only(book(balance("USDC", ours)), paying(USDC=theirs))
    assert (found.kind, found.status, found.subject) == (Kind.CASH, Status.DRIFT, "USDC"), sentence
    assert (found.difference, found.direction, found.severity) == (D(difference), direction, severity)
    assert (found.ours, found.theirs) == (ours, theirs)


@pytest.mark.parametrize(
    ("sentence", "currency", "ours", "theirs", "status"),
    [
        ("cash within a cent", "USDC", "1000", "1000.01", Status.SYNCED),
        ("cash beyond a cent", "USDC", "1000", "1000.011", Status.DRIFT),
        ("a bought coin that pays no fees: no lot", "ETHW", "5", "5.01", Status.DRIFT),
        ("a bought coin that pays fees: one lot", "SOL", "5", "5.01", Status.SYNCED),
        ("a bought coin that pays fees: no two", "SOL", "5", "5.02", Status.DRIFT),
        ("a settlement coin: a millionth", "BTC", "5", "5.000005", Status.SYNCED),
        ("a settlement coin: no cent", "BTC", "5", "5.00001", Status.DRIFT),
        ("what linear contracts settle in is cash, bought or not", "USDC", "5", "5.005", Status.SYNCED),
    ],
)
def test_tolerance_of_a_balance(sentence: str, currency: str, ours: str, theirs: str, status: Status) -> None:
    unfeed = replace(SOL, symbol="ETHW/USDC", base="ETHW")
    base = book(position(SOL, "5", fees={"SOL": D("0.001")}), balance(currency, ours))
    bought = replace(SOL, symbol="USDC/EUR", base="USDC", quote="EUR")
    side = replace(base, instruments={**base.instruments, unfeed.symbol: unfeed, bought.symbol: bought})
    assert compare(side, None, paying(**{currency: theirs})).status is status, sentence


def test_tolerance_of_a_currency_replaces_the_usual_one() -> None:
    tolerances = Tolerances(by_currency={"USDC": Tolerance(absolute=D(5))})
    assert compare(CASH, None, paying(USDC="1005"), tolerances).differences == ()
    assert compare(CASH, None, paying(USDC="1005.01"), tolerances).status is Status.DRIFT


def test_a_currency_missing_on_one_side_is_zero_there() -> None:
    ours = book(balance("USDC", "1000"), balance("EUR", "7"))
    found = compare(ours, None, paying(USDC="1000", GBP="3"))
    assert [(one.subject, one.difference) for one in found.differences] == [("EUR", D(-7)), ("GBP", D(3))]
    assert only(CASH, VenueSnapshot(ACCOUNT, balances={})).difference == D(-1000), "an empty account is empty"


def test_a_wallet_that_the_answer_does_not_speak_for_is_named_and_not_called_empty() -> None:
    ours = book(balance("USDC", "1000"), balance("USDC@spot", "7"), balance("HYPE@spot", "1"))
    found = compare(ours, database(ours), paying(USDC="1000"), table=True)
    assert found.status is Status.SYNCED
    assert found.not_compared == ("positions", "open_orders", "balance of USDC@spot", "balance of HYPE@spot")
    assert [(row.subject, row.memory, row.venue) for row in found.rows] == [
        ("USDC", "1000", "1000"),
        ("USDC@spot", "7", None),
        ("HYPE@spot", "1", None),
    ]
    spot = paying(**{"USDC@spot": "7"})
    assert only(replace(ours, balances={**ours.balances, "USDC": balance("USDC", "0")}), spot).subject == "HYPE@spot"


@pytest.mark.parametrize("theirs", ["0", "1000"])
def test_an_unknown_balance_is_unknown_and_equals_nothing(theirs: str) -> None:
    ours = book(balance("USDC", "0", unknown=1))
    found = only(ours, paying(USDC=theirs))
    assert (found.kind, found.status, found.ours, found.difference) == (Kind.CASH, Status.FAILED, None, None)
    whole = compare(ours, None, paying(USDC=theirs), table=True)
    assert whole.status is Status.FAILED
    assert [(row.memory, row.venue, row.status) for row in whole.rows] == [(None, theirs, Status.FAILED)]


@pytest.mark.parametrize(
    ("sentence", "currency", "theirs", "fills", "ids", "words"),
    [
        (
            "a spot buy explains the coin",
            "SOL",
            "2",
            [fill("7", "buy", "2", SOL), fill("9", "buy", "2")],
            ("7",),
            "this fill missing in our book explains all of it",
        ),
        (
            "a spot buy and its fee explain the cash",
            "USDC",
            "799.5",
            [fill("7", "buy", "2", SOL)],
            ("7",),
            "explains all of it",
        ),
        (
            "a fee taken from the coin counts",
            "SOL",
            "1.9",
            [fill("7", "buy", "2", SOL, fee=D("0.1"), fee_currency="SOL")],
            ("7",),
            "explains all of it",
        ),
        (
            "a derivative's P&L is not in its fill",
            "USDC",
            "990",
            [fill("7", "sell", "2"), fill("8", "sell", "2", SOL)],
            ("7", "8"),
            "these 2 fills missing in our book may explain it",
        ),
        (
            "unless the venue says what it paid",
            "USDC",
            "1009.5",
            [fill("7", "sell", "2", settled_amount=D(10))],
            ("7",),
            "explains all of it",
        ),
        ("a fill of nobody's instrument explains nothing", "USDC", "990", [fill("7", "buy", "2", XBT)], (), "less"),
        (
            "a fill without a fee moves no third currency",
            "USDC",
            "990",
            [fill("7", "buy", "2", XBT, fee=D(0)), fill("8", "buy", "1", replace(SOL, symbol="X/Y"))],
            (),
            "venue has 10 less",
        ),
    ],
)
def test_missing_fills_explain_cash(
    sentence: str, currency: str, theirs: str, fills: list[FillBooked], ids: tuple[str, ...], words: str
) -> None:
    ours = book(balance("USDC", "1000"))
    if sentence.startswith("a fill of nobody's"):
        ours = replace(ours, instruments={})
    answer = {"USDC": D(1000), currency: D(theirs)}
    differences = compare(
        ours, None, VenueSnapshot(ACCOUNT, balances=answer), missing_fills={BTC_NET: fills}
    ).differences
    (found,) = [one for one in differences if one.kind is Kind.CASH]
    assert (found.subject, found.evidence) == (currency, ids), sentence
    assert words in found.direction
    others = [name for one in differences if one.kind is Kind.FILL_MISSING for name in one.evidence]
    assert sorted([*ids, *others]) == [one.venue_trade_id for one in fills], "each is named once"


# --- orders -----------------------------------------------------------------------------------------------------------

RESTING = book(order("1"))


def listing(*orders: OpenOrder) -> VenueSnapshot:
    return VenueSnapshot(ACCOUNT, open_orders={one.venue_order_id: one for one in orders})


@pytest.mark.parametrize(
    ("sentence", "ours", "theirs", "kind", "severity", "words"),
    [
        ("live at the venue only", FLAT, listing(order("1")), Kind.ORPHAN_ORDER, Severity.HIGH, "unknown to us"),
        ("open with us only", RESTING, listing(), Kind.ORDER_MISSING, Severity.MEDIUM, "not at the venue"),
        (
            "a stop open with us only",
            book(order("1", trigger_price=D(80))),
            listing(),
            Kind.ORDER_MISSING,
            Severity.HIGH,
            "not at the venue",
        ),
        (
            "filled further at the venue",
            RESTING,
            listing(order("1", filled=D("0.50"), status="partially_filled")),
            Kind.ORDER_STATE,
            Severity.MEDIUM,
            "venue has filled 0.5, we have 0; venue has status partially_filled, we have open",
        ),
        (
            "a reducing order of another size",
            book(order("1", reduce_only=True)),
            listing(order("1", reduce_only=True, quantity=D(2))),
            Kind.ORDER_STATE,
            Severity.HIGH,
            "venue has quantity 2, we have 1",
        ),
    ],
)
def test_orders(
    sentence: str, ours: OurState, theirs: VenueSnapshot, kind: Kind, severity: Severity, words: str
) -> None:
    found = only(ours, theirs)
    assert (found.kind, found.severity, found.status, found.subject) == (kind, severity, Status.DRIFT, "1"), sentence
    assert words in found.direction


def test_what_one_side_does_not_say_of_an_order_is_no_difference() -> None:
    theirs = listing(order("1", price=None, status="", client_order_id="x", updated_at=9))
    assert compare(RESTING, None, theirs).differences == ()


def test_orders_are_shown_in_words() -> None:
    ours = book(order("1"), order("2", side="sell", price=None, filled=D("0.25")))
    rows = compare(ours, database(ours), venue(ours), table=True).rows
    assert [row.memory for row in rows] == ["buy 1 @ 90, 0 filled", "sell 1 market, 0.25 filled"]
    assert {(row.section, row.status) for row in rows} == {("open_orders", Status.SYNCED)}


# --- memory against database ------------------------------------------------------------------------------------------

FULL = book(position(BTC, "2"), balance("USDC", "1000"), order("1"))


@pytest.mark.parametrize(
    ("sentence", "rows", "subject", "difference", "words"),
    [
        (
            "another quantity",
            {"positions": {BTC_NET: position(BTC, "3")}},
            f"{BTC.symbol} net",
            D(1),
            "database has quantity 3 instead of 2; database has cost 300 instead of 200",
        ),
        (
            "another word",
            {"positions": {BTC_NET: position(BTC, "2", cycles=4)}},
            f"{BTC.symbol} net",
            D(0),
            "database has cycles 4 instead of 0",
        ),
        (
            "other fees",
            {"positions": {BTC_NET: position(BTC, "2", fees={"USDC": D(1)})}},
            f"{BTC.symbol} net",
            D(0),
            "database has another fees",
        ),
        ("no row", {"positions": {}}, f"{BTC.symbol} net", None, "database lacks the row"),
        (
            "a row too many",
            {"positions": {BTC_NET: position(BTC, "2"), ETH_NET: position(ETH, "1")}},
            f"{ETH.symbol} net",
            None,
            "database has a row that memory lacks",
        ),
        (
            "another balance",
            {"balances": {"USDC": balance("USDC", "999")}},
            "USDC",
            D(-1),
            "database has another transfers",
        ),
        (
            "a balance that one of them does not know",
            {"balances": {"USDC": balance("USDC", "1000", unknown=1)}},
            "USDC",
            None,
            "database has realized_unknown 1 instead of 0",
        ),
        (
            "another order",
            {"orders": {"1": order("1", filled=D("0.5"))}},
            "1",
            None,
            "database has filled 0.5 instead of 0",
        ),
        (
            "an order too many",
            {"orders": {"1": order("1"), "2": order("2")}},
            "2",
            None,
            "database has a row that memory lacks",
        ),
    ],
)
def test_memory_and_database_must_be_equal_at_equal_seq(
    sentence: str, rows: dict[str, Any], subject: str, difference: Decimal | None, words: str
) -> None:
    stored = replace(database(FULL), **rows)
    found = compare(FULL, stored, venue(FULL), table=True)
    assert [(one.kind, one.subject, one.difference) for one in found.differences] == [
        (Kind.MEMORY_DATABASE, subject, difference)
    ], sentence
    assert (found.status, found.differences[0].direction) == (Status.DRIFT, words)
    assert [row.subject for row in found.rows if row.status is Status.DRIFT] == [subject]


def test_what_became_nothing_may_have_left_memory() -> None:
    stored = DatabaseState(SEQ, {BTC_NET: position(BTC, "0")}, {"USDC": balance("USDC", "0")})
    found = compare(FLAT, stored, EMPTY, table=True)
    assert (found.status, found.differences) == (Status.SYNCED, ())


def test_the_seq_of_a_row_is_not_what_it_holds() -> None:
    stored = replace(database(LONG), positions={BTC_NET: position(BTC, "2", seq=Seq(49))})
    assert compare(LONG, stored, venue(LONG)).differences == ()


BEHIND = DatabaseState(Seq(90), {BTC_NET: position(BTC, "1", seq=Seq(40))})


@pytest.mark.parametrize(
    ("sentence", "ours", "stored", "status", "kinds"),
    [
        (
            "the row is newer in memory than the database",
            book(position(BTC, "2", seq=Seq(91))),
            BEHIND,
            Status.PENDING,
            [Kind.VIEW_LAG],
        ),
        (
            "the database has passed the row's last event",
            book(position(BTC, "2", seq=Seq(90))),
            BEHIND,
            Status.DRIFT,
            [Kind.MEMORY_DATABASE],
        ),
        (
            "the database was read after memory",
            LONG,
            DatabaseState(Seq(110), {BTC_NET: position(BTC, "3", seq=Seq(105))}),
            Status.PENDING,
            [Kind.VIEW_LAG],
        ),
        (
            "an order carries no seq, so its side's counts",
            RESTING,
            DatabaseState(Seq(90)),
            Status.PENDING,
            [Kind.VIEW_LAG],
        ),
        ("behind, but nothing differs", LONG, replace(database(LONG), seq=Seq(90)), Status.SYNCED, []),
    ],
)
def test_what_the_other_side_has_not_reached_is_pending(
    sentence: str, ours: OurState, stored: DatabaseState, status: Status, kinds: list[Kind]
) -> None:
    found = compare(ours, stored, venue(ours), table=True)
    assert (found.status, [one.kind for one in found.differences]) == (status, kinds), sentence
    assert found.rows[0].status is status


@pytest.mark.parametrize(
    ("lag_ms", "status", "severity"), [(5_000, Status.PENDING, Severity.INFO), (5_001, Status.DRIFT, Severity.MEDIUM)]
)
def test_a_lag_of_more_than_five_seconds_is_a_difference(lag_ms: int, status: Status, severity: Severity) -> None:
    ours = book(position(BTC, "2", seq=Seq(91)))
    found = compare(ours, BEHIND, venue(ours), lag_ms=lag_ms)
    lag = found.differences[0]
    assert (found.status, lag.kind, lag.severity) == (status, Kind.VIEW_LAG, severity)
    assert (lag.ours, lag.database, lag.difference) == ("100", "90", D(-10))
    assert lag.direction.startswith("database is 10 events behind memory, 1 rows differ for it")


def test_a_key_that_the_venue_was_not_asked_about_is_not_compared() -> None:
    found = compare(FULL, database(FULL), replace(venue(FULL), balances=None, open_orders=None), table=True)
    assert [(row.section, row.status) for row in found.rows] == [
        ("positions", Status.SYNCED),
        ("balances", Status.NOT_COMPARED),
        ("open_orders", Status.NOT_COMPARED),
    ]
    assert (found.status, found.not_compared) == (Status.SYNCED, ("balances", "open_orders"))
    nothing = compare(FULL, database(FULL), VenueSnapshot(ACCOUNT), table=True)
    assert {row.status for row in nothing.rows} == {Status.NOT_COMPARED}
    assert nothing.status is Status.FAILED
    stored = replace(database(FULL), balances={"USDC": balance("USDC", "999")})
    other = compare(FULL, stored, replace(venue(FULL), balances=None), table=True)
    assert [row.status for row in other.rows] == [Status.SYNCED, Status.DRIFT, Status.SYNCED]


def test_a_lag_shows_even_when_no_row_differs() -> None:
    stored = replace(database(LONG), seq=Seq(110))
    lag = compare(LONG, stored, venue(LONG), lag_ms=6_000).differences[0]
    assert lag.direction == "database is 10 events ahead of memory, 0 rows differ for it, for 6000 ms now"
    assert compare(LONG, database(LONG), venue(LONG), lag_ms=6_000).differences == (), "no lag at equal seq"


# --- sources ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["positions", "balances", "open_orders"])
def test_a_part_that_failed_is_unknown_and_never_flat(part: str) -> None:
    theirs = replace(venue(FULL), failed={part: "timed out"}, **{part: None})
    found = compare(FULL, None, theirs, table=True)
    assert found.status is Status.FAILED
    assert [(one.kind, one.subject, one.status, one.severity) for one in found.differences] == [
        (Kind.STALE_SOURCE, part, Status.FAILED, Severity.HIGH)
    ]
    assert "timed out" in found.differences[0].direction
    assert found.not_compared == (part,)
    assert [(row.venue, row.status) for row in found.rows if row.section == part] == [(None, Status.FAILED)]
    assert {row.status for row in found.rows if row.section != part} == {Status.SYNCED}


def test_half_an_answer_counts_as_none() -> None:
    theirs = replace(EMPTY, failed={"positions": "page 2 timed out"})
    assert [one.kind for one in compare(LONG, None, theirs).differences] == [Kind.STALE_SOURCE]


def test_a_part_that_nobody_asked_for_is_named() -> None:
    ours = book(position(BTC, "2"), balance("USDC", "1000"))
    found = compare(ours, None, replace(venue(ours), balances=None), table=True)
    assert (found.status, found.not_compared, found.compared) == (Status.SYNCED, ("balances",), 1)
    assert [row.section for row in found.rows] == ["positions"], "one side alone is no row"


def test_a_snapshot_without_any_part_compares_nothing() -> None:
    found = compare(LONG, database(LONG), VenueSnapshot(ACCOUNT))
    assert (found.status, found.compared) == (Status.FAILED, 0)
    assert found.not_compared == ("snapshot", "positions", "balances", "open_orders")
    assert compare(FLAT, None, EMPTY).status is Status.SYNCED, "an empty account agrees with an empty book"


def test_a_database_that_cannot_be_read_is_unknown() -> None:
    stored = DatabaseState(Seq(0), failed="disk I/O error")
    found = compare(LONG, stored, venue(LONG), table=True)
    assert (found.status, found.not_compared) == (Status.FAILED, ("database",))
    assert [(row.memory, row.database, row.venue) for row in found.rows] == [("2", None, "2")]


def test_a_difference_shows_before_what_could_not_be_compared() -> None:
    theirs = replace(holding("5"), balances=None, failed={"balances": "timed out"})
    found = compare(LONG, None, theirs)
    assert found.status is Status.DRIFT
    assert {one.status for one in found.differences} == {Status.DRIFT, Status.FAILED}
    assert found.not_compared == ("balances",)


def test_what_could_not_be_compared_shows_before_what_is_pending() -> None:
    theirs = replace(holding("3"), balances=None, failed={"balances": "timed out"})
    assert compare(LONG, None, theirs, in_flight={BTC_NET: D(1)}).status is Status.FAILED


def test_what_no_instrument_covers_is_a_critical_difference() -> None:
    found = only(FLAT, replace(EMPTY, unmapped={"kPEPE": '{"szi": "5"}'}))
    assert (found.kind, found.severity, found.status) == (Kind.SYMBOL_MAP, Severity.CRITICAL, Status.DRIFT)
    assert (found.subject, found.theirs) == ("kPEPE", '{"szi": "5"}')


MINUTE = 60_000_000_000


@pytest.mark.parametrize(
    ("sentence", "cut", "now", "status"),
    [
        ("a minute old", MINUTE, 2 * MINUTE, Status.SYNCED),
        ("older than a minute", MINUTE, 2 * MINUTE + 1, Status.FAILED),
        ("newer than the book", 2 * MINUTE, MINUTE, Status.SYNCED),
        ("of unknown age", None, MINUTE, Status.SYNCED),
        ("nobody asks for its age", MINUTE, None, Status.SYNCED),
    ],
)
def test_age_of_a_snapshot(sentence: str, cut: int | None, now: int | None, status: Status) -> None:
    found = compare(LONG, None, replace(venue(LONG), cut=cut), now=now)
    assert (found.status, found.cut) == (status, cut), sentence
    assert ("age of the snapshot" in found.not_compared) is (sentence == "of unknown age")
    if status is Status.FAILED:
        stale = found.differences[0]
        assert (stale.kind, stale.subject) == (Kind.STALE_SOURCE, "snapshot")
        assert (stale.ours, stale.theirs) == ("1970-01-01T00:02:00.000000001Z", "1970-01-01T00:01:00Z")


DAY = 24 * 60 * MINUTE


@pytest.mark.parametrize(
    ("sentence", "cut", "wall_clock", "status"),
    [
        ("a day ahead may be a clock", MINUTE + DAY, None, Status.SYNCED),
        ("more than that is no time at all", MINUTE + DAY + 1_000_000, None, Status.FAILED),
        ("saved answers may be much newer than the newest fact", 90 * DAY, 90 * DAY, Status.SYNCED),
        ("but not newer than the present", 92 * DAY, 90 * DAY, Status.FAILED),
    ],
)
def test_a_snapshot_from_the_future(sentence: str, cut: int, wall_clock: int | None, status: Status) -> None:
    found = compare(LONG, None, replace(venue(LONG), cut=cut), now=MINUTE, wall_clock=wall_clock)
    assert found.status is status, sentence
    assert [one.kind for one in found.differences] == [Kind.STALE_SOURCE] * (status is Status.FAILED)


@pytest.mark.parametrize(
    ("age_ms", "words"),
    [
        (99_999_700_000, "the answer is 3 years old; at most 60 s are accepted"),
        (61_000, "the answer is 61 s old; at most 60 s are accepted"),
        (7_200_000, "the answer is 2 hours old; at most 60 s are accepted"),
    ],
)
def test_ages_are_told_in_units_of_people(age_ms: int, words: str) -> None:
    (stale,) = compare(LONG, None, replace(venue(LONG), cut=0), now=age_ms * 1_000_000).differences
    assert stale.direction == words


def test_the_age_allowed_can_be_set() -> None:
    old = replace(venue(LONG), cut=0)
    assert compare(LONG, None, old, now=5_000_000_000, age_ms_max=5_000).status is Status.SYNCED
    assert compare(LONG, None, old, now=5_000_000_001, age_ms_max=5_000).status is Status.FAILED


def test_a_snapshot_of_another_account_is_refused() -> None:
    with pytest.raises(BadInput, match="snapshot is not of"):
        compare(LONG, None, replace(EMPTY, account="hyperliquid:other"))


# --- the answer as a whole --------------------------------------------------------------------------------------------


def test_the_table_names_every_row_once_and_changes_no_finding() -> None:
    ours = book(position(BTC, "2"), position(ETH, "3"), balance("USDC", "1000"), order("1"))
    theirs = replace(holding("5"), balances={"USDC": D(900)}, open_orders={})
    table = compare(ours, database(ours), theirs, table=True)
    bare = compare(ours, database(ours), theirs)
    assert replace(table, rows=()) == bare
    assert [(row.section, row.subject, row.memory, row.database, row.venue, row.status) for row in table.rows] == [
        ("positions", f"{BTC.symbol} net", "2", "2", "5", Status.DRIFT),
        ("positions", f"{ETH.symbol} net", "3", "3", "0", Status.DRIFT),
        ("balances", "USDC", "1000", "1000", "900", Status.DRIFT),
        ("open_orders", "1", "buy 1 @ 90, 0 filled", "buy 1 @ 90, 0 filled", None, Status.DRIFT),
    ]
    assert [row.kinds for row in table.rows] == [
        (Kind.QTY,),
        (Kind.MISSING_THEIRS,),
        (Kind.CASH,),
        (Kind.ORDER_MISSING,),
    ]
    assert (table.memory_seq, table.database_seq, table.compared) == (SEQ, SEQ, 4)


def test_agreement_is_shown_too() -> None:
    ours = book(position(BTC, "2"))
    rows = compare(ours, None, venue(ours), table=True).rows
    assert [(row.memory, row.database, row.venue, row.status) for row in rows] == [("2", None, "2", Status.SYNCED)]
