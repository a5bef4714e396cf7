"""An exchange on a port of this machine that gives saved answers, and the adapter in front of it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import msgspec

from trueup.engine.clock import SystemClock
from trueup.model.identifiers import account_id
from trueup.ports import Clock
from trueup.testing.servers.asgi import Answer, Receive, Request, Scope, Send, reply, request
from trueup.testing.servers.serving import serving
from trueup.venues.ccxt.live import CcxtVenue
from trueup.venues.transport.secrets import Secret

RECORDED = Path(__file__).parents[4] / "shared" / "venue-data"

CREDENTIALS = {"apiKey": "the-key", "secret": "dGhlLXNlY3JldA==", "password": "the-password"}
"""Nobody's; the secret is base64, since one exchange decodes it."""

Saved = Mapping[str, bytes]
"""Answers by ``METHOD /path``."""


class Replay:
    """Gives saved answers, and keeps what was asked.

    Attributes:
        asked: Every request, in order.
        missing: What there is no answer for.
        status: Of every answer.
    """

    def __init__(self, answers: Saved) -> None:
        self.answers = dict(answers)
        self.asked: list[Request] = []
        self.missing: list[str] = []
        self.status = 200

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        asked = await request(scope, receive)
        self.asked.append(asked)
        name = f"{asked.method} {asked.path}"
        narrow = next((key for key in self.answers if key.startswith(name + "?") and _fits(key, asked)), name)
        if narrow not in self.answers:
            self.missing.append(name)
            await reply(send, Answer(404, b'{"error":"nothing saved"}', {"content-type": "application/json"}))
            return
        await reply(send, Answer(self.status, self.answers[narrow], {"content-type": "application/json"}))


def _fits(key: str, asked: Request) -> bool:
    wanted = dict(pair.split("=") for pair in key.partition("?")[2].split("&"))
    return all(asked.query.get(name) == value for name, value in wanted.items())


@asynccontextmanager
async def replaying(
    exchange: str,
    answers: Saved,
    *,
    symbols: tuple[str, ...] = (),
    hedged: bool = False,
    clock: Clock | None = None,
) -> AsyncIterator[tuple[CcxtVenue, Replay]]:
    """An adapter, and the exchange that it reads."""
    replay = Replay(answers)
    async with serving(replay) as address:
        venue = CcxtVenue(
            account_id(exchange, "main"),
            exchange=exchange,
            credentials={name: Secret(name, value) for name, value in CREDENTIALS.items()},
            clock=clock or SystemClock(),
            random=Random(1),
            symbols=symbols,
            rest_url=address.http,
            stream_url=address.ws,
            hedged=hedged,
        )
        venue._exchange.enableRateLimit = False
        try:
            yield venue, replay
        finally:
            await venue.aclose()


def saved(value: object) -> bytes:
    """An answer in JSON."""
    return msgspec.json.encode(value)
