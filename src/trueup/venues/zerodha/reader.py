"""Recognise a saved answer of Kite Connect v3 by its content and hand it to the module that reads its kind.

Answers build on one another: the instruments file tells steps and expiries, positions tell how large lots are, orders
tell our ids of their trades, and positions and holdings together tell what is held for delivery. So read instruments,
positions, holdings and margins before orders, and orders before trades.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import msgspec

from trueup.book.orders import as_open
from trueup.model.differences import VenueSnapshot
from trueup.model.errors import BadInput, Malformed
from trueup.model.events import OrderReported
from trueup.model.identifiers import AccountId
from trueup.model.instruments import Instrument
from trueup.model.numbers import exact
from trueup.ports import Reading, Refused
from trueup.venues import looks, rows
from trueup.venues.files import FILE_BYTES_MAX, json_value, unpacked
from trueup.venues.lines import json_lines
from trueup.venues.rows import Row
from trueup.venues.zerodha import instruments, kinds, orders, placement, state, trades
from trueup.venues.zerodha.known import Known

_FUNDS = b"tradingsymbol,amc,"
"""How the file of mutual funds begins."""

_USEFUL = "Import answers of positions, holdings, margins, orders or trades, or the instruments file."


class ZerodhaReader:
    """Reads the answers of one account at Zerodha, in the order they are given.

    Attributes:
        known: What they told so far.
    """

    def __init__(
        self,
        account: AccountId,
        known: Iterable[Instrument] = (),
        *,
        learnt: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """A reader that knows of the account only what it is told here.

        Args:
            account: The ledger to book to.
            known: Instruments that the book knows from earlier imports: how large their lots are.
            learnt: What answers read earlier said of the account; those of another user are refused.
        """
        self.known = Known(account, known, learnt)

    def fork(self) -> "ZerodhaReader":
        """A reader that knows what is traded as this one does, and nothing of how the account stands."""
        other = ZerodhaReader(self.known.account)
        other.known = self.known.fork()
        return other

    def read(self, name: str, data: bytes, request: bytes | None = None) -> Reading:
        """Recognise and parse one answer.

        Args:
            name: For reports.
            data: The answer; the instruments file may be packed as it came.
            request: The path that was asked, such as ``b"/orders"``, where it is known. It tells what an empty list is
                of, and that a list of one order is the whole day's.

        Raises:
            Malformed: Not an answer of Kite, one that holds nothing to book or compare, or one of another user.
        """
        before = dict(self.known.learnt)
        try:
            with exact():
                reading = _read(name, unpacked(name, data, FILE_BYTES_MAX), _path(request), self.known)
        except BadInput as error:
            raise Malformed(f"{name}: {error.field}={error.value!r}: {error.problem}.", remedy=error.remedy) from None
        learnt = dict(self.known.learnt.items() - before.items())
        facts = [*self.known.definitions(), *reading.facts]
        return msgspec.structs.replace(reading, facts=facts, learnt=learnt)


def _read(name: str, data: bytes, path: str, known: Known) -> Reading:
    if data.startswith(instruments.COLUMNS):
        return _instruments(name, data, known)
    if data.startswith(_FUNDS):
        raise _nothing(name, "the list of mutual funds, which are not traded here")
    try:
        answer = json_value(name, data)
    except Malformed:
        lines = json_lines(name, data)
        if not any(isinstance(line, dict) and "type" in line for _, line in lines):
            raise
        return _frames(name, lines, known)
    if isinstance(answer, dict):
        return _record(name, answer, path, known)
    raise _unknown(name, answer)


def _record(name: str, answer: Row, path: str, known: Known) -> Reading:
    if answer.get("status") == "error":
        raise Malformed(
            f"{name} is an error of Kite, not an answer.",
            remedy="Ask again; after a TokenException log in first.",
            venue_code=rows.shown(answer.get("error_type", "")),
            venue_text=rows.shown(answer.get("message", "")),
        )
    if "type" in answer and "data" in answer:
        return _frames(name, [(1, answer)], known)
    if kinds.of_list([answer]) == kinds.ORDERS:
        return _orders(name, "postback", [answer], known)
    if "data" not in answer:
        raise _unknown(name, answer)
    data = answer["data"]
    return _list(name, data, path, known) if isinstance(data, list) else _data(name, data, known)


def _data(name: str, data: object, known: Known) -> Reading:
    """What an answer says in one record."""
    row = data if isinstance(data, Mapping) else {}
    match kinds.of_record(row):
        case kinds.POSITIONS:
            return state.positions(name, row, known)
        case kinds.MARGINS:
            return state.margins(name, row, known)
        case kinds.PROFILE:
            known.check_user(rows.text(row, "user_id"))
            return Reading(kinds.PROFILE, rows=1, note="nothing to book: it says whose account it is")
        case kinds.PLACED:
            return _placed(row)
        case _:
            raise _unknown(name, data)


def _list(name: str, listed: Sequence[object], path: str, known: Known) -> Reading:
    """What an answer lists."""
    match kinds.of_list(listed) or ("" if listed else kinds.LISTS.get(path, "")):
        case kinds.TRADES:
            facts, refused = rows.read_each(name, listed, lambda row: trades.fill(row, known))
            return Reading(kinds.TRADES, facts, refused, rows=len(listed), note=trades.NO_FEES if facts else "")
        case kinds.ORDERS:
            return _day(name, listed, known) if _whole_day(listed, path) else _orders(name, "order", listed, known)
        case kinds.HOLDINGS:
            return state.holdings(name, listed, known)
        case _ if listed:
            raise _unknown(name, listed)
        case _:
            raise Malformed(
                f"{name}: an empty list does not say what it is a list of.", remedy="Leave it out: it holds nothing."
            )


# --- orders -----------------------------------------------------------------------------------------------------------


def _whole_day(listed: Sequence[object], path: str) -> bool:
    """Whether a list is all orders of the day, and not the history of one: no order stands there twice.

    Where only one order is listed its content does not say which of the two it is.
    """
    if path.startswith("/orders"):
        return path == "/orders"
    ids = [str(row.get("order_id")) for row in listed if isinstance(row, Mapping)]
    return len(ids) > 1 and len(set(ids)) == len(ids)


def _orders(name: str, kind: str, listed: Sequence[object], known: Known) -> Reading:
    """Reports that say nothing of other orders than their own."""
    facts, refused = rows.read_each(name, listed, lambda row: orders.report(row, known))
    return Reading(kind, _different(facts), refused, rows=len(listed))


def _day(name: str, listed: Sequence[object], known: Known) -> Reading:
    """All orders of the day: those that have not ended are all there are."""
    reading = _orders(name, kinds.ORDERS, listed, known)
    reports = [fact for fact in reading.facts if isinstance(fact, OrderReported)]
    still = {one.venue_order_id: as_open(one) for one in reports if one.status not in orders.ENDED.values()}
    failed = {"open_orders": "a row of it could not be read"} if _open_unread(listed, reading.refused) else {}
    snapshot = VenueSnapshot(known.account, open_orders=None if failed else still, failed=failed, source=(name,))
    return msgspec.structs.replace(reading, snapshot=snapshot)


def _open_unread(listed: Sequence[object], refused: Sequence[Refused]) -> bool:
    """Whether a row that could not be read may be of an order that has not ended."""
    unread = (listed[one.row - 1] for one in refused)
    return not all(isinstance(row, Mapping) and row.get("status") in orders.ENDED for row in unread)


def _different(reports: Sequence[OrderReported]) -> list[OrderReported]:
    """Without repetitions: a history may tell one state twice within a second."""
    return list({report.report_id: report for report in reports}.values())


def _frames(name: str, lines: Sequence[tuple[int, object]], known: Known) -> Reading:
    """Text frames of the stream: orders, and messages for people."""
    facts: list[OrderReported] = []
    refused: list[Refused] = []
    idle = 0
    for number, line in lines:
        try:
            row = rows.as_row(line, "frame")
            if rows.text(row, "type") == "order":
                facts.append(orders.report(rows.record(row, "data"), known))
            else:
                idle += 1
        except BadInput as error:
            refused.append(rows.refused(name, number, line, error))
    if not facts and not refused:
        raise _nothing(name, "messages for a person")
    note = f"{idle} messages held nothing to book" if idle else ""
    return Reading("order updates", _different(facts), refused, rows=len(lines), note=note)


def _placed(row: Row) -> Reading:
    """The answer to a write: it was taken, and what became of it the orders say."""
    found = placement.placed(row)
    note = f"nothing to book: order {found.order_id} was taken, and /orders says what became of it"
    if found.slices or found.refused:
        words = "; ".join(f"slice {one.number}: {one.error_type} {one.message}" for one in found.refused)
        taken = f"{len(found.slices)} of its {len(found.slices) + len(found.refused)} slices"
        note = f"{note}; {taken} were taken" + (f", not {words}" if words else "")
    return Reading(kinds.PLACED, rows=1 + len(found.slices) + len(found.refused), note=note)


# --- instruments ------------------------------------------------------------------------------------------------------


def _instruments(name: str, data: bytes, known: Known) -> Reading:
    """Terms to define instruments by once they are met: the file does not say in which product they will be held."""
    refused, count = [], 0
    for line, row in instruments.table(name, data):
        count += 1
        try:
            terms = instruments.terms(row)
        except BadInput as error:
            refused.append(rows.refused(name, line, row, error))
            continue
        known.terms[terms.exchange, terms.tradingsymbol] = terms
    return Reading(
        "instruments", refused=refused, rows=count, note="terms for what later answers hold or trade; nothing to book"
    )


# --- refusals ---------------------------------------------------------------------------------------------------------


def _nothing(name: str, what: str) -> Malformed:
    return Malformed(f"{name} holds {what}: nothing to book or compare.", remedy=_USEFUL)


def _unknown(name: str, data: object) -> Malformed:
    """Why an answer is refused as a whole."""
    what = kinds.nothing(data)
    if what:
        return _nothing(name, what)
    fields = f"; its fields are: {rows.shown(', '.join(data))}" if isinstance(data, Mapping) else ""
    return Malformed(
        f"{name} is not recognised as an answer of Kite{fields}.",
        remedy=looks.other_venue(data, "zerodha") or f"Instead of {name}: {_USEFUL}",
    )


def _path(request: bytes | None) -> str:
    return (request or b"").decode(errors="replace").partition("?")[0]
