"""Who may ask: an app's login page, the request token it hands out, and the access token that dies in the morning."""

import hmac
from collections.abc import Mapping, Sequence
from hashlib import sha256
from ipaddress import ip_address
from random import Random
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from trueup.model.errors import BadInput
from trueup.model.times import NS_PER_SECOND
from trueup.ports import Clock
from trueup.testing.servers.zerodha.hours import morning_after
from trueup.testing.servers.zerodha.wire import INPUT, PERMISSION, TOKEN, Refusal

REQUEST_TOKEN_S = 300
"""A request token is good for so long, and once."""

_TOKEN_BITS = 128


class App(msgspec.Struct, frozen=True):
    """A registered app, and the one user who logs in to it.

    Attributes:
        redirect_url: Where the login page sends the user's browser, on this machine.
        postback_url: Where orders of the app are posted as they change, on this machine; empty for nowhere.
        addresses: From which orders may be sent; None for any.
    """

    api_key: str
    api_secret: str
    user_id: str
    redirect_url: str
    postback_url: str = ""
    addresses: frozenset[str] | None = None

    def __post_init__(self) -> None:
        """Refuse to send anybody, or anything, off this machine."""
        for field in ("redirect_url", "postback_url"):
            url = getattr(self, field)
            if url and not _on_this_machine(url):
                raise BadInput(field, url, "not on this machine", remedy='Use one like "http://127.0.0.1:8000/kite".')

    def checksum(self, token: str) -> str:
        """What proves that its owner asks: the hexadecimal SHA-256 of key, token and secret."""
        return sha256(f"{self.api_key}{token}{self.api_secret}".encode()).hexdigest()


class Sessions:
    """Logins of all apps, by the server's clock.

    Args:
        apps: Whose keys are known.
        random: Where tokens come from.
    """

    def __init__(self, apps: Sequence[App], *, clock: Clock, random: Random) -> None:
        self._apps = {app.api_key: app for app in apps}
        self._clock = clock
        self._random = random
        self._requests: dict[str, tuple[str, int]] = {}
        self._access: dict[str, tuple[str, int]] = {}

    def log_in(self, query: Mapping[str, str]) -> str:
        """The login page, where the user always says yes: the address to which the browser is sent on."""
        app = self._apps.get(query.get("api_key", ""))
        if app is None or query.get("v") != "3":
            raise Refusal(INPUT, "Invalid `api_key`." if app is None else "Invalid `v`.")
        token = self._token()
        self._requests[token] = app.api_key, self._clock.now() + REQUEST_TOKEN_S * NS_PER_SECOND
        told = {"action": "login", "type": "login", "status": "success", "request_token": token}
        told |= dict(parse_qsl(query.get("redirect_params", "")))
        return f"{app.redirect_url}{'&' if '?' in app.redirect_url else '?'}{urlencode(told)}"

    def open(self, form: Mapping[str, str]) -> tuple[App, str]:
        """Exchange a request token for an access token; the app's earlier one ends."""
        app = self._apps.get(form.get("api_key", ""))
        token = form.get("request_token", "")
        if app is None:
            raise Refusal(INPUT, "Invalid `api_key`.")
        if not hmac.compare_digest(form.get("checksum", "").encode(), app.checksum(token).encode()):
            raise Refusal(TOKEN, "Invalid `checksum`.")
        owner, until = self._requests.pop(token, ("", 0))
        if owner != app.api_key or self._clock.now() >= until:
            raise Refusal(TOKEN, "Token is invalid or has expired.")
        return app, self.admit(app)

    def admit(self, app: App) -> str:
        """An access token for an app; it is good until the morning."""
        access = self._token()
        self._access[app.api_key] = access, morning_after(self._clock.now())
        return access

    def who(self, api_key: str, access_token: str) -> App:
        """The app that asks."""
        access, until = self._access.get(api_key, ("", 0))
        known = hmac.compare_digest(access.encode(), access_token.encode())
        if not access or not known or self._clock.now() >= until:
            raise Refusal(TOKEN, "Incorrect `api_key` or `access_token`.")
        return self._apps[api_key]

    def close(self, api_key: str, access_token: str) -> None:
        """End a session."""
        self.who(api_key, access_token)
        del self._access[api_key]

    def _token(self) -> str:
        return f"{self._random.getrandbits(_TOKEN_BITS):032x}"


def check_address(app: App, address: str) -> None:
    """Refuse orders from elsewhere than registered."""
    if app.addresses is not None and address not in app.addresses:
        raise Refusal(PERMISSION, f"IP {address} is not allowed to place orders for this app.")


def _on_this_machine(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
