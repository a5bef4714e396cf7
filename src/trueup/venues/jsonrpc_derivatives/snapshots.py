"""The state of an account now: positions, balances and open orders, each an answer of its own; what failed is named.

The oldest answer counts as the cut. Balances are read together with the positions, since what the session's funding
adds to them until it is settled stands there.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Mapping, Sequence
from decimal import Decimal

from msgspec.structs import replace

from trueup.model.differences import VenueSnapshot
from trueup.model.errors import AuthenticationFailed, BadInput, Malformed, VenueError
from trueup.model.identifiers import AccountId
from trueup.model.numbers import ZERO, exact
from trueup.venues import rows
from trueup.venues.files import merge_snapshots
from trueup.venues.jsonrpc_derivatives import parts
from trueup.venues.jsonrpc_derivatives.parts import Context
from trueup.venues.jsonrpc_derivatives.reader import Engine, EngineReader
from trueup.venues.jsonrpc_derivatives.wire import Wire, row_of, taken_at
from trueup.venues.rows import Row
from trueup.venues.transport.limiter import Priority

SUMMARIES = "private/get_account_summaries"
POSITIONS = "private/get_positions"
OPEN_ORDERS = "private/get_open_orders"

_NO_FUNDING_KNOWN = "the positions, whose funding is in them until it is settled, could not be read"

Asked = Row | VenueError
"""An answer, or why there is none."""


class States:
    """Asks for the state of one account.

    Args:
        account: Whose.
        engine: Where it is.
        reader: Of its answers.
        wire: To it.
        learnt: What earlier answers said of the account.

    Attributes:
        learnt: The same with what answers said since: ``account_id``, the venue's number of it.
    """

    def __init__(
        self, account: AccountId, engine: Engine, reader: EngineReader, wire: Wire, learnt: Mapping[str, str]
    ) -> None:
        self.learnt = dict(learnt)
        self._account = account
        self._engine = engine
        self._reader = reader
        self._wire = wire

    async def summaries(self, priority: Priority = Priority.RECONCILE) -> Row:
        """Whose account it is, and its currencies.

        Raises:
            AuthenticationFailed: The key is of another account than what is booked.
            VenueError: It could not be asked.
        """
        answer = await self._wire.ask(SUMMARIES, {"extended": True}, priority)
        found = _account_id_of(answer)
        known = self.learnt.get("account_id", found)
        if known != found:
            raise AuthenticationFailed(
                f"What is booked of {self._account} is of account {known}, and this key is of {found or 'none'}.",
                remedy="Give this key an account of its own, or name the key that belongs to this one.",
            )
        if found:
            self.learnt["account_id"] = found
        return answer

    async def snapshot(self) -> VenueSnapshot:
        """The account's state; a part that could not be read is None and named in ``failed``.

        Raises:
            VenueError: Nothing of it could be read.
        """
        held, money, orders = await asyncio.gather(
            _told(self._wire.ask(POSITIONS, {"currency": "any"})),
            _told(self.summaries()),
            _told(self._wire.ask(OPEN_ORDERS, {})),
        )
        errors = [one for one in (held, money, orders) if isinstance(one, VenueError)]
        if len(errors) == len((held, money, orders)):
            raise errors[0]
        return merge_snapshots(
            [
                self._stated(POSITIONS, "positions", held),
                self._stated(OPEN_ORDERS, "open_orders", orders),
                self._balances(money, held),
            ]
        )

    def _stated(self, method: str, part: str, asked: Asked) -> VenueSnapshot:
        """What an answer says. It was asked of everything, so it speaks for every instrument."""
        if isinstance(asked, VenueError):
            return self._failed(part, str(asked))
        try:
            read = self._reader.answer(method, asked, method).snapshot
        except (BadInput, Malformed) as error:
            return self._failed(part, str(error))
        if read is None:
            return self._failed(part, "an answer of another kind")
        return replace(read, position_scope=None, cut=taken_at(asked))

    def _balances(self, money: Asked, held: Asked) -> VenueSnapshot:
        if isinstance(money, VenueError):
            return self._failed("balances", str(money))
        if isinstance(held, VenueError):
            return self._failed("balances", _NO_FUNDING_KNOWN)
        context = Context(SUMMARIES, self._account, self._engine.wallet, {})
        try:
            funding = _unsettled(context, held)
            found = [
                parts.cash(context, row, funding.get(rows.text(row, "currency"), ZERO)) for row in _summaries(money)
            ]
        except BadInput as error:
            return self._failed("balances", str(error))
        options = sorted(currency for currency, amount in found if amount is None)
        if options:
            return self._failed("balances", f"options are held, which are not booked: {', '.join(options)}")
        if not found:
            return self._failed("balances", "no currency is listed")
        balances = {currency: amount for currency, amount in found if amount is not None}
        return VenueSnapshot(self._account, balances=balances, cut=taken_at(money), source=(SUMMARIES,))

    def _failed(self, part: str, reason: str) -> VenueSnapshot:
        return VenueSnapshot(self._account, failed={part: reason})


def currencies_of(answer: Row) -> Sequence[str]:
    """The currencies that an account has, those with money first. Raises :class:`Malformed`, also where none is listed.

    The log of one is told slowly, and the venue may list many that the account never used.
    """
    try:
        listed = sorted(_summaries(answer), key=lambda row: not rows.optional_decimal(row, "equity"))
        found = [rows.text(row, "currency") for row in listed]
    except BadInput as error:
        raise Malformed(f"{SUMMARIES}: {error.field}: {error.problem}.", remedy=error.remedy) from error
    if not found:
        raise Malformed(
            f"{SUMMARIES}: no currency is listed, so there is none to ask about.",
            remedy="Deposit something first, or check which account the key is of.",
        )
    return found


def _account_id_of(answer: Row) -> str:
    """The venue's number of the account; empty where it does not say. Raises :class:`Malformed`."""
    try:
        return rows.optional_identifier(row_of(SUMMARIES, answer), "id")
    except BadInput as error:
        raise Malformed(f"{SUMMARIES}: {error.field}: {error.problem}.", remedy=error.remedy) from error


def _summaries(answer: Row) -> Sequence[Row]:
    return [rows.as_row(row, "summaries") for row in rows.records(rows.record(answer, "result"), "summaries")]


def _unsettled(context: Context, held: Row) -> Mapping[str, Decimal]:
    """The session's funding of the positions, by currency. Options have none."""
    found: dict[str, Decimal] = defaultdict(Decimal)
    with exact():
        for value in rows.records(held, "result"):
            row = rows.as_row(value, "positions")
            if rows.optional_decimal(row, "realized_funding"):
                currency, funding = parts.unsettled(context, row)
                found[currency] += funding
    return found


async def _told(asked: Awaitable[Row]) -> Asked:
    try:
        return await asked
    except VenueError as error:
        return error
