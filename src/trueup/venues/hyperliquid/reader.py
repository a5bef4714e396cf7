"""The reader of saved answers: each is recognised, handed to the parser of its kind, and its outcome put together."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import msgspec

from trueup.model.errors import BadInput, Malformed
from trueup.model.events import Fact, InstrumentDefined
from trueup.model.identifiers import AccountId
from trueup.model.instruments import Instrument
from trueup.ports import Reading, Refused
from trueup.venues import rows
from trueup.venues.files import json_value, merge_snapshots
from trueup.venues.hyperliquid import kinds
from trueup.venues.hyperliquid.context import Context
from trueup.venues.hyperliquid.fills import read_fills, slices
from trueup.venues.hyperliquid.kinds import Found, Nothing, recognise
from trueup.venues.hyperliquid.ledger import read_ledger
from trueup.venues.hyperliquid.meta import Symbols, read_meta, read_spot_meta
from trueup.venues.hyperliquid.orders import read_open_orders, read_reports
from trueup.venues.hyperliquid.state import read_clearinghouse, read_spot_state
from trueup.venues.lines import json_lines
from trueup.venues.rows import Row

_SAVE_AGAIN = "Save the venue's answer again, as it came."
_ADDRESS = "address"

Parsed = tuple[Sequence[Fact], Sequence[Instrument], Sequence[Refused]]


class OtherAccount(Malformed):
    """An answer of another address than the account's."""


class HyperliquidReader:
    """Parses saved answers of one account; one reader per import, since ``spotMeta`` explains what comes after it.

    Args:
        account: Whose facts the answers become.
        address: The account's address at the venue. It gives transfers between accounts their direction; without it
            the request or the answer itself may say it. Once it is known, answers of another are refused.
        instruments: Terms that the book knows from earlier imports, so that ``@107`` need not be explained again.
        learnt: What earlier imports have on record of the account.
    """

    def __init__(
        self,
        account: AccountId,
        address: str = "",
        instruments: Iterable[Instrument] = (),
        learnt: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._account = account
        self._recorded = learnt.get(_ADDRESS, "")
        self._address = address.lower() or self._recorded
        self._symbols = Symbols(instruments)

    def read(self, name: str, data: bytes, request: bytes | None = None) -> Reading:
        """Recognise and parse one answer, or the messages of a feed, one a line.

        Args:
            name: For reports.
            data: The answer.
            request: The body of the request, where it was saved; it says what an empty answer is of, and whose.

        Raises:
            Malformed: Not an answer of this venue, of a kind that holds nothing to book or compare, or of another
                account than the reader's.
        """
        before = self._address
        try:
            reading = self._read(name, data, request)
        except Malformed:
            self._address = before  # nothing is believed of an answer that is refused
            raise
        if self._address == self._recorded:
            return reading
        self._recorded = self._address
        return msgspec.structs.replace(reading, learnt={_ADDRESS: self._address})

    def _read(self, name: str, data: bytes, request: bytes | None) -> Reading:
        try:
            value = json_value(name, data)
        except Malformed as whole:
            lines = json_lines(name, data)
            if len(lines) <= 1 or isinstance(lines[0][1], bytes):
                raise whole from None
            return self._lines(name, lines)
        return self._answer(name, value, _asked(request))

    def _lines(self, name: str, lines: Sequence[tuple[int, object]]) -> Reading:
        """Messages of a feed, or the rows of one answer."""
        broken = [
            _refused(name, number, line, "not JSON", _SAVE_AGAIN) for number, line in lines if isinstance(line, bytes)
        ]
        values = [(number, value) for number, value in lines if not isinstance(value, bytes)]
        if any(isinstance(value, dict) and "channel" in value for _, value in values):
            return self._messages(name, values, broken)
        return _together([self._answer(name, [value for _, value in values], {})], broken, "")

    def _messages(self, name: str, messages: Sequence[tuple[int, object]], broken: list[Refused]) -> Reading:
        """Messages of a feed; those that hold nothing are counted, those that cannot be read are refused."""
        readings: list[Reading] = []
        idle = 0
        for number, message in messages:
            try:
                readings.append(self._answer(f"{name}:{number}", message, {}))
            except Nothing:
                idle += 1
            except OtherAccount:
                raise
            except Malformed as error:
                broken.append(_refused(name, number, message, error.message, error.remedy))
        if not readings and not broken:
            raise Nothing(f"{name}: no message of it holds anything to book or compare.", remedy=kinds.USEFUL)
        broken.sort(key=lambda refusal: refusal.row)
        return _together(readings, broken, f"{idle} messages held nothing to book." if idle else "")

    def _answer(self, name: str, value: object, request: Row) -> Reading:
        found = recognise(name, value, request)
        user = (found.user or str(request.get("user") or "")).lower()
        if self._address and user and user != self._address:
            raise OtherAccount(
                f"{name}: an answer of {user}, but {self._account} is {self._address}.",
                remedy="Import each address under a name of its own (--account).",
            )
        self._address = self._address or user
        if request.get("aggregateByTime") is True and found.kind in kinds.FILLS:
            raise Malformed(
                f"{name}: fills joined by time (aggregateByTime) have lost their identities.",
                remedy="Ask again without aggregateByTime.",
            )
        context = Context(name, self._account, self._symbols, self._address, _dex(found, request))
        try:
            return _read(context, found)
        except BadInput as error:
            raise Malformed(f"{name}: {error.message}", remedy=error.remedy) from error


def _read(context: Context, found: Found) -> Reading:
    """Hand the answer to the parser of its kind."""
    kind, value = found.kind, found.value
    if kind not in kinds.LISTS:
        return _read_whole(context, kind, rows.as_row(value, kind))
    items = rows.records({kind: value}, kind)
    if kind in kinds.FILLS:
        return _facts(
            context, kind, items, read_fills(context, slices(items) if kind == "userTwapSliceFills" else items)
        )
    if kind in kinds.MONEY:
        return _facts(context, kind, items, read_ledger(context, items))
    if kind in kinds.REPORTS:
        return _facts(context, kind, items, read_reports(context, items))
    snapshot, refused = read_open_orders(context, items)
    return Reading(kind, refused=refused, snapshot=snapshot, rows=len(items))


def _read_whole(context: Context, kind: str, value: Row) -> Reading:
    if kind == "clearinghouseState":
        snapshot, refused, note = read_clearinghouse(context, value)
        return Reading(
            kind, refused=refused, snapshot=snapshot, rows=len(rows.records(value, "assetPositions")), note=note
        )
    if kind == "spotClearinghouseState":
        snapshot, refused = read_spot_state(context, value)
        return Reading(kind, refused=refused, snapshot=snapshot, rows=len(rows.records(value, "balances")))
    read = read_spot_meta if kind == "spotMeta" else read_meta
    instruments, refused = read(context.name, value, context.symbols)
    return _facts(context, kind, rows.records(value, "universe"), ((), instruments, refused))


def _facts(context: Context, kind: str, items: Sequence[object], parsed: Parsed) -> Reading:
    facts, instruments, refused = parsed
    definitions = [InstrumentDefined(context.account, instrument) for instrument in instruments]
    return Reading(kind, facts=[*definitions, *facts], refused=refused, rows=len(items))


def _together(readings: Sequence[Reading], broken: Sequence[Refused], note: str) -> Reading:
    """Several readings as one, instruments first and each but once."""
    facts = [fact for reading in readings for fact in reading.facts]
    defined = dict.fromkeys(fact for fact in facts if isinstance(fact, InstrumentDefined))
    snapshots = [reading.snapshot for reading in readings if reading.snapshot is not None]
    return Reading(
        kind=", ".join(dict.fromkeys(reading.kind for reading in readings)) or "messages",
        facts=[*defined, *(fact for fact in facts if not isinstance(fact, InstrumentDefined))],
        refused=[*broken, *(refusal for reading in readings for refusal in reading.refused)],
        snapshot=merge_snapshots(snapshots) if snapshots else None,
        rows=sum(reading.rows for reading in readings) + len(broken),
        note=" ".join(dict.fromkeys(filter(None, (*(reading.note for reading in readings), note)))),
    )


def _refused(name: str, number: int, line: object, problem: str, remedy: str) -> Refused:
    return rows.refused(name, number, line, BadInput("line", rows.shown(line), problem, remedy=remedy))


def _asked(request: bytes | None) -> Row:
    """The request's fields; none when it was not saved or is not JSON."""
    try:
        value = json_value("request", request or b"{}")
    except Malformed:
        return {}
    return value if isinstance(value, dict) else {}


def _dex(found: Found, request: Row) -> str | None:
    """Which dex the answer is of, where anything says it; a request that names none means the main one."""
    if found.dex is not None:
        return found.dex
    return str(request.get("dex") or "") if request else None
