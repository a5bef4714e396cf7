"""One account's calls on their way: within the limits, under an access token, judged by the engine's table.

Every answer says when the engine took the request and answered it (``usIn``, ``usOut``): by that its clock is known.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from trueup.model.errors import BadInput, Malformed, RateLimited, VenueError
from trueup.model.times import NS_PER_MS
from trueup.ports import Clock
from trueup.venues import rows
from trueup.venues.files import json_value
from trueup.venues.jsonrpc_derivatives import auth, calls, errors
from trueup.venues.jsonrpc_derivatives.auth import Grant, Token, Tokens
from trueup.venues.jsonrpc_derivatives.calls import LIMITS, Params, Pool
from trueup.venues.jsonrpc_derivatives.reader import Engine
from trueup.venues.rows import Row
from trueup.venues.transport.health import ConnectionHealth
from trueup.venues.transport.http import Answer, Call, HttpTransport, Judge, client
from trueup.venues.transport.limiter import Limiter, Priority
from trueup.venues.transport.skew import ClockSkew

CLOCKS_APART_MS_MAX = 60_000
"""The offset is compensated; one beyond this is a clock that nobody looks after."""

_NS_PER_US = 1_000
_US_MAX = rows.MS_MAX * (NS_PER_MS // _NS_PER_US)
_PRIVATE = "private/"


class Wire:
    """The calls of one account.

    Args:
        engine: Where it runs.
        grant: The account's credential.
        rest_url: Address of the interface, its path included.
        clock: For the times around answers.

    Attributes:
        skew: Of the engine's clock.
    """

    def __init__(self, engine: Engine, grant: Grant, rest_url: str, clock: Clock) -> None:
        self.skew = ClockSkew(CLOCKS_APART_MS_MAX)
        base, self._prefix = calls.split_url(rest_url)
        self._engine = engine
        self._grant = grant
        self._clock = clock
        self._tokens = Tokens(self._exchange, clock.monotonic)
        self._transports = {pool: self._transport(pool, base) for pool in Pool}

    @property
    def health(self) -> Mapping[str, ConnectionHealth]:
        """How the calls of each pool are doing."""
        return {pool.value: transport.health for pool, transport in self._transports.items()}

    async def ask(self, method: str, params: Params, priority: Priority = Priority.RECONCILE) -> Row:
        """The answer to a call, whole.

        A token that is refused was refused before anything was done: another one is got, and the call made again, once.

        Raises:
            VenueError: What the table says of the answer, or that there was none.
        """
        if not method.startswith(_PRIVATE):
            return await self._send(method, params, priority, None)
        token = await self._tokens.current(priority)
        try:
            return await self._send(method, params, priority, token)
        except errors.TokenRefused:
            self._tokens.forget(token)
            return await self._send(method, params, priority, await self._tokens.current(priority))

    async def sign_in(self) -> Params:
        """Parameters of ``public/auth`` for a connection that signs in itself. Raises :class:`VenueError`."""
        return self._grant(await self.venue_time(Priority.RECONCILE))

    async def scope(self) -> str:
        """What the key may do, in the venue's words. Raises :class:`VenueError`."""
        return (await self._tokens.current(Priority.RECONCILE)).scope

    async def venue_time(self, priority: Priority = Priority.RECONCILE) -> int:
        """The engine's clock in nanoseconds, asked for once, and told by every answer. Raises :class:`VenueError`."""
        if self.skew.offset is None:
            await self._send("public/get_time", {}, priority, None)
        return self.skew.venue_now(self._clock.now())

    async def aclose(self) -> None:
        """Close the connections."""
        for transport in self._transports.values():
            await transport.aclose()

    async def _exchange(self, priority: Priority) -> Token:
        scope = {"scope": self._engine.scope} if self._engine.scope else {}
        now = await self.venue_time(priority)
        answer = await self._send(auth.METHOD, {**self._grant(now), **scope}, priority, None)
        return auth.token_of(row_of(auth.METHOD, answer), self._clock.monotonic())

    async def _send(self, method: str, params: Params, priority: Priority, token: Token | None) -> Row:
        call = calls.call(self._prefix, method, params, priority)

        def sign(unsigned: Call) -> Call:
            if token is None:
                return unsigned
            return replace(unsigned, headers={**unsigned.headers, "Authorization": f"Bearer {token.value}"})

        answer = await self._transports[calls.pool_of(method)].request(call, sign)
        row = rows.as_row(json_value(method, answer.body), "answer")  # the table let through nothing else
        self._learn_time(row, answer)
        return row

    def _learn_time(self, row: Row, answer: Answer) -> None:
        """Weigh the engine's times; where it states none, only its HTTP header tells."""
        taken, given = row.get("usIn"), row.get("usOut")
        if isinstance(taken, int) and isinstance(given, int) and 0 < taken <= given:
            middle = (taken + given) * _NS_PER_US // 2
            self.skew.answered(answer.sent_at, middle, answer.received_at, _NS_PER_US)

    def _transport(self, pool: Pool, base: str) -> HttpTransport:
        limiter = Limiter(LIMITS[pool])
        judge = _pausing(errors.judging(self._engine.title), limiter)
        return HttpTransport(self._engine.title, client(base), judge, limiter, self._clock, self.skew)


def _pausing(judge: Judge, limiter: Limiter) -> Judge:
    """The table, which also holds back those who come next as long as an error asks for."""

    def judged(call: Call, answer: Answer) -> VenueError | None:
        problem = judge(call, answer)
        wait = errors.wait_s(answer.body) if isinstance(problem, RateLimited) else None
        if wait is not None:
            limiter.pause(wait)
        return problem

    return judged


def row_of(method: str, answer: Row) -> Row:
    """The result of an answer, where that is a row. Raises :class:`Malformed`."""
    try:
        return rows.record(answer, "result")
    except BadInput as error:
        raise Malformed(f"{method}: {error.field}: {error.problem}.", remedy=error.remedy) from error


def taken_at(answer: Row) -> int | None:
    """When the engine took the request, in nanoseconds; None where it does not say."""
    taken = answer.get("usIn")
    return taken * _NS_PER_US if isinstance(taken, int) and 0 < taken <= _US_MAX else None
