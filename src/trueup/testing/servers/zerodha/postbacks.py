"""Postbacks: what becomes of an app's orders, posted to the address that the app registered.

Each is posted once; whether anybody took it is the receiver's affair, as it is at the venue.
"""

import asyncio
from contextlib import suppress
from hashlib import sha256

import httpx

from trueup.model.errors import Unavailable
from trueup.model.numbers import exact
from trueup.testing.servers.zerodha import orders, wire
from trueup.testing.servers.zerodha.books import Books
from trueup.testing.servers.zerodha.sessions import App
from trueup.testing.servers.zerodha.ticker import order_update
from trueup.testing.servers.zerodha.wire import Row

PATIENCE_S = 10.0
"""For the receiver to answer."""

LOOK_S = 0.1
"""Between looks at what happened."""

_TOLD = frozenset({orders.COMPLETE, orders.CANCELLED, orders.REJECTED, orders.UPDATE})


async def post(app: App, books: Books) -> None:
    """Post what becomes of an app's orders from now on, until this is cancelled."""
    told = len(books.pushes)
    async with httpx.AsyncClient(timeout=PATIENCE_S, trust_env=False) as client:
        while True:
            await asyncio.sleep(LOOK_S)
            with suppress(Unavailable), exact():
                books.sync()
            news = books.pushes[told:]
            told += len(news)
            for push in news:
                if push.app_placed and push.row["status"] in _TOLD:
                    with suppress(httpx.HTTPError):  # nobody took it
                        await client.post(app.postback_url, content=wire.text(signed(app, push.row)))


def signed(app: App, row: Row) -> Row:
    """An order with the checksum that only Kite and the app can make."""
    proof = f"{row['order_id']}{row['order_timestamp']}{app.api_secret}"
    return {**order_update(row), "checksum": sha256(proof.encode()).hexdigest()}
