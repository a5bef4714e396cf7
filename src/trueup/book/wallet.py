"""Cash: one currency of an account, split by where it came from.

Facts before the opening cut of a currency are already inside its opening amount, so they do not count again.
"""

from decimal import Decimal

from trueup.model.identifiers import AccountId, Seq
from trueup.model.numbers import ZERO
from trueup.model.positions import Balance

NEVER = 2**63 - 1
"""After every venue time."""


class Wallet:
    """One currency's balance as the sum of its sources.

    Attributes:
        cut: Venue time of the opening cut; facts before it are inside ``opening``.
        since: Venue time of the earliest fact booked here directly; :data:`NEVER` when there is none. What positions
            realised is not among them, see :meth:`trueup.book.book.Book.balance_since`.
        unknown: Closes of unknown P&L, which leave the total unknown.
    """

    __slots__ = (
        "adjustments", "cut", "fees", "funding", "opening", "realized", "since", "traded", "transfers", "unknown",
    )  # fmt: skip

    def __init__(self) -> None:
        self.cut = 0
        self.since = NEVER
        self.opening = ZERO
        self.traded = ZERO
        self.realized = ZERO
        self.fees = ZERO
        self.funding = ZERO
        self.adjustments = ZERO
        self.transfers: dict[str, Decimal] = {}
        self.unknown = 0

    def open_at(self, cut: int, amount: Decimal) -> None:
        """An opening cut: at ``cut`` there was ``amount``, whatever came before."""
        self.cut, self.opening = cut, amount

    def transfer(self, reason: str, amount: Decimal) -> None:
        """Money that moved without a trade."""
        self.transfers[reason] = self.transfers.get(reason, ZERO) + amount

    def frozen(self, account: AccountId, currency: str, seq: Seq) -> Balance:
        """A copy for readers."""
        return Balance(
            account=account,
            currency=currency,
            traded=self.traded,
            realized=self.realized,
            fees=self.fees,
            funding=self.funding,
            transfers=self.transfers.copy(),
            adjustments=self.adjustments,
            opening=self.opening,
            realized_unknown=self.unknown,
            seq=seq,
        )
