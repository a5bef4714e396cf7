"""The venue as an ASGI application: ``POST /info``, ``POST /exchange`` and the WebSocket ``/ws``."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from trueup.model.errors import OutcomeUnknown, Unavailable
from trueup.model.identifiers import AccountId
from trueup.ports import Clock
from trueup.testing.servers import asgi
from trueup.testing.servers.hyperliquid import actions, info, limits
from trueup.testing.servers.hyperliquid.feeds import Feeds
from trueup.testing.servers.hyperliquid.state import State
from trueup.venues.paper.exchange import PaperExchange

PUSH_S = 0.5
"""How often it is looked whether markets have moved."""

IDLE_S = 60.0
"""A connection to which nothing was sent for so long is closed, as the venue does it."""

NOBODY: Mapping[str, str] = MappingProxyType({})

_UNREADABLE = "Failed to deserialize the JSON body into the target type"


class TooMuch(Exception):
    """The limits of one address of the network are reached."""


_FAILURES: Mapping[type[Exception], tuple[int, str]] = {
    msgspec.DecodeError: (400, "Failed to parse the request body as JSON"),
    info.Unreadable: (422, _UNREADABLE),
    TooMuch: (429, ""),
    Unavailable: (502, "Bad Gateway"),
    OutcomeUnknown: (504, "Gateway Timeout"),
}
"""What is answered, by what is wrong."""


class HyperliquidServer:
    """Speaks the venue's protocol for accounts of a paper exchange.

    Args:
        exchange: Where the accounts are.
        accounts: By address.
        clock: Whose ``now`` is the venue's time, and whose ``monotonic`` the minutes of the limits.
        agents: Addresses that may sign for another one.
        masters: Addresses among the accounts that are sub-accounts of another one.
        mainnet: Which of the two chains signatures are for.
        weight_per_minute: What one address of the network may ask for.
    """

    def __init__(
        self,
        exchange: PaperExchange,
        accounts: Mapping[str, AccountId],
        *,
        clock: Clock,
        agents: Mapping[str, str] = NOBODY,
        masters: Mapping[str, str] = NOBODY,
        mainnet: bool = True,
        weight_per_minute: int = limits.WEIGHT_PER_MINUTE,
    ) -> None:
        self.exchange = exchange
        self._clock = clock
        self._state = State(exchange, accounts, clock=clock, agents=agents, masters=masters)
        self._actions = actions.Actions(self._state, mainnet=mainnet)
        self._limits = limits.Limits(clock, weight_per_minute)
        self._tracked: dict[str, Counter[str]] = defaultdict(Counter)

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        """Answer one request, or hold one WebSocket."""
        host = scope["client"][0] if scope.get("client") else ""
        if scope["type"] == "websocket":
            await self._hold(asgi.opened(scope), asgi.WebSocket(receive, send), host)
        elif scope["type"] == "http":
            await asgi.reply(send, self._answer(await asgi.request(scope, receive), host))

    def _answer(self, request: asgi.Request, host: str) -> asgi.Answer:
        kind = request.path.removeprefix("/")
        if kind not in {"info", "exchange"}:
            return self._text(404, "")
        if request.method != "POST":
            return self._text(405, "")
        if not request.headers.get("content-type", "").startswith("application/json"):
            return self._text(415, "Expected request with `Content-Type: application/json`")
        try:
            answer = self._ask(kind, msgspec.json.decode(request.body), host)
        except tuple(_FAILURES) as error:
            status, text = next(said for sort, said in _FAILURES.items() if isinstance(error, sort))
            return self._text(status, text)
        return asgi.json(answer, headers={"date": asgi.http_date(self._clock.now())})

    def _ask(self, kind: str, body: object, host: str) -> object:
        """The venue's answer, within the limits.

        Raises:
            TooMuch: The limits are reached, and nothing was done.
            Unreadable: It cannot be read, or is not served.
            Unavailable, OutcomeUnknown: As the exchange does.
        """
        self._state.run_schedule()
        if kind == "exchange":
            signed = actions.parse(body)
            self._charge(host, limits.action_weight(actions.size(signed.action)))
            return self._actions.answer(signed)
        question = info.parse(body)
        self._charge(host, limits.read_weight(question.type))
        answer = info.answer(self._state, question)
        self._limits.charge(host, limits.answer_weight(question.type, answer))
        return answer

    def _charge(self, host: str, weight: int) -> None:
        if not self._limits.allows(host, weight):
            raise TooMuch

    def _text(self, status: int, text: str) -> asgi.Answer:
        headers = {"content-type": "text/plain; charset=utf-8", "date": asgi.http_date(self._clock.now())}
        return asgi.Answer(status, text.encode(), headers)

    # --- WebSocket ----------------------------------------------------------------------------------------------------

    async def _hold(self, request: asgi.Request, socket: asgi.WebSocket, host: str) -> None:
        if request.path != "/ws":
            await socket.refuse(404)
            return
        await socket.accept()
        feeds = Feeds(self._state, self._tracked[host])
        listening = asyncio.ensure_future(self._listen(socket, feeds, host))
        listening.add_done_callback(lambda _: feeds.woken.set())
        try:
            await self._deliver(socket, feeds, listening)
        finally:
            feeds.leave()
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def _deliver(self, socket: asgi.WebSocket, feeds: Feeds, listening: "asyncio.Future[None]") -> None:
        """Send what waits, until the client is gone or the connection is to end."""
        now = asyncio.get_running_loop().time
        spoken = now()
        while not listening.done():
            feeds.woken.clear()
            while (message := feeds.taken()) is not None:
                await socket.send_json(message)
                spoken = now()
            if feeds.ended or now() - spoken > IDLE_S:
                await socket.close(reason=feeds.ended or "Inactive")
                return
            try:
                async with asyncio.timeout(PUSH_S):
                    await feeds.woken.wait()
            except TimeoutError:
                self._look(feeds)
        listening.result()

    def _look(self, feeds: Feeds) -> None:
        try:
            self._state.run_schedule()
            feeds.show_changes()
        except Unavailable as error:
            feeds.end(error.message)

    async def _listen(self, socket: asgi.WebSocket, feeds: Feeds, host: str) -> None:
        """Do what the client says. Raises :class:`Disconnected` at the end."""
        while True:
            text = await socket.receive()
            try:
                self._obey(msgspec.json.decode(text), feeds, host)
            except msgspec.DecodeError:
                feeds.say("error", f"Error parsing JSON into valid websocket request: {text!s}")
            except (Unavailable, OutcomeUnknown) as error:
                feeds.end(error.message)

    def _obey(self, message: object, feeds: Feeds, host: str) -> None:
        match message:
            case {"method": "ping"}:
                feeds.pong()
            case {"method": "subscribe", "subscription": wanted}:
                feeds.subscribe(wanted)
            case {"method": "unsubscribe", "subscription": wanted}:
                feeds.unsubscribe(wanted)
            case {
                "method": "post",
                "id": int(number),
                "request": {"type": "info" | "action" as kind, "payload": payload},
            }:
                feeds.say("post", {"id": number, "response": self._posted(kind, payload, host)})
            case _:
                text = msgspec.json.encode(message).decode()
                feeds.say("error", f"Error parsing JSON into valid websocket request: {text}")

    def _posted(self, kind: str, payload: object, host: str) -> dict[str, object]:
        """A request that came over the WebSocket, answered there."""
        try:
            answer = self._ask("info" if kind == "info" else "exchange", payload, host)
        except info.Unreadable:
            return {"type": "error", "payload": _UNREADABLE}
        except TooMuch:
            return {"type": "error", "payload": "Too many requests"}
        if kind == "info" and isinstance(payload, dict):
            return {"type": "info", "payload": {"type": payload["type"], "data": answer}}
        return {"type": kind, "payload": answer}
