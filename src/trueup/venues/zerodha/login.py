"""Logging in: a person signs in at Kite in the browser, and what that redirects to is exchanged for a token.

Kite sends the browser to the app's own address with a ``request_token``, which holds for minutes and once. With the
app's secret it becomes the day's token (``POST /session/token``); the secret itself is never sent, only a SHA-256 of
key, request token and secret.
"""

import re
from contextlib import suppress
from hashlib import sha256
from urllib.parse import parse_qs, urlencode, urlsplit

from trueup.model.errors import AuthenticationFailed, BadInput, Malformed
from trueup.ports import Clock
from trueup.venues import rows
from trueup.venues.files import json_value
from trueup.venues.transport.secrets import HIDDEN, Secret
from trueup.venues.zerodha import calls, tokens
from trueup.venues.zerodha.tokens import Login, TokenFile
from trueup.venues.zerodha.wire import Wire

LOGIN_URL = "https://kite.zerodha.com/connect/login"

_REQUEST_TOKEN = re.compile(r"[A-Za-z0-9_-]{8,128}", re.ASCII)


def login_url(base: str, api_key: Secret) -> str:
    """Where a person signs in. It holds the API key, as the browser has to."""
    return f"{base}?{urlencode({'v': '3', 'api_key': api_key.reveal()})}"


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


async def log_in(wire: Wire, kept: TokenFile, secret: Secret, token: str, clock: Clock) -> Login:
    """Exchange a request token, and keep what it gives.

    Raises:
        AuthenticationFailed: Kite does not take it: it is used up, too old, or not of this app.
        VenueError: Kite cannot be reached.
        BadInput: The file cannot be written; the token was given, and another login takes its place.
    """
    key = wire.key()
    call = calls.exchange_token(key, token, checksum(key, token, secret.reveal()))
    answer = json_value("session", await wire.unsigned(call))
    try:
        data = rows.record(rows.as_row(answer), "data")
        made = tokens.login(rows.text(data, "user_id"), rows.text(data, "access_token"), clock.now())
    except BadInput as error:
        raise Malformed(f"session: {error.field}: {error.problem}.", remedy="Log in again.") from None
    kept.save(made)
    return made


async def log_out(wire: Wire, kept: TokenFile) -> None:
    """End the token that is kept, and forget it. One that is over already is only forgotten.

    Raises:
        VenueError: Kite cannot be reached; the token is kept.
    """
    held = kept.load()
    with suppress(AuthenticationFailed):  # it is over
        await wire.ask(calls.end_token(wire.key(), held.access_token))
    kept.forget()


def _wrong(problem: str, remedy: str) -> BadInput:
    return BadInput("request_token", HIDDEN, problem, remedy=remedy)
