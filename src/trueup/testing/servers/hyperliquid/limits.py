"""How often one address of the network may ask: a weight for each request, and so much of it a minute."""

from collections import defaultdict, deque

from trueup.ports import Clock

WEIGHT_PER_MINUTE = 1_200
"""As the venue documents it, per IP address."""

_WINDOW_S = 60.0

_LIGHT = frozenset({
    "l2Book", "allMids", "clearinghouseState", "orderStatus", "spotClearinghouseState", "exchangeStatus",
})  # fmt: skip
_WEIGHT_LIGHT, _WEIGHT_USUAL, _WEIGHT_ROLE = 2, 20, 60
_ROWS_PER_WEIGHT = 20
_COUNTED = frozenset({
    "historicalOrders", "userFills", "userFillsByTime", "userTwapSliceFills", "userFunding",
    "userNonFundingLedgerUpdates",
})  # fmt: skip
_BATCH_PER_WEIGHT = 40


def read_weight(kind: str) -> int:
    """What a request of ``/info`` weighs before it is answered."""
    if kind == "userRole":
        return _WEIGHT_ROLE
    return _WEIGHT_LIGHT if kind in _LIGHT else _WEIGHT_USUAL


def answer_weight(kind: str, answer: object) -> int:
    """What its answer weighs on top."""
    return len(answer) // _ROWS_PER_WEIGHT if kind in _COUNTED and isinstance(answer, list) else 0


def action_weight(batch: int) -> int:
    """What a request of ``/exchange`` weighs, by how many orders or cancels it holds."""
    return 1 + batch // _BATCH_PER_WEIGHT


class Limits:
    """The weight of the last minute, by address; bounded by what a minute allows."""

    def __init__(self, clock: Clock, weight_per_minute: int) -> None:
        self._clock = clock
        self._most = weight_per_minute
        self._spent: dict[str, deque[tuple[float, int]]] = defaultdict(deque)

    def allows(self, address: str, weight: int) -> bool:
        """Whether a request of this weight may be answered; then it counts."""
        spent, now = self._spent[address], self._clock.monotonic()
        while spent and spent[0][0] <= now - _WINDOW_S:
            spent.popleft()
        if sum(each for _, each in spent) + weight > self._most:
            return False
        self.charge(address, weight)
        return True

    def charge(self, address: str, weight: int) -> None:
        """Count what was answered already."""
        if weight:
            self._spent[address].append((self._clock.monotonic(), weight))
