"""The account's money, segment by segment, as Kite's margins state it.

What the day realised is not in ``cash`` until the next morning, as in the recorded answer, where ``cash`` equals
``opening_balance`` beside a realised gain. A position's gain is paid when it is closed: the daily settlement of futures
at the closing price is left out.
"""

from decimal import Decimal

import msgspec

from trueup.model.numbers import ZERO
from trueup.testing.servers.zerodha import wire
from trueup.testing.servers.zerodha.wire import Row

_NOTHING_USED = dict.fromkeys(
    ("option_premium", "payout", "holding_sales", "turnover", "liquid_collateral", "stock_collateral", "delivery"), 0
)


class Purse(msgspec.Struct):
    """The money of one segment.

    Attributes:
        opening: When the day began.
        paid_in: Since; negative where it was paid out.
        realised: By closing what is not delivered.
        spent: On shares, less what sold ones brought.
        charges: Of the day, taken the next morning.
    """

    opening: Decimal = ZERO
    paid_in: Decimal = ZERO
    realised: Decimal = ZERO
    spent: Decimal = ZERO
    charges: Decimal = ZERO

    @property
    def cash(self) -> Decimal:
        """As the ledger has it: without the day's trades."""
        return self.opening + self.paid_in

    @property
    def now(self) -> Decimal:
        """With them."""
        return self.cash + self.realised - self.spent

    def next_day(self) -> None:
        """The day's trades and charges reach the ledger."""
        self.opening = self.now - self.charges
        self.paid_in = self.realised = self.spent = self.charges = ZERO

    def row(self, margin: Decimal, unrealised: Decimal) -> Row:
        """As margins state it.

        Args:
            margin: What positions need.
            unrealised: Their gain; only a loss counts against the account.
        """
        net = self.now + min(unrealised, ZERO) - margin
        available = {
            "adhoc_margin": 0,
            "cash": wire.rounded(self.cash),
            "opening_balance": wire.rounded(self.opening),
            "live_balance": wire.rounded(net),
            "collateral": 0,
            "intraday_payin": wire.rounded(self.paid_in),
        }
        utilised = {
            "debits": wire.rounded(self.cash - net),
            "exposure": 0,
            "m2m_realised": wire.rounded(self.realised),
            "m2m_unrealised": wire.rounded(unrealised),
            "span": wire.rounded(margin),
            **_NOTHING_USED,
        }
        return {"enabled": True, "net": wire.rounded(net), "available": available, "utilised": utilised}
