"""One account's calls on their way: signed with the last login's token, within Kite's limits, judged by its table."""

from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import urlencode

from msgspec.structs import replace

from trueup.model.errors import AuthenticationFailed, Unavailable
from trueup.ports import Clock
from trueup.venues.transport.health import ConnectionHealth
from trueup.venues.transport.http import Answer, Call, HttpTransport, client
from trueup.venues.transport.limiter import Limiter, Window
from trueup.venues.transport.secrets import Secret
from trueup.venues.transport.skew import ClockSkew
from trueup.venues.transport.websocket import WebSocket, open_websocket
from trueup.venues.zerodha import calls, errors
from trueup.venues.zerodha.known import USER
from trueup.venues.zerodha.tokens import TokenFile

SKEW_TOLD_MS = 2_000
"""Kite takes no time from us, so an offset is told and never refused."""


class Wire:
    """The connections of one account.

    Args:
        api_key: Of the app; None where there is none: then nothing is sent.
        tokens: Of the last login.
        learnt: What is known of whose account it is, now and later: a login of another user is not used.
        rest_url, stream_url: Base addresses.
        clock: For the times around answers.
    """

    def __init__(
        self,
        api_key: Secret | None,
        tokens: TokenFile,
        rest_url: str,
        stream_url: str,
        clock: Clock,
        learnt: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.skew = ClockSkew(SKEW_TOLD_MS)
        self._api_key = api_key
        self._tokens = tokens
        self._learnt = learnt
        self._stream_url = stream_url
        judge = errors.judging(tokens.remedy)

        def transport(windows: tuple[Window, ...]) -> HttpTransport:
            """With connections of its own: shared, what hangs of one kind could leave none for a cancel."""
            return HttpTransport("Kite", client(rest_url), judge, Limiter(windows), clock, self.skew)

        self._orders = transport(calls.ORDER_LIMITS)
        self._quotes = transport(calls.QUOTE_LIMITS)
        self._rest = transport(calls.LIMITS)

    @property
    def health(self) -> Mapping[str, ConnectionHealth]:
        """How the calls are doing, by the limit that they come under."""
        return {"orders": self._orders.health, "quotes": self._quotes.health, "rest": self._rest.health}

    async def ask(self, call: Call) -> bytes:
        """The body of the answer to a call. Raises :class:`VenueError`."""
        return (await self.answer(call)).body

    async def answer(self, call: Call) -> Answer:
        """The answer to a call. Raises :class:`VenueError`."""
        return await self._transport(call).request(call, self._sign)

    async def unsigned(self, call: Call) -> bytes:
        """The body of the answer to a call that carries no token. Raises :class:`VenueError`."""
        return (await self._rest.request(call)).body

    async def open_stream(self) -> WebSocket:
        """The stream's connection.

        Raises:
            AuthenticationFailed: Nobody is logged in, or not any more.
            Unavailable: It may be tried again.
        """
        query = urlencode({"api_key": self.key(), "access_token": self._token()})
        try:
            return await open_websocket(f"{self._stream_url}?{query}")
        except Unavailable:
            await self.ask(calls.get(calls.PROFILE))  # a refused handshake does not say why; this does
            raise

    def key(self) -> str:
        """The app's key. Raises :class:`AuthenticationFailed` where there is none."""
        if self._api_key is None:
            raise AuthenticationFailed(
                "No API key is set for this Zerodha account.",
                remedy="Nothing was sent. Name one in the settings: api_key.",
            )
        return self._api_key.reveal()

    async def aclose(self) -> None:
        """Close the connections."""
        for transport in (self._orders, self._quotes, self._rest):
            await transport.aclose()

    def _sign(self, call: Call) -> Call:
        return replace(call, headers={**call.headers, "Authorization": f"token {self.key()}:{self._token()}"})

    def _token(self) -> str:
        """That of the last login. Raises :class:`AuthenticationFailed` where there is none, or it is another user's."""
        login = self._tokens.load()
        user = self._learnt.get(USER, login.user_id)
        if login.user_id != user:
            raise AuthenticationFailed(
                f"The login is of {login.user_id}, and this account is {user}'s.",
                remedy=f"Nothing was sent. {self._tokens.remedy}, as {user}.",
            )
        return login.access_token

    def _transport(self, call: Call) -> HttpTransport:
        if call.path.startswith("/quote"):
            return self._quotes
        return self._orders if call.writes else self._rest
