"""Open orders from the venue's reports, in any arrival order.

The newest report by venue order wins, except that an ended order never opens again. Ends are remembered for at
least the newest :data:`ENDED_MAX` orders, so that a report which comes late does not revive one of them.
"""

from trueup.model.events import OrderReported
from trueup.model.facts import OrderKey, order_key
from trueup.model.positions import OpenOrder

ENDED = frozenset({"filled", "canceled", "rejected", "expired"})
ENDED_MAX = 10_000


class Orders:
    """The orders of one account that may still trade.

    Attributes:
        open: The newest report of each, by venue order id.
        ended: Venue order ids that ended, with where their last report stands.
        touched: Ids whose state changed since the views were last told.
    """

    def __init__(self) -> None:
        self.open: dict[str, OrderReported] = {}
        self.ended: dict[str, OrderKey] = {}
        self.touched: set[str] = set()

    def report(self, report: OrderReported) -> None:
        """Fold one report."""
        order = report.venue_order_id
        if report.status in ENDED:
            self.ended[order] = max(order_key(report), self.ended.get(order, (0, 0, "")))
            self.open.pop(order, None)
            self._forget_oldest()
        elif order not in self.ended:
            known = self.open.get(order)
            if known is None or order_key(known) < order_key(report):
                self.open[order] = report
        self.touched.add(order)

    def _forget_oldest(self) -> None:
        if len(self.ended) > 2 * ENDED_MAX:
            newest = sorted(self.ended.items(), key=lambda item: item[1])[-ENDED_MAX:]
            self.ended = dict(newest)

    def frozen(self, order: str) -> OpenOrder:
        """A copy for readers."""
        return as_open(self.open[order])


def as_open(report: OrderReported) -> OpenOrder:
    """An order that may still trade, as its report leaves it."""
    return OpenOrder(
        account=report.account,
        instrument=report.instrument,
        position_side=report.position_side,
        side=report.side,
        quantity=report.quantity,
        filled=report.filled,
        status=report.status,
        venue_order_id=report.venue_order_id,
        client_order_id=report.client_order_id,
        price=report.price,
        trigger_price=report.trigger_price,
        order_type=report.order_type,
        reduce_only=report.reduce_only,
        updated_at=report.venue_time,
    )
