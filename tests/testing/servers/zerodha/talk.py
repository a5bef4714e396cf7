"""A server in front of an exchange, asked without a socket, and what a test wants to know of its answers."""

from collections.abc import Mapping
from decimal import Decimal
from random import Random
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec

from tests.testing.servers.kit.ticking import MONDAY, HandClock
from trueup.model.times import NS_PER_SECOND
from trueup.testing.servers.asgi import Answer, Request
from trueup.testing.servers.zerodha import limits
from trueup.testing.servers.zerodha.demo import ACCOUNT, demo_app, demo_exchange
from trueup.testing.servers.zerodha.hours import Hours, in_india
from trueup.testing.servers.zerodha.server import ZerodhaServer
from trueup.testing.servers.zerodha.sessions import App
from trueup.venues.paper.exchange import PaperExchange

Row = dict[str, Any]

MORNING = MONDAY - 5 * 3_600 * NS_PER_SECOND
"""10:00 of that Monday in India."""

SHARE = {"exchange": "NSE", "tradingsymbol": "SBIN", "product": "CNC"}
FUTURE = {"exchange": "NFO", "tradingsymbol": "NIFTY30DECFUT", "product": "NRML", "quantity": "65"}
LEAD = {"exchange": "MCX", "tradingsymbol": "LEADMINI30DECFUT", "product": "NRML"}

_JSON = msgspec.json.Decoder(float_hook=Decimal)


class Talk:
    """The demo's exchange behind a server, and its clock; somebody is logged in."""

    def __init__(
        self,
        *,
        exchange: PaperExchange | None = None,
        clock: HandClock | None = None,
        app: App | None = None,
        hours: Hours = in_india,
        requests_max: Mapping[str, int] = limits.NONE,
        transit_s: float = 0.0,
    ) -> None:
        self.clock = clock or HandClock(MORNING)
        self.app = app or demo_app()
        self.exchange = exchange or demo_exchange(self.clock, Random(7))
        self.server = ZerodhaServer(
            self.exchange,
            {ACCOUNT: self.app},
            clock=self.clock,
            random=Random(7),
            hours=hours,
            requests_max=requests_max,
            heartbeat_s=0.05,
            tick_s=0.01,
            transit_s=transit_s,
        )
        self.log_in()

    def log_in(self) -> None:
        self.token = self.server.sessions.admit(self.app)

    def raw(
        self, method: str, path: str, form: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """An answer as it is; ``path`` with its query."""
        path, _, query = path.partition("?")
        usual = {"x-kite-version": "3", "authorization": f"token {self.app.api_key}:{self.token}"}
        if form is not None:
            usual["content-type"] = "application/x-www-form-urlencoded"
        return self.server.answer(
            Request(
                method,
                path,
                path,
                dict(parse_qsl(query)),
                {**usual, **(headers or {})},
                urlencode(form or {}).encode(),
                client="127.0.0.1",
                pairs=parse_qsl(query),
            )
        )

    def ask(
        self, method: str, path: str, form: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Row]:
        """The status and body of an answer."""
        answer = self.raw(method, path, form, headers)
        return answer.status, _JSON.decode(answer.body)

    def get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """The data of an answer that must be given."""
        status, row = self.ask("GET", path)
        assert (status, row["status"]) == (200, "success"), row
        return row["data"]

    def order(self, **form: str) -> str:
        """Order, a share for delivery at the market where nothing else is said; gives the order's id."""
        usual = {**SHARE, "transaction_type": "BUY", "quantity": "1", "order_type": "MARKET"}
        form = {**usual, **form}
        if form["order_type"] in {"MARKET", "SL-M"}:
            form.setdefault("market_protection", "-1")
        status, row = self.ask("POST", "/orders/regular", form)
        assert status == 200, row
        order_id: str = row["data"]["order_id"]
        return order_id

    def refused(self, method: str, path: str, **form: str) -> tuple[int, str, str]:
        """The status, type and message of an error."""
        status, row = self.ask(method, path, form)
        assert (row["status"], row["data"]) == ("error", None), row
        return status, row["error_type"], row["message"]

    def state(self, order_id: str) -> Row:
        """One of the day's orders as the list has it."""
        found: Row = next(row for row in self.get("/orders") if row["order_id"] == order_id)
        return found

    def held(self, exchange: str, tradingsymbol: str, product: str, which: str = "net") -> Row:
        """A row of the positions."""
        names = exchange, tradingsymbol, product
        rows = self.get("/portfolio/positions")[which]
        found: Row = next(r for r in rows if (r["exchange"], r["tradingsymbol"], r["product"]) == names)
        return found

    def next_day(self) -> None:
        """Ten o'clock of the next day, logged in anew."""
        self.clock.pass_s(86_400)
        self.log_in()
