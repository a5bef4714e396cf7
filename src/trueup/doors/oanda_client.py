"""``OandaV20Client``: a client of OANDA's own library ``v20``, as what the doors take for a broker.

Where it leads and its token are taken from it; what is asked and how answers are read is ours, so that nothing goes
through binary floats.
"""

from collections.abc import Mapping
from typing import Protocol

from trueup.model.errors import BadInput
from trueup.model.identifiers import account_id
from trueup.settings import OandaSettings

_TOKEN = "OANDA_V20_CLIENT"  # noqa: S105 - the name under which the token is handed on


class V20Context(Protocol):
    """What is used of a ``v20.Context``."""

    hostname: str
    port: int
    token: str | None


class OandaV20Client:
    """A ``v20.Context``, wrapped.

    Args:
        context: With its token.
        ssl: False where it was made so.

    Raises:
        BadInput: It is not one, or has no token.
    """

    def __init__(self, context: V20Context, *, ssl: bool = True) -> None:
        for name in ("hostname", "port", "token"):
            if not getattr(context, name, None):
                raise BadInput(name, None, "a v20.Context has it, and this has not", remedy="Wrap one with its token.")
        self._url = f"http{'s' if ssl else ''}://{context.hostname}:{context.port}"
        self._token = str(context.token)

    def settings(self, number: str) -> OandaSettings:
        """The account of a number there, only to be looked at."""
        return OandaSettings(
            account=account_id("oanda", number),
            account_id=number,
            token=f"env:{_TOKEN}",
            rest_url=self._url,
            stream_url=self._url.replace("//api-", "//stream-", 1),
        )

    @property
    def environment(self) -> Mapping[str, str]:
        """Where those settings find the token."""
        return {_TOKEN: self._token}
