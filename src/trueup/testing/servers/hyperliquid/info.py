"""What is read: every request of ``/info`` that is served here, and its answer.

Of an address that is nobody's, an agent's among them, the answers are those of an empty account, as the venue does it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from trueup.model.numbers import ONE, ZERO, exact
from trueup.testing.servers.hyperliquid.assets import Asset, Row
from trueup.testing.servers.hyperliquid.notation import number
from trueup.testing.servers.hyperliquid.orders import Placed
from trueup.testing.servers.hyperliquid.state import State
from trueup.venues.paper.matching import LEVELS

FILLS_PER_ANSWER = 2_000
FILLS_KEPT = 10_000
ROWS_PER_ANSWER = 500
ORDERS_PER_ANSWER = 2_000
REQUESTS_TO_BEGIN = 10_000

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)


class Unreadable(Exception):
    """A request that is none: HTTP 422, as the venue answers it."""


class Question(msgspec.Struct, frozen=True):
    """A request of ``/info``, with every field that one may have."""

    type: str
    user: str = ""
    dex: str = ""
    coin: str = ""
    oid: int | str | None = None
    startTime: int | None = None  # noqa: N815 - the venue's name
    endTime: int | None = None  # noqa: N815 - the venue's name
    aggregateByTime: bool = False  # noqa: N815 - the venue's name
    builder: str = ""


def parse(body: object) -> Question:
    """A request, from what JSON was.

    Raises:
        Unreadable: Of no type that is served, or with a field missing or ill-formed.
    """
    try:
        question = (
            msgspec.json.decode(body, type=Question) if isinstance(body, bytes) else msgspec.convert(body, Question)
        )
    except msgspec.MsgspecError as error:
        raise Unreadable from error
    needed = _NEEDS.get(question.type)
    if needed is None or question.aggregateByTime or any(getattr(question, name) in {None, ""} for name in needed):
        raise Unreadable
    if question.user and not is_address(question.user):
        raise Unreadable
    return msgspec.structs.replace(question, user=question.user.lower())


def is_address(text: str) -> bool:
    """Whether a text could be an address of the chain."""
    return _ADDRESS.fullmatch(text) is not None


def answer(state: State, question: Question) -> object:
    """What the venue says. Raises :class:`Unavailable` where the exchange does, :class:`Unreadable` of no such coin."""
    if question.dex not in state.assets.dexes:
        raise Unreadable
    return _ANSWERS[question.type](state, question)


# --- markets ----------------------------------------------------------------------------------------------------------


def asset_context(state: State, asset: Asset) -> Row:
    """How a perpetual stands."""
    mid, level = state.mid(asset), asset.market.level
    return {
        "funding": number(asset.market.funding_rate),
        "openInterest": "0.0",
        "prevDayPx": number(asset.market.price),
        "dayNtlVlm": "0.0",
        "premium": "0.0",
        "oraclePx": number(mid),
        "markPx": number(mid),
        "midPx": number(mid),
        "impactPxs": [number(mid - level), number(mid + level)],
        "dayBaseVlm": "0.0",
    }


def spot_context(state: State, asset: Asset) -> Row:
    """How a spot pair stands."""
    mid = number(state.mid(asset))
    return {
        "prevDayPx": number(asset.market.price),
        "dayNtlVlm": "0.0",
        "markPx": mid,
        "midPx": mid,
        "circulatingSupply": "1000000.0",
        "coin": asset.coin,
        "totalSupply": "1000000.0",
        "dayBaseVlm": "0.0",
    }


def all_mids(state: State, dex: str) -> dict[str, str]:
    """The middle of every market of a dex; the main one has the spot pairs."""
    assets = [*state.assets.perpetuals(dex), *([] if dex else state.assets.spots)]
    return {asset.coin: number(state.mid(asset)) for asset in assets}


def book(state: State, coin: str) -> Row:
    """What is offered in a market."""
    asset = _asset(state, coin)
    mid, level, size = state.mid(asset), asset.market.level, number(asset.market.depth)
    sides = [
        [{"px": number(mid + sign * step * level), "sz": size, "n": 1} for step in range(1, LEVELS + 1)]
        for sign in (-ONE, ONE)
    ]
    return {"coin": coin, "time": state.now, "levels": sides}


def _asset(state: State, coin: str) -> Asset:
    asset = state.assets.by_coin.get(coin)
    if asset is None:
        raise Unreadable
    return asset


def _meta_and_contexts(state: State, dex: str) -> list[object]:
    return [state.assets.meta(dex), [asset_context(state, asset) for asset in state.assets.perpetuals(dex)]]


def _spot_meta_and_contexts(state: State) -> list[object]:
    return [state.assets.spot_meta(), [spot_context(state, asset) for asset in state.assets.spots]]


def _perp_dexs(state: State) -> list[Row | None]:
    """The main dex is null."""
    return [
        {
            "name": dex,
            "fullName": dex,
            "deployer": "0x" + 40 * "0",
            "oracleUpdater": None,
            "feeRecipient": None,
            "assetToStreamingOiCap": [],
        }
        if dex
        else None
        for dex in state.assets.dexes
    ]


# --- orders -----------------------------------------------------------------------------------------------------------


def _orders(state: State, asked: Question, show: Callable[[Placed], Row]) -> list[Row]:
    return [show(order) for order in state.open_orders(asked.user, asked.dex)]


def _order_status(state: State, asked: Question) -> Row:
    history = state.history(asked.user)
    order = history.find(asked.oid) if history else None
    return {"status": "unknownOid"} if order is None else {"status": "order", "order": order.past()}


def _historical_orders(state: State, asked: Question) -> list[Row]:
    history = state.history(asked.user)
    orders = sorted(history.orders.values(), key=lambda o: -o.report.venue_time) if history else []
    return [order.past() for order in orders[:ORDERS_PER_ANSWER]]


# --- what happened ----------------------------------------------------------------------------------------------------


def newest_fills(state: State, user: str) -> list[Row]:
    """The newest fills, newest first."""
    history = state.history(user)
    return history.fills[: -FILLS_PER_ANSWER - 1 : -1] if history else []


def _fills_by_time(state: State, asked: Question) -> list[Row]:
    history = state.history(asked.user)
    return _between(history.fills[-FILLS_KEPT:] if history else [], asked, FILLS_PER_ANSWER)


def _fundings(state: State, asked: Question) -> list[Row]:
    history = state.history(asked.user)
    return _between(history.fundings if history else [], asked, ROWS_PER_ANSWER)


def _ledger(state: State, asked: Question) -> list[Row]:
    history = state.history(asked.user)
    return _between(history.ledger if history else [], asked, ROWS_PER_ANSWER)


def _between(rows: Sequence[Row], asked: Question, most: int) -> list[Row]:
    """Rows from a time to a time, both included, oldest first."""
    start, end = asked.startTime or 0, asked.endTime
    chosen = [row for row in rows if start <= _time(row) and (end is None or _time(row) <= end)]
    return chosen[:most]


def _time(row: Row) -> int:
    time = row["time"]
    return time if isinstance(time, int) else 0


# --- addresses --------------------------------------------------------------------------------------------------------


def _role(state: State, asked: Question) -> Row:
    if asked.user in state.agents:
        return {"role": "agent", "data": {"user": state.agents[asked.user]}}
    if asked.user in state.masters:
        return {"role": "subAccount", "data": {"master": state.masters[asked.user]}}
    return {"role": "user" if asked.user in state.accounts else "missing"}


def _agents(state: State, asked: Question) -> list[Row]:
    return [
        {"name": state.agent_names[agent][0], "address": agent, "validUntil": state.agent_names[agent][1]}
        for agent, master in state.agents.items()
        if master == asked.user
    ]


def _sub_accounts(state: State, asked: Question) -> list[Row] | None:
    rows: list[Row] = [
        {
            "name": state.accounts[address],
            "subAccountUser": address,
            "master": master,
            "clearinghouseState": state.clearinghouse(address, ""),
            "spotState": state.spot(address),
        }
        for address, master in state.masters.items()
        if master == asked.user
    ]
    return rows or None


def _rate_limit(state: State, asked: Question) -> Row:
    history = state.history(asked.user)
    volume = history.volume if history else ZERO
    with exact():
        cap = REQUESTS_TO_BEGIN + int(volume)
    return {"cumVlm": number(volume), "nRequestsUsed": state.requests[asked.user], "nRequestsCap": cap}


def _fees(state: State, _: Question) -> Row:
    """The fees of the first perpetual and of the first spot pair stand for all."""
    perpetual = next(iter(state.assets.perpetuals("")), None)
    spot = next(iter(state.assets.spots), perpetual)
    cross, add = (number(perpetual.market.taker_fee), number(perpetual.market.maker_fee)) if perpetual else ("0.0",) * 2
    spot_cross, spot_add = (number(spot.market.taker_fee), number(spot.market.maker_fee)) if spot else ("0.0",) * 2
    day = datetime.fromtimestamp(state.now / 1_000, UTC).date().isoformat()
    rates = {"cross": cross, "add": add, "spotCross": spot_cross, "spotAdd": spot_add}
    return {
        "dailyUserVlm": [{"date": day, "userCross": "0.0", "userAdd": "0.0", "exchange": "0.0"}],
        "feeSchedule": {
            **rates, "tiers": {"vip": [], "mm": []}, "referralDiscount": "0.0", "stakingDiscountTiers": [],
        },
        "userCrossRate": cross,
        "userAddRate": add,
        "userSpotCrossRate": spot_cross,
        "userSpotAddRate": spot_add,
        "activeReferralDiscount": "0.0",
        "trial": None,
        "feeTrialEscrow": "0.0",
        "nextTrialAvailableTimestamp": None,
        "stakingLink": None,
        "activeStakingDiscount": {"bpsOfMaxSupply": "0.0", "discount": "0.0"},
    }  # fmt: skip


def web_data(state: State, user: str) -> Row:
    """The main page's data, as far as it is served."""
    return {
        "clearinghouseState": state.clearinghouse(user, ""),
        "leadingVaults": [],
        "totalVaultEquity": "0.0",
        "openOrders": [order.full() for order in state.open_orders(user, "")],
        "agentAddress": None,
        "agentValidUntil": None,
        "cumLedger": "0.0",
        "meta": state.assets.meta(""),
        "assetCtxs": [asset_context(state, asset) for asset in state.assets.perpetuals("")],
        "serverTime": state.now,
        "isVault": False,
        "user": user,
        "twapStates": [],
        "spotState": state.spot(user),
        "spotAssetCtxs": [spot_context(state, asset) for asset in state.assets.spots],
    }


_ANSWERS: Mapping[str, Callable[[State, Question], object]] = {
    "meta": lambda state, asked: state.assets.meta(asked.dex),
    "spotMeta": lambda state, _: state.assets.spot_meta(),
    "metaAndAssetCtxs": lambda state, asked: _meta_and_contexts(state, asked.dex),
    "spotMetaAndAssetCtxs": lambda state, _: _spot_meta_and_contexts(state),
    "allMids": lambda state, asked: all_mids(state, asked.dex),
    "l2Book": lambda state, asked: book(state, asked.coin),
    "perpDexs": lambda state, _: _perp_dexs(state),
    "exchangeStatus": lambda state, _: {"time": state.now, "specialStatuses": None},
    "clearinghouseState": lambda state, asked: state.clearinghouse(asked.user, asked.dex),
    "spotClearinghouseState": lambda state, asked: state.spot(asked.user),
    "openOrders": lambda state, asked: _orders(state, asked, Placed.basic),
    "frontendOpenOrders": lambda state, asked: _orders(state, asked, Placed.full),
    "orderStatus": _order_status,
    "historicalOrders": _historical_orders,
    "userFills": lambda state, asked: newest_fills(state, asked.user),
    "userFillsByTime": _fills_by_time,
    "userTwapSliceFills": lambda _state, _asked: [],
    "userFunding": _fundings,
    "userNonFundingLedgerUpdates": _ledger,
    "userRole": _role,
    "extraAgents": _agents,
    "subAccounts": _sub_accounts,
    "userRateLimit": _rate_limit,
    "userFees": _fees,
    "userAbstraction": lambda _state, _asked: "disabled",
    "maxBuilderFee": lambda state, asked: state.builder_fees.get((asked.user, asked.builder.lower()), 0),
    "webData2": lambda state, asked: web_data(state, asked.user),
}

_NO_USER = frozenset({
    "meta", "spotMeta", "metaAndAssetCtxs", "spotMetaAndAssetCtxs", "allMids", "l2Book", "perpDexs", "exchangeStatus",
})  # fmt: skip

_EXTRA: Mapping[str, Sequence[str]] = {
    "l2Book": ("coin",),
    "orderStatus": ("oid",),
    "userFillsByTime": ("startTime",),
    "userFunding": ("startTime",),
    "userNonFundingLedgerUpdates": ("startTime",),
    "maxBuilderFee": ("builder",),
}

_NEEDS: Mapping[str, Sequence[str]] = {
    kind: (*(() if kind in _NO_USER else ("user",)), *_EXTRA.get(kind, ())) for kind in _ANSWERS
}
"""Fields that a request of a type cannot do without."""
