"""What all calls of one account share: the way to the venue, whose key it is, its products and its clock.

A key belongs to one portfolio, and every answer is of that one. So before anything else the venue says which it is, and
a key of another portfolio than what is booked is refused: its answers would pass for the account's.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from random import Random
from typing import TypeVar
from urllib.parse import urlsplit
from uuid import UUID

import msgspec

from trueup.model.errors import AuthenticationFailed, BadInput, Malformed
from trueup.model.identifiers import AccountId
from trueup.model.instruments import Instrument
from trueup.model.numbers import exact
from trueup.model.times import NS_PER_SECOND
from trueup.ports import Clock, Refused
from trueup.venues import cdp, rows
from trueup.venues.coinbase import calls
from trueup.venues.coinbase.context import Context
from trueup.venues.coinbase.errors import NotThere, judge
from trueup.venues.coinbase.fills import Trades
from trueup.venues.coinbase.products import Products, read_products
from trueup.venues.files import json_value
from trueup.venues.rows import Row
from trueup.venues.transport import http
from trueup.venues.transport.http import Answer, Call
from trueup.venues.transport.limiter import Limiter, Priority
from trueup.venues.transport.secrets import Secret
from trueup.venues.transport.skew import ClockSkew

CLOCKS_APART_MS_MAX = 60_000
"""The offset is compensated; one beyond this is a clock that nobody looks after."""

PRODUCTS_S = 300.0
"""How old a list of the products may be; one that is not known is asked for by its name."""

PAGES_MAX = 10_000
"""Pages of one list; a venue that says that there is always more is not believed for ever."""

WARNINGS_MAX = 100
REFUSED_MAX = 10_000
"""Refused rows that wait to be put on record; more come only where nobody asks for them."""

_NONCE_BITS = 128

T = TypeVar("T")


class Key(msgspec.Struct, frozen=True):
    """What the venue says of the key.

    Attributes:
        portfolio: The one that it belongs to.
    """

    portfolio: str
    may_view: bool
    may_trade: bool
    may_transfer: bool


class Session:
    """Of one account.

    Args:
        account: Whose facts the answers become.
        key_name: Of the key, as Coinbase shows it.
        secret: The private key.
        rest_url: The venue's base address.
        clock: Ours.
        random: For what no other token had.
        instruments: Terms that the book knows.
        learnt: What earlier answers said of the account.
        limiter: What all accounts under this key share; None for one of its own.

    Attributes:
        trades: What was read of each trade, for what takes it back.
        skew: How far the venue's clock is from ours.
        key: None before it was asked for.
    """

    def __init__(
        self,
        account: AccountId,
        *,
        key_name: Secret,
        secret: Secret,
        rest_url: str,
        clock: Clock,
        random: Random,
        instruments: Iterable[Instrument],
        learnt: Mapping[str, str],
        limiter: Limiter | None = None,
    ) -> None:
        self.account = account
        self.clock = clock
        self.products = Products(instruments)
        self.trades = Trades()
        self.skew = ClockSkew(CLOCKS_APART_MS_MAX)
        self.transport = http.HttpTransport(
            "Coinbase", http.client(rest_url), judge, limiter or Limiter(calls.LIMITS), clock, self.skew
        )
        self.key: Key | None = None
        self.warnings: deque[str] = deque(maxlen=WARNINGS_MAX)
        self._key_name = key_name
        self._secret = secret
        self._host = urlsplit(rest_url).netloc
        self._random = random
        self._portfolio = learnt.get("portfolio", "")
        self._refused: deque[Refused] = deque(maxlen=REFUSED_MAX)
        self._listed: Sequence[Instrument] = ()
        self._listed_at = 0.0
        self._lock = asyncio.Lock()

    # --- asking -------------------------------------------------------------------------------------------------------

    async def ask(self, call: Call) -> Answer:
        """The answer to a call. Raises :class:`VenueError`."""
        return await self.transport.request(call, self._signed)

    async def row(self, call: Call) -> Row:
        """The answer to a call that is a row of named fields. Raises :class:`VenueError`."""
        return of_answer(call, (await self.ask(call)).body, lambda row: row)

    async def walk(self, call: Call, field: str) -> AsyncIterator[Sequence[object]]:
        """The rows of a list, answer by answer. Raises :class:`VenueError`."""
        page = call
        for _ in range(PAGES_MAX):
            items, cursor = of_answer(page, (await self.ask(page)).body, partial(_page, field=field))
            yield items
            if not cursor:
                return
            page = calls.next_page(call, cursor)
        raise Malformed(f"{call.path}: after {PAGES_MAX} pages there is still more.", remedy="Ask again.")

    async def rows(self, call: Call, field: str) -> list[object]:
        """All rows of a list. Raises :class:`VenueError`."""
        return [row async for items in self.walk(call, field) for row in items]

    def context(self, name: str) -> Context:
        """What a parser of an answer has to know besides it."""
        return Context(name, self.account, self.products)

    def token(self, uri: str | None) -> str:
        """A token for one request, or for one subscription. Raises :class:`AuthenticationFailed`."""
        now = self.venue_now() // NS_PER_SECOND
        nonce = f"{self._random.getrandbits(_NONCE_BITS):032x}"
        return cdp.token(self._key_name.reveal(), self._secret, uri=uri, now=now, nonce=nonce)

    def new_uuid(self) -> str:
        """An id that nothing else has."""
        return str(UUID(int=self._random.getrandbits(_NONCE_BITS), version=4))

    def venue_now(self) -> int:
        """The venue's clock in nanoseconds, as well as it is known."""
        return self.skew.venue_now(self.clock.now())

    # --- what is known ------------------------------------------------------------------------------------------------

    async def ready(self, priority: Priority = Priority.RECONCILE) -> Key:
        """See once how the venue's clock runs, whose key it is, and what is traded.

        Raises:
            AuthenticationFailed: The venue does not take the key, or it is of another portfolio than what is booked.
            VenueError: The venue could not be asked.
        """
        if self.key is not None and self._listed:
            return self.key  # without waiting for who asks for the products anew
        async with nullcontext() if priority.urgent else self._lock:  # asked twice it says the same; waiting costs more
            key = await self._see_whose(priority)
            if not self._listed:
                await self._list(priority)
            return key

    async def listed(self) -> Sequence[Instrument]:
        """The products, as they were up to :data:`PRODUCTS_S` ago. Raises as :meth:`ready` does."""
        async with self._lock:
            await self._see_whose(Priority.RECONCILE)
            if not self._listed or self.clock.monotonic() - self._listed_at > PRODUCTS_S:
                await self._list(Priority.RECONCILE)
            return self._listed

    async def learn(self, refused: Iterable[Refused], unmapped: Iterable[str] = ()) -> bool:
        """Ask for the terms of products that rows named and that are not known.

        Returns:
            Whether any was told: then the rows are to be read again.

        Raises:
            VenueError: The venue could not be asked.
        """
        unknown = {row.value for row in refused if row.field == "product_id" and row.value} | set(unmapped)
        told = False
        for product_id in sorted(unknown):
            try:
                row = await self.row(calls.product(product_id))
            except NotThere:
                continue
            found, _ = read_products(product_id, [row], self.products)
            told = told or bool(found)
        return told

    @property
    def portfolio(self) -> str:
        """The portfolio that the account is; empty before anything said it."""
        return self._portfolio

    # --- for people ---------------------------------------------------------------------------------------------------

    def refuse(self, refused: Iterable[Refused]) -> None:
        """Keep rows of the history that could not be read until somebody asks for them."""
        self._refused.extend(refused)

    def refused(self) -> Sequence[Refused]:
        """The rows that could not be read, each once."""
        refused = list(self._refused)
        self._refused.clear()
        return refused

    def warn(self, warning: str) -> None:
        """Tell a person, once."""
        if warning not in self.warnings:
            self.warnings.append(warning)

    # ------------------------------------------------------------------------------------------------------------------

    def _signed(self, call: Call) -> Call:
        token = self.token(f"{call.method} {self._host}{call.path}")
        return msgspec.structs.replace(call, headers={**call.headers, "authorization": f"Bearer {token}"})

    async def _see_whose(self, priority: Priority) -> Key:
        if self.key is not None:
            return self.key
        await self._see_time(priority)
        call = msgspec.structs.replace(calls.key_permissions(), priority=priority)
        key = of_answer(call, (await self.ask(call)).body, _key)
        if self._portfolio not in {"", key.portfolio}:
            raise AuthenticationFailed(
                f"The key is of portfolio {key.portfolio}; what is booked of {self.account} is of {self._portfolio}.",
                remedy="Name a key of that portfolio, or give this one an account of its own.",
            )
        if not key.may_view:
            raise AuthenticationFailed("The key may not view the account.", remedy="Make one with the scope view.")
        self.key, self._portfolio = key, key.portfolio
        return key

    async def _see_time(self, priority: Priority) -> None:
        """Before the first token: one of a clock that is wrong would be refused."""
        call = msgspec.structs.replace(calls.time(), priority=priority)
        answer = await self.transport.request(call)
        venue_time = of_answer(call, answer.body, lambda row: rows.milliseconds(row, "epochMillis"))
        self.skew.answered(answer.sent_at, venue_time, answer.received_at)

    async def _list(self, priority: Priority) -> None:
        listed: list[Instrument] = []
        for kind in ("SPOT", "FUTURE"):
            call = msgspec.structs.replace(calls.products(kind), priority=priority)
            items = of_answer(call, (await self.ask(call)).body, lambda row: rows.records(row, "products"))
            with exact():
                found, refused = read_products(f"products {kind}", items, self.products)
            listed += found
            for row in refused[:1]:
                self.warn(
                    f"products {kind}: {len(refused)} could not be read and are left out, the first because of "
                    f"{row.field}={row.value!r}: {row.problem}."
                )
        self._listed, self._listed_at = listed, self.clock.monotonic()


def of_answer(call: Call, body: bytes, parse: Callable[[Row], T]) -> T:
    """What an answer says. Raises :class:`Malformed`."""
    try:
        with exact():
            return parse(rows.as_row(json_value(call.path, body)))
    except BadInput as error:
        raise Malformed(f"{call.path}: {error.message}", remedy=error.remedy) from error


def _page(answer: Row, field: str) -> tuple[Sequence[object], str]:
    """The rows of an answer, and where the list goes on; a list that says whether there is more is believed.

    One that does not say goes on as long as there are rows. Raises :class:`BadInput` where it says that there is more,
    and not where: what was told so far would pass for all.
    """
    cursor, listed = rows.optional_text(answer, "cursor"), rows.records(answer, field)
    more = rows.flag(answer, "has_next", default=bool(cursor and listed))
    if more and not cursor:
        raise BadInput("cursor", "", "the list goes on, and it is not said where", remedy="Ask again.")
    return listed, cursor if more else ""


def _key(row: Row) -> Key:
    return Key(
        portfolio=rows.text(row, "portfolio_uuid"),
        may_view=rows.flag(row, "can_view", default=False),
        may_trade=rows.flag(row, "can_trade", default=False),
        may_transfer=rows.flag(row, "can_transfer", default=False),
    )
