"""What all calls of one account share: the exchange object, its markets, and how a call begins and ends.

Every call is bounded in time, goes through the breaker, and ends in an answer or in one of our errors. ccxt itself
waits for the venue's limits and makes a failed read again.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from trueup.model.errors import BadInput, Malformed, OutcomeUnknown, Rejected, Unavailable, VenueError
from trueup.model.identifiers import AccountId
from trueup.model.instruments import Instrument
from trueup.ports import Clock, Refused
from trueup.venues import rows
from trueup.venues.ccxt.context import Context, hedge_mode, position_side
from trueup.venues.ccxt.corrections import Correction, Params
from trueup.venues.ccxt.errors import judge
from trueup.venues.ccxt.exchange import Exchange
from trueup.venues.ccxt.guard import Permit, permitting
from trueup.venues.ccxt.instruments import instruments_of
from trueup.venues.rows import Row
from trueup.venues.transport.breaker import Breaker
from trueup.venues.transport.health import ConnectionHealth
from trueup.venues.transport.limiter import Priority
from trueup.venues.transport.secrets import Secret

READ_S = 120.0
"""How long a read may take, with its turn at the venue's limits and what ccxt asks besides."""

ORDER_S = 30.0

MARKETS_S = 3_600.0
"""How old a list of the markets may be."""

WARNINGS_MAX = 100
REFUSED_MAX = 10_000

Result = TypeVar("Result")


class Session:
    """Of one account.

    Args:
        account: Whose facts the answers become.
        exchange: As :func:`trueup.venues.ccxt.exchange.make` makes it; closed with this.
        correction: What is known of the exchange.
        clock: Ours.
        credentials: What the exchange object signs with: none of it is in any error.
        instruments: Terms that the book knows.
        hedged: Whether the book holds both sides of a position.
    """

    def __init__(
        self,
        account: AccountId,
        exchange: Exchange,
        correction: Correction,
        *,
        clock: Clock,
        credentials: Mapping[str, Secret],
        instruments: Iterable[Instrument],
        hedged: bool = False,
    ) -> None:
        self.account = account
        self.exchange = exchange
        self.correction = correction
        self.clock = clock
        self.health = ConnectionHealth()
        self.breaker = Breaker(clock.monotonic)
        self.warnings: deque[str] = deque(maxlen=WARNINGS_MAX)
        self.hedged = hedged
        self._credentials = credentials
        self._booked = {terms.symbol: terms for terms in instruments}
        self._listed: Mapping[str, Instrument] = {}
        self._listed_at = 0.0
        self._refused: deque[Refused] = deque(maxlen=REFUSED_MAX)
        self._lock = asyncio.Lock()

    def has(self, name: str) -> bool:
        """Whether the exchange offers one of ccxt's unified methods, itself or by others of its."""
        return bool(self.exchange.has.get(name))

    @property
    def context(self) -> Context:
        """What rows are understood by now."""
        codes = {str(native): row["code"] for native, row in (self.exchange.currencies_by_id or {}).items()}
        instruments = {**self._booked, **self._listed}
        return Context(self.account, self.exchange.id, instruments, self.correction, self.hedged, codes)

    async def call(self, method: str, *arguments: object, priority: Priority = Priority.RECONCILE) -> object:
        """The answer of one of ccxt's unified methods that reads.

        Raises:
            VenueError: There is none.
        """
        return await self._within(method, arguments, Permit(urgent=priority.urgent), READ_S)

    async def seen(
        self, method: str, *arguments: object, priority: Priority = Priority.RECONCILE
    ) -> tuple[object, Sequence[tuple[str, object]]]:
        """The same, with what the venue itself answered, by the path of each request. Raises :class:`VenueError`."""
        permit = Permit(urgent=priority.urgent)
        return await self._within(method, arguments, permit, READ_S), permit.answers

    async def order(self, method: str, *arguments: object, urgent: bool = True) -> object:
        """The answer of one of ccxt's unified methods that places, changes or cancels an order; it is sent once.

        What is urgent waits neither for the venue's limits nor for a venue that keeps failing.

        Raises:
            OutcomeUnknown: It may have been done.
            VenueError: It surely was not.
        """
        return await self._within(method, arguments, Permit(orders=True, urgent=urgent), ORDER_S)

    async def ready(self) -> None:
        """See once what is traded. Raises :class:`VenueError`."""
        if not self._listed:
            await self.listed()

    async def listed(self) -> Sequence[Instrument]:
        """Every instrument that can be booked. Raises :class:`VenueError`."""
        async with self._lock:
            now = self.clock.monotonic()
            if not self._listed or now - self._listed_at > MARKETS_S:
                await self.call("load_markets", bool(self._listed), dict(self.correction.markets))
                found, refused = instruments_of(
                    self.exchange.markets.values(), self.correction, self.exchange.precisionMode
                )
                self.put_aside(refused)
                self._listed, self._listed_at = found, now
        return list(self._listed.values())

    def symbol(self, instrument: str) -> Instrument:
        """The terms of an instrument that is to be traded. Raises :class:`Rejected`."""
        terms = self._listed.get(instrument)
        if terms is None:
            raise Rejected(
                f"{self.exchange.id} has no instrument {instrument}.",
                remedy="Nothing was sent; see: trueup venues instruments.",
                venue_code="unknown_instrument",
            )
        return terms

    def each(self, params: Params) -> Sequence[Params]:
        """The calls that a list takes: one, or one for each currency that instruments settle in."""
        name = self.correction.by_currency
        settled = sorted({terms.settle for terms in self._listed.values()})
        return [{**params, name: currency} for currency in settled] if name else [params]

    def look_for_sides(self, answer: Iterable[object]) -> None:
        """Learn from rows whether the account holds both sides of a position."""
        for item in answer:
            if isinstance(item, Mapping) and (hedge_mode(item) or _sided(item)):
                self.hedged = True

    def read_each(self, name: str, items: Iterable[object], read: Callable[[Row], Result]) -> list[Result]:
        """What ``read`` makes of each row; those it refuses are put aside."""
        found, refused = rows.read_each(name, items, read)
        self.put_aside(refused)
        return found

    def put_aside(self, refused: Iterable[Refused]) -> None:
        """Keep rows that could not be read until somebody puts them on record."""
        self._refused.extend(refused)

    def refused(self) -> Sequence[Refused]:
        """Rows that could not be read since this was last asked."""
        told = tuple(self._refused)
        self._refused.clear()
        return told

    def warn(self, sentence: str) -> None:
        """Tell a person, once."""
        if sentence not in self.warnings:
            self.warnings.append(sentence)

    def judged(self, method: str, error: Exception, *, order_left: bool = False) -> VenueError:
        """What an exception out of ccxt means."""
        secrets = [secret.reveal() for secret in self._credentials.values()]
        return judge(error, where=f"{self.exchange.id} {method}", order_left=order_left, secrets=secrets)

    async def aclose(self) -> None:
        """Close the connections."""
        await self.exchange.close()

    async def _within(self, method: str, arguments: Sequence[object], permit: Permit, wait_s: float) -> object:
        self.breaker.admit(urgent=permit.urgent)
        try:
            with permitting(permit):
                async with asyncio.timeout(wait_s):
                    answer: object = await getattr(self.exchange, method)(*arguments)
        except VenueError as error:  # of our own gate, or no JSON where an answer should be
            (self.breaker.failed if isinstance(error, Malformed) else self.breaker.abandoned)()
            if permit.sent:
                raise _of_order(error) from error
            raise
        except Exception as error:  # noqa: BLE001 - whatever ccxt raises has a meaning
            told = self.judged(method, error, order_left=permit.orders and permit.sent)
            self.health.failed(told)
            if isinstance(told, Unavailable) or type(error).__name__ in _FAILURES:
                self.breaker.failed()
            else:
                self.breaker.succeeded()
            if permit.beyond:
                told = _of_order(told)
            elif permit.orders and not permit.sent and isinstance(told, Malformed):
                told = Rejected(told.message, remedy="Nothing was sent: ccxt cannot make this order.")
            raise told from None  # ccxt's own message holds addresses with signatures
        except BaseException:
            self.breaker.abandoned()
            raise
        self.breaker.succeeded()
        self.health.heard(self.clock.now())
        return answer


_FAILURES = frozenset({"TimeoutError", "RequestTimeout", "ExchangeNotAvailable", "NetworkError"})


def _of_order(error: VenueError) -> OutcomeUnknown:
    """What an error leaves open once the order itself has left."""
    return OutcomeUnknown(
        error.message,
        remedy="Look it up before sending anything again.",
        venue_code=error.venue_code,
        venue_text=error.venue_text,
    )


def _sided(row: Row) -> bool:
    try:
        return position_side(row) in {"long", "short"}
    except BadInput:
        return False
