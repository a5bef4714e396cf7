"""What all calls of one account share: the way to the venue, whose account it is, its markets and its clock.

Before anything else is asked the venue says what the address is. That of an API wallet (agent) has no account behind
it, and every answer about it is empty: it would pass for flat, so it is refused here.
"""

import asyncio
import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext

import msgspec

from trueup.model.errors import AuthenticationFailed, BadInput, Malformed, Rejected
from trueup.model.events import InstrumentDefined
from trueup.model.identifiers import AccountId
from trueup.model.instruments import Instrument
from trueup.ports import Clock, Reading, Refused
from trueup.venues import rows
from trueup.venues.files import json_value
from trueup.venues.hyperliquid import calls
from trueup.venues.hyperliquid.assets import Assets, dex_places
from trueup.venues.hyperliquid.errors import judge
from trueup.venues.hyperliquid.reader import HyperliquidReader
from trueup.venues.rows import Row
from trueup.venues.transport import http
from trueup.venues.transport.http import Answer
from trueup.venues.transport.limiter import Limiter, Priority
from trueup.venues.transport.skew import ClockSkew

CLOCKS_APART_MS_MAX = 60_000
"""The offset is compensated; one beyond this is a clock that nobody looks after."""

MARKETS_S = 300.0
"""How old a list of the markets may be; one that does not know a coin is asked for anew at once."""

WARNINGS_MAX = 100
REFUSED_MAX = 10_000
"""Refused rows that wait to be put on record; more come only where nobody asks for them."""

Fields = Mapping[str, object]
"""The body of a read besides its kind."""

_ADDRESS = re.compile(r"0x[0-9a-f]{40}", re.ASCII)


class Role(msgspec.Struct, frozen=True):
    """What the venue says an address is.

    Attributes:
        name: ``user``, ``agent``, ``vault``, ``subAccount`` or ``missing``.
        master: Of an agent or a sub-account; else empty.
    """

    name: str
    master: str = ""


class Session:
    """Of one account.

    Args:
        account: Whose facts the answers become.
        address: The account's at the venue: of a user, a sub-account or a vault.
        rest_url: The venue's base address.
        dexes: The perpetual dexes that are looked at; the main one is ``""``.
        clock: Ours.
        instruments: Terms that the book knows.
        learnt: What earlier imports have on record of the account.
        limiter: What all accounts of this network address share; None for one of its own.

    Attributes:
        reader: The one reader of facts, for saved answers and live ones.
        skew: How far the venue's clock is from ours.
    """

    def __init__(
        self,
        account: AccountId,
        *,
        address: str,
        rest_url: str,
        dexes: Sequence[str],
        clock: Clock,
        instruments: Iterable[Instrument],
        learnt: Mapping[str, str],
        limiter: Limiter | None = None,
    ) -> None:
        self.account = account
        self.address = plain_address("address", address)
        if learnt.get("address", self.address) != self.address:
            raise BadInput(
                "address",
                address,
                f"what is booked of {account} is of {learnt['address']}",
                remedy="Give this address an account of its own.",
            )
        self.dexes = tuple(dexes)
        self.clock = clock
        self.assets = Assets()
        self.skew = ClockSkew(CLOCKS_APART_MS_MAX)
        self.reader = HyperliquidReader(account, self.address, instruments, learnt)
        self.transport = http.HttpTransport(
            "Hyperliquid", http.client(rest_url), judge, limiter or Limiter(calls.LIMITS), clock, self.skew
        )
        self.role: Role | None = None
        self.warnings: deque[str] = deque(maxlen=WARNINGS_MAX)
        self._refused: deque[Refused] = deque(maxlen=REFUSED_MAX)
        self._listed: Sequence[Instrument] = ()
        self._listed_at = 0.0
        self._lock = asyncio.Lock()

    async def ask(self, kind: str, fields: Fields, priority: Priority = Priority.RECONCILE) -> Answer:
        """The answer to a read. Raises :class:`VenueError`."""
        return await self.transport.request(calls.info(kind, fields, priority))

    async def value(self, kind: str, fields: Fields, priority: Priority = Priority.RECONCILE) -> object:
        """The answer to a read that holds no facts, as JSON. Raises :class:`VenueError`."""
        return json_value(kind, (await self.ask(kind, fields, priority)).body)

    async def count_rows(self, kind: str, number: int) -> None:
        """Count what the length of an answer weighed besides: it waits for nobody, those who come next do for it."""
        await self.transport.limiter.acquire(calls.weight_of_rows(kind, number), Priority.CLOSE, wait_s=0.0)

    async def ready(self, priority: Priority = Priority.RECONCILE) -> None:
        """See once whose address it is, and what is traded.

        Raises:
            AuthenticationFailed: Of an agent, or of nobody that the venue knows.
            VenueError: The venue could not be asked.
        """
        if self.role is not None and self._listed:
            return  # without waiting for who asks for the markets anew
        async with nullcontext() if priority.urgent else self._lock:  # asked twice it says the same; waiting costs more
            await self._see_whose(priority)
            if not self._listed:
                await self._list(priority)

    async def listed(self, *, anew: bool = False) -> Sequence[Instrument]:
        """The markets, as they were up to :data:`MARKETS_S` ago, or asked anew. Raises as :meth:`ready` does."""
        async with self._lock:
            await self._see_whose(Priority.RECONCILE)
            if anew or not self._listed or self.clock.monotonic() - self._listed_at > MARKETS_S:
                await self._list(Priority.RECONCILE)
            return self._listed

    async def role_of(self, address: str, priority: Priority = Priority.RECONCILE) -> Role:
        """What an address is. Raises :class:`VenueError`."""
        value = await self.value("userRole", {"user": address}, priority)
        try:
            row = rows.as_row(value, "userRole")
            data = rows.record(row, "data") if row.get("data") is not None else {}
            master = rows.optional_text(data, "user") or rows.optional_text(data, "master")
            return Role(rows.text(row, "role"), master.lower())
        except BadInput as error:
            raise Malformed(f"userRole: {error.message}", remedy=error.remedy) from error

    async def agent_until(self, master: str, address: str) -> int | None:
        """The millisecond until which an agent may act; None where the venue does not say. Raises VenueError."""
        value = await self.value("extraAgents", {"user": master})
        try:
            agents = [rows.as_row(agent) for agent in rows.records({"extraAgents": value}, "extraAgents")]
            ours = (agent for agent in agents if rows.text(agent, "address").lower() == address)
            return next((rows.integer(agent, "validUntil") for agent in ours), None)
        except BadInput as error:
            raise Malformed(f"extraAgents: {error.message}", remedy=error.remedy) from error

    async def mode(self) -> str:
        """How spot and perpetuals share collateral, in the venue's word. Raises :class:`VenueError`."""
        value = await self.value("userAbstraction", {"user": self.address})
        if isinstance(value, str):
            return value
        raise Malformed(f"userAbstraction: not a word: {rows.shown(value)}.", remedy="Ask again.")

    async def read(self, kind: str, fields: Fields, body: bytes, priority: Priority = Priority.RECONCILE) -> Reading:
        """What the answer to a read says. Raises :class:`VenueError`.

        Markets that are not known are asked for once; what is urgent goes on without them.
        """
        asked = msgspec.json.encode({"type": kind, **fields})
        name = " ".join(filter(None, (kind, str(fields.get("dex", "")))))
        reading = self.reader.read(name, body, asked)
        if _of_unknown_market(reading) and not priority.urgent:
            await self.listed(anew=True)
            reading = self.reader.read(name, body, asked)
        return reading

    def refuse(self, refused: Iterable[Refused]) -> None:
        """Keep rows of the history that could not be read until somebody asks for them."""
        self._refused.extend(refused)

    def refused(self) -> Sequence[Refused]:
        """The rows that could not be read, each once."""
        refused = list(self._refused)
        self._refused.clear()
        return refused

    def warn(self, warning: str) -> None:
        """Tell a person, once."""
        if warning not in self.warnings:
            self.warnings.append(warning)

    def venue_ms(self) -> int:
        """The venue's clock, as well as it is known."""
        return self.skew.venue_now(self.clock.now()) // 1_000_000

    async def _see_whose(self, priority: Priority) -> None:
        if self.role is None:
            role = await self.role_of(self.address, priority)
            _check_role(self.address, role)
            self.role = role

    async def _list(self, priority: Priority) -> None:
        """Read the markets: spot first, because its tokens name the dexes' collateral."""
        listed: list[Instrument] = []
        spot = await self.ask("spotMeta", {}, priority)
        listed += self._defined("spotMeta", {}, spot.body)
        self.assets.name_spot(_whole("spotMeta", spot.body))
        places = await self._dex_places(priority)
        for dex in self.dexes:
            fields = of_dex(dex)
            meta = await self.ask("meta", fields, priority)
            listed += self._defined("meta", fields, meta.body)
            self.assets.name_perpetuals(_whole("meta", meta.body), places.get(dex, 0))
        self.assets.define(listed)
        self._listed, self._listed_at = listed, self.clock.monotonic()

    def _defined(self, kind: str, fields: Fields, body: bytes) -> Sequence[Instrument]:
        reading = self.reader.read(kind, body, msgspec.json.encode({"type": kind, **fields}))
        for row in reading.refused[:1]:
            self.warn(
                f"{kind}: {len(reading.refused)} markets could not be read and are left out, the first because of "
                f"{row.field}={row.value!r}: {row.problem}."
            )
        return [fact.instrument for fact in reading.facts if isinstance(fact, InstrumentDefined)]

    async def _dex_places(self, priority: Priority) -> Mapping[str, int]:
        if not any(self.dexes):
            return {}
        try:
            places = dex_places(await self.value("perpDexs", {}, priority))
        except BadInput as error:
            raise Malformed(f"perpDexs: {error.message}", remedy=error.remedy) from error
        unknown = [dex for dex in self.dexes if dex and dex not in places]
        if unknown:
            known = ", ".join(places) or "none"
            raise Rejected(f"dexes={unknown}: no such dex.", remedy=f"The venue has: {known}.", venue_code="dex")
        return places


def of_dex(dex: str) -> Fields:
    """How a read names a dex: the main one is the one that is not named."""
    return {"dex": dex} if dex else {}


def plain_address(field: str, address: str) -> str:
    """An address in lower case. Raises :class:`BadInput`."""
    plain = address.strip().lower()
    if _ADDRESS.fullmatch(plain):
        return plain
    raise BadInput(field, rows.shown(address), "not an address", remedy="Give 0x and 40 hexadecimal digits.")


def _check_role(address: str, role: Role) -> None:
    if role.name == "agent":
        raise AuthenticationFailed(
            f"{address} is an API wallet (agent): there is no account behind it, and its answers would pass for flat.",
            remedy=f"Give the address of its master as the account: {role.master or 'the one that approved it'}.",
            venue_code=role.name,
        )
    if role.name == "missing":
        raise AuthenticationFailed(
            f"The venue does not know {address}: its answers would pass for a flat account.",
            remedy="Check the address and the net (main or test); a new account needs a deposit first.",
            venue_code=role.name,
        )


def _whole(name: str, body: bytes) -> Row:
    try:
        return rows.as_row(json_value(name, body), name)
    except BadInput as error:
        raise Malformed(f"{name}: {error.message}", remedy=error.remedy) from error


def _of_unknown_market(reading: Reading) -> bool:
    unmapped = reading.snapshot is not None and bool(reading.snapshot.unmapped)
    return unmapped or any(row.field == "coin" and row.value for row in reading.refused)
