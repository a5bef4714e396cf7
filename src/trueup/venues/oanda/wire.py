"""One account's calls on their way: signed with the token, within the limits, judged by OANDA's table."""

from msgspec.structs import replace

from trueup.model.errors import AuthenticationFailed, OutcomeUnknown, RateLimited, Unavailable
from trueup.ports import Clock
from trueup.venues.oanda import errors
from trueup.venues.oanda.calls import LIMITS
from trueup.venues.oanda.hours import closure, new_york
from trueup.venues.transport.http import Answer, Call, HttpTransport, client
from trueup.venues.transport.limiter import Limiter
from trueup.venues.transport.lines import Lines, open_lines
from trueup.venues.transport.secrets import Secret
from trueup.venues.transport.skew import ClockSkew

SKEW_TOLD_MS = 2_000
"""OANDA takes no time from us, so an offset is told and never refused."""


class Wire:
    """The connections of one account.

    Args:
        account_id: OANDA's.
        token: None where there is none: then nothing is sent.
        rest_url: Base address of the REST interface.
        stream_url: Base address of the streams.
        clock: For the times around answers.

    Raises:
        BadInput: This system does not know New York's time, by which OANDA closes.
    """

    def __init__(self, account_id: str, token: Secret | None, rest_url: str, stream_url: str, clock: Clock) -> None:
        new_york()  # now, since later it would hide what became of a call
        self.skew = ClockSkew(SKEW_TOLD_MS)
        self.judge = errors.judging(account_id, rest_url)
        self._token = token
        self._clock = clock
        self._transport = HttpTransport("OANDA", client(rest_url), self.judge, Limiter(LIMITS), clock, self.skew)
        self._streams = client(stream_url)
        self.health = self._transport.health

    async def ask(self, call: Call) -> bytes:
        """The body of the answer to a call. Raises :class:`VenueError`."""
        return (await self.answer(call)).body

    async def answer(self, call: Call) -> Answer:
        """The answer to a call. Raises :class:`VenueError`; where none came by plan, it says so."""
        try:
            return await self._transport.request(call, self._sign)
        except (Unavailable, OutcomeUnknown) as error:
            planned = closure(self._clock.now())
            if planned is None:
                raise
            told = {"venue_code": error.venue_code, "venue_text": error.venue_text}
            raise type(error)(error.message, remedy=f"{planned}. {error.remedy}", **told) from error

    async def open_stream(self, call: Call) -> Lines:
        """An answer that does not end. Raises :class:`VenueError`; :class:`Unavailable` where it may be tried again."""
        try:
            return await open_lines("OANDA", self._streams, self._sign(call), self.judge, self._clock)
        except RateLimited as error:
            raise Unavailable(error.message, remedy=error.remedy, venue_code=error.venue_code) from error

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()
        await self._streams.aclose()

    def _sign(self, call: Call) -> Call:
        if self._token is None:
            raise AuthenticationFailed(
                "No token is set for this OANDA account.", remedy="Nothing was sent. Name one in the settings: token."
            )
        return replace(call, headers={**call.headers, "Authorization": f"Bearer {self._token.reveal()}"})
