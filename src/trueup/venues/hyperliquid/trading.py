"""What an account does at the venue: each action is signed at the last moment, sent once, and its answer believed.

A report made of an answer carries a time just before the action was signed: whatever the venue itself says of the order
is newer, whenever it comes.
"""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from trueup.model.errors import (
    AuthenticationFailed,
    BadInput,
    Malformed,
    OutcomeUnknown,
    Rejected,
    VenueError,
)
from trueup.model.events import OrderReported
from trueup.model.numbers import ZERO, exact
from trueup.model.orders import Amendment, OrderRequest, OrderType, TimeInForce
from trueup.model.times import format_time, from_ms
from trueup.venues import rows
from trueup.venues.files import json_value
from trueup.venues.hyperliquid import actions, calls, marks
from trueup.venues.hyperliquid.assets import Asset
from trueup.venues.hyperliquid.errors import Taken, outcomes
from trueup.venues.hyperliquid.nonces import nonces_of
from trueup.venues.hyperliquid.session import Role, Session
from trueup.venues.hyperliquid.signing import VALID_MS, Signer
from trueup.venues.hyperliquid.snapshots import clearinghouse
from trueup.venues.transport.http import Call
from trueup.venues.transport.limiter import Priority
from trueup.venues.transport.secrets import Secret

MISSING = "MissingOrder"

BLOCK_LAG_MS = 1_000
"""How far the time of a block, which is that of all reports, may be behind the clock that the venue shows."""

_OPEN = frozenset({"open", "partially_filled"})
_FORCES: Mapping[str, TimeInForce] = {"Gtc": "gtc", "Ioc": "ioc", "Alo": "post_only"}
_ORDER_TYPES: Mapping[str, OrderType] = {
    "limit": "limit",
    "stop_market": "stop",
    "stop_limit": "stop_limit",
    "take_profit_market": "take_profit",
}
"""Of those that may be changed, by what the reader calls them."""


class Trading:
    """Of one account.

    Args:
        session: Of the account.
        secret: The key that signs; None where the account is only read.
        vault: Whether the address is a sub-account's or a vault's, for which its master's key signs.
        mainnet: Else the test net.
    """

    def __init__(self, session: Session, secret: Secret | None, *, vault: bool, mainnet: bool) -> None:
        self._session = session
        self._secret = secret
        self._vault = session.address if vault else None
        self._mainnet = mainnet
        self._signer: Signer | None = None
        self._key_is_ours = False

    def signer(self) -> Signer:
        """Who signs. Raises :class:`AuthenticationFailed` where there is no key, before anything is sent."""
        if self._secret is None:
            raise AuthenticationFailed(
                f"{self._session.account} has no key to sign with; it can only be read.",
                remedy="Approve an API wallet at the venue and name its key as the account's signer.",
            )
        if self._signer is None:
            self._signer = Signer(self._secret, mainnet=self._mainnet)
        return self._signer

    async def check(self) -> str:
        """Whether the key may act for the account, in a sentence. Raises :class:`VenueError`."""
        if self._secret is None:
            return "No key is named: the account can be read, not traded."
        session = self._session
        await session.ready()
        self._check_vault()
        role = await self._see_whose_key(Priority.RECONCILE)
        address, own = self.signer().address, session.role
        if role is None:
            return f"The key is that of {address} itself: it may withdraw. One of an API wallet (agent) may not."
        if own is not None and own.name == "vault":
            return f"The key is of {address}; whether that leads the vault, the venue says when the first order comes."
        until = await session.agent_until(role.master, address)
        ends = f" until {format_time(from_ms(until))}" if until else ", for how long the venue does not say"
        return f"The key is of {address}, an API wallet (agent) of {role.master}: it may trade and not withdraw{ends}."

    async def place(self, request: OrderRequest) -> OrderReported:
        """Place an order. Raises as the port says."""
        priority = _priority(request)
        await self._ready(priority)
        asset = self._session.assets.asset(request.instrument)
        present = None
        if actions.needs_price(request):
            present = await marks.mid(self._session, asset.instrument, priority)
        return await self._order(request, asset, actions.order(request, asset, present), priority)

    async def cancel(self, instrument: str, order_id: str) -> OrderReported | None:
        """Cancel what is left of an order; see the port."""
        await self._ready(Priority.CANCEL)
        action = actions.cancelling(self._session.assets.asset(instrument), order_id)
        try:
            _, nonce = await self._act(action, Priority.CANCEL, valid_ms=None)
        except Rejected as error:
            if error.venue_code != MISSING:
                raise
            return await self._lookup(actions.number(order_id), Priority.CANCEL)
        try:
            report = await self._lookup(actions.number(order_id), Priority.CANCEL)
        except VenueError as error:
            raise OutcomeUnknown(
                f"Order {order_id} is cancelled, but how much of it was filled could not be read: {error.message}",
                remedy="Cancelling it again does no harm and tells.",
            ) from error
        if report is None or report.status not in _OPEN:
            return report
        return msgspec.structs.replace(  # the venue lags behind its own answer
            report,
            status="canceled",
            venue_time=max(report.venue_time, from_ms(nonce - BLOCK_LAG_MS)),
            report_id=f"{order_id}:canceled:{nonce}",
        )

    async def amend(self, instrument: str, order_id: str, amendment: Amendment) -> OrderReported:
        """Change a resting order: the venue cancels it and places another of the same client order id.

        Raises:
            OutcomeUnknown: Also where the order was cancelled and its replacement refused.
        """
        await self._ready(Priority.PROTECTIVE)
        asset = self._session.assets.asset(instrument)
        request = _changed(*await self._resting(order_id), amendment)
        action = actions.changing(order_id, actions.order(request, asset, None))
        taken, nonce = await self._act(action, _priority(request))
        return self._reported(request, asset, taken, nonce)

    async def close(self, instrument: str, position_side: str, client_order_id: str) -> OrderReported:
        """Close a position at the market, never beyond flat."""
        await self._ready(Priority.CLOSE)
        session, asset = self._session, self._session.assets.asset(instrument)
        terms = asset.instrument
        if position_side != "net" or terms.kind == "spot":
            raise Rejected(
                f"There is no {position_side} position in {terms.symbol} that could be closed.",
                remedy="Perpetuals have one position, net; coins of the spot wallet are sold.",
                venue_code="nothing_to_close",
            )
        state = await clearinghouse(session, terms.wallet, Priority.CLOSE)
        if state.positions is None:
            raise Malformed(f"The position in {terms.symbol} could not be read: {state.failed}.", remedy="Try again.")
        held = state.positions.get((terms.symbol, "net"))
        if held is None:
            raise Rejected(
                f"{terms.symbol} is flat.", remedy="There is nothing to close.", venue_code="nothing_to_close"
            )
        present = held.mark_price or await marks.mid(session, terms, Priority.CLOSE)
        request = OrderRequest(
            terms.symbol,
            "sell" if held.quantity > ZERO else "buy",
            abs(held.quantity),
            client_order_id,
            reduce_only=True,
        )
        return await self._order(request, asset, actions.order(request, asset, present), Priority.CLOSE)

    async def find(self, client_order_id: str) -> OrderReported | None:
        """The order of a client order id; None where the venue has none.

        An order that was sent may still be taken until :data:`VALID_MS` after it was signed.
        """
        await self._session.ready()
        return await self._lookup(actions.cloid(client_order_id), Priority.RECONCILE)

    async def _ready(self, priority: Priority) -> None:
        self.signer()
        session = self._session
        await session.ready(priority)
        self._check_vault()
        if priority is Priority.CANCEL:
            return  # has no end, and finds no order where the key is another account's
        if not self._key_is_ours:
            await self._see_whose_key(priority)
        if session.skew.offset is None:
            await clearinghouse(session, session.dexes[0], priority)

    async def _see_whose_key(self, priority: Priority) -> Role | None:
        """What the key is besides the account's own: one of another account would have its orders done there.

        Raises:
            AuthenticationFailed: It is of neither the account nor an agent of its.
            VenueError: The venue could not be asked.
        """
        address, session = self.signer().address, self._session
        own, role = session.role or Role("user"), None
        if address not in {session.address, own.master}:
            role = await session.role_of(address, priority)
            master = own.master or session.address
            if own.name != "vault" and (role.name != "agent" or role.master != master):
                raise _not_ours(address, role, master)
        self._key_is_ours = True
        return role

    def _check_vault(self) -> None:
        """An order for a sub-account that does not name it would be its master's."""
        role = self._session.role
        acted_for = role is not None and role.name in {"subAccount", "vault"}
        if acted_for != (self._vault is not None):
            raise AuthenticationFailed(
                f"{self._session.address} is {'' if acted_for else 'not '}a sub-account or vault.",
                remedy=f"Set vault = {str(acted_for).lower()} for {self._session.account}; nothing was sent.",
            )

    async def _order(
        self, request: OrderRequest, asset: Asset, wire: actions.Wire, priority: Priority
    ) -> OrderReported:
        taken, nonce = await self._act(actions.placing(wire), priority)
        return self._reported(request, asset, taken, nonce)

    async def _act(
        self, action: actions.Wire, priority: Priority, valid_ms: int | None = VALID_MS
    ) -> tuple[Taken, int]:
        """Send an action of one item; what became of it, and its nonce. Raises what the venue's table says."""
        signer = self.signer()
        nonces = nonces_of(signer.address)
        used = 0

        def sign(call: Call) -> Call:
            nonlocal used
            now = self._session.venue_ms()
            used = nonces.next(now)
            expires = None if valid_ms is None else now + valid_ms
            body = {
                "action": action,
                "nonce": used,
                "signature": signer.sign(action, used, self._vault, expires),
                "vaultAddress": self._vault,
                "expiresAfter": expires,
            }
            return msgspec.structs.replace(call, content=msgspec.json.encode(body))

        answer = await self._session.transport.request(calls.exchange(priority), sign)
        outcome = outcomes(answer.body, 1)[0]
        if isinstance(outcome, VenueError):
            raise outcome
        return outcome, used

    def _reported(self, request: OrderRequest, asset: Asset, taken: Taken, nonce: int) -> OrderReported:
        """An order as the answer to it says."""
        if not taken.order_id:
            raise OutcomeUnknown(
                f"Hyperliquid took the order ({taken.word}) and did not say its id.",
                remedy="Look it up by its client order id.",
            )
        filled = min(taken.filled, request.quantity)
        status = _status(request, filled)
        return OrderReported(
            account=self._session.account,
            instrument=asset.instrument.symbol,
            side=request.side,
            quantity=request.quantity,
            filled=filled,
            status=status,
            venue_order_id=taken.order_id,
            venue_time=from_ms(nonce - BLOCK_LAG_MS),
            report_id=f"{taken.order_id}:{taken.word}:{nonce}",
            client_order_id=actions.cloid(request.client_order_id),
            price=request.price,
            trigger_price=request.trigger_price,
            order_type=request.order_type,
            reduce_only=request.reduce_only,
        )

    async def _lookup(self, order_id: int | str, priority: Priority) -> OrderReported | None:
        return (await self._status(order_id, priority))[0]

    async def _status(self, order_id: int | str, priority: Priority) -> tuple[OrderReported | None, str]:
        """An order by the venue's id or by ours, and its time in force in the venue's word."""
        fields = {"user": self._session.address, "oid": order_id}
        answer = await self._session.ask("orderStatus", fields, priority)
        value = json_value("orderStatus", answer.body)
        if isinstance(value, dict) and value.get("status") == "unknownOid":
            return None, ""
        reading = await self._session.read("orderStatus", fields, answer.body, priority)
        match value, [fact for fact in reading.facts if isinstance(fact, OrderReported)]:
            case {"order": {"order": dict(order)}}, [report]:
                return report, _word(order)
            case _:
                raise Malformed(f"orderStatus of {order_id}: not an order: {rows.shown(answer.body)}.")

    async def _resting(self, order_id: str) -> tuple[OrderReported, str]:
        report, force = await self._status(actions.number(order_id), Priority.PROTECTIVE)
        if report is None or report.status not in _OPEN:
            raise Rejected(
                f"Order {order_id} is not open: {'unknown' if report is None else report.status}.",
                remedy="Nothing was sent; place another one.",
                venue_code=MISSING,
            )
        return report, force


def _changed(report: OrderReported, force: str, amendment: Amendment) -> OrderRequest:
    """The order in the place of another: of what is left of it, or another quantity, on terms else the same."""
    kind = _ORDER_TYPES.get(report.order_type)
    if kind is None:
        raise Rejected(
            f"Order {report.venue_order_id} is of a kind that cannot be changed here: {report.order_type}.",
            remedy="Cancel it and place another; nothing was sent.",
        )
    with exact():
        left = report.quantity - report.filled
    return OrderRequest(
        instrument=report.instrument,
        side=report.side,
        quantity=left if amendment.quantity is None else amendment.quantity,
        client_order_id=report.client_order_id,
        order_type=kind,
        price=_one(amendment.price, report.price) if kind in {"limit", "stop_limit"} else None,
        trigger_price=_one(amendment.trigger_price, report.trigger_price),
        reduce_only=report.reduce_only,
        time_in_force=_force(kind, force),
    )


def _one(changed: Decimal | None, present: Decimal | None) -> Decimal | None:
    return present if changed is None else changed


def _force(kind: OrderType, word: str) -> TimeInForce:
    """A resting order keeps its time in force: one that only rests must not begin to take."""
    if kind != "limit":
        return ""
    if word not in _FORCES:
        raise Rejected(
            f"The venue says no time in force that could be kept: {word!r}.",
            remedy="Cancel the order and place another; nothing was sent.",
        )
    return _FORCES[word]


def _word(order: Mapping[str, object]) -> str:
    try:
        return rows.optional_text(order, "tif")
    except BadInput as error:
        raise Malformed(f"orderStatus: {error.message}", remedy=error.remedy) from error


def _status(request: OrderRequest, filled: Decimal) -> str:
    """What an order is after its answer: what trades at once or not at all does not rest."""
    if filled >= request.quantity:
        return "filled"
    if request.order_type == "market" or request.time_in_force == "ioc":
        return "canceled"
    return "partially_filled" if filled else "open"


def _priority(request: OrderRequest) -> Priority:
    """What ends or protects a position goes before all else."""
    if not request.reduce_only:
        return Priority.REST
    return Priority.PROTECTIVE if request.order_type in actions.TRIGGERS else Priority.CLOSE


def _not_ours(address: str, role: Role, master: str) -> AuthenticationFailed:
    return AuthenticationFailed(
        f"The key is of {address}, which the venue calls {role.name}"
        + (f" of {role.master}" if role.master else "")
        + f", not an API wallet (agent) of {master}.",
        remedy="Approve it there, or name the key of one that is; mind the net (main or test).",
    )
