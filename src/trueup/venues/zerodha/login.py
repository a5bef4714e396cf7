"""Logging in: a person signs in at Kite in the browser, and what that redirects to is exchanged for a token.

Kite sends the browser to the app's own address with a ``request_token``, which holds for minutes and once. With the
app's secret it becomes the day's token (``POST /session/token``); the secret itself is never sent, only a SHA-256 of
key, request token and secret.
"""

import re
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

from trueup.model.errors import AuthenticationFailed, BadInput
from trueup.model.identifiers import AccountId
from trueup.ports import Clock
from trueup.venues import rows
from trueup.venues.rows import Row
from trueup.venues.transport.secrets import HIDDEN, Secret
from trueup.venues.zerodha import answers, calls, ist, tokens
from trueup.venues.zerodha.tokens import Login, TokenFile
from trueup.venues.zerodha.wire import Wire

LOGIN_URL = "https://kite.zerodha.com/connect/login"

_REQUEST_TOKEN = re.compile(r"[A-Za-z0-9_-]{8,128}", re.ASCII)


def request_token(pasted: str) -> str:
    """The request token in what a person pasted: the address that the login redirected to, or the token itself.

    Raises:
        BadInput: Neither, or the address says that the login failed. The message does not repeat it.
    """
    text = pasted.strip()
    if "request_token=" in text or "status=" in text:
        told = parse_qs(urlsplit(text).query or text.partition("?")[2] or text)
        if told.get("status", ["success"]) != ["success"]:
            raise _wrong("the login did not succeed", "Sign in again.")
        text = told.get("request_token", [""])[0]
    if _REQUEST_TOKEN.fullmatch(text) is None:
        raise _wrong("no request token", "Paste the whole address to which the login redirected the browser.")
    return text


def checksum(api_key: str, token: str, secret: str) -> str:
    """What proves that the secret is ours."""
    return sha256(f"{api_key}{token}{secret}".encode()).hexdigest()


class KiteLogin:
    """A :class:`trueup.ports.Login` of one account.

    Args:
        account: The ledger's name.
        api_key, secret: Of the app.
        token_file: Where the login is kept.
        rest_url, base_url: Of the interface, and of the page on which a person signs in.
        clock: For the time of the login.
    """

    def __init__(
        self,
        account: AccountId,
        *,
        api_key: Secret,
        secret: Secret,
        token_file: Path,
        rest_url: str,
        base_url: str = LOGIN_URL,
        clock: Clock,
    ) -> None:
        self._kept = TokenFile(token_file, account)
        self._wire = Wire(api_key, self._kept, rest_url, "", clock)
        self._secret = secret
        self._base_url = base_url
        self._clock = clock

    @property
    def url(self) -> str:
        """The page on which a person signs in. It holds the API key, as the browser has to."""
        return f"{self._base_url}?{urlencode({'v': '3', 'api_key': self._wire.key()})}"

    async def complete(self, pasted: str) -> str:
        """Exchange a request token for the day's token, and keep that.

        Raises:
            BadInput: Nothing that a login gives; or the file cannot be written, and another login takes its place.
            AuthenticationFailed: Kite does not take it: it is used up, too old, or not of this app.
            VenueError: Kite cannot be reached.
        """
        key, token = self._wire.key(), request_token(pasted)
        call = calls.exchange_token(key, token, checksum(key, token, self._secret.reveal()))
        made = answers.record("session", await self._wire.unsigned(call), self._made)
        self._kept.save(made)
        return f"{made.user_id} is logged in until about {ist.shown(made.ends_at)}."

    async def end(self) -> None:
        """End the token that is kept, and forget it; one that is over already is only forgotten.

        Raises:
            VenueError: Nobody is logged in, or Kite cannot be reached; what is kept stays.
        """
        held = self._kept.load()
        with suppress(AuthenticationFailed):  # it is over
            await self._wire.ask(calls.end_token(self._wire.key(), held.access_token))
        self._kept.forget()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._wire.aclose()

    def _made(self, data: Row) -> Login:
        return tokens.login(rows.text(data, "user_id"), rows.text(data, "access_token"), self._clock.now())


def _wrong(problem: str, remedy: str) -> BadInput:
    return BadInput("request_token", HIDDEN, problem, remedy=remedy)
