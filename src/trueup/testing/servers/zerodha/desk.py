"""What becomes of an order, a change, a cancel, a conversion."""

from collections.abc import Mapping, Sequence

from trueup.model.errors import Rejected
from trueup.model.numbers import ONE, ZERO
from trueup.ports import Clock
from trueup.testing.servers.zerodha import wire
from trueup.testing.servers.zerodha.books import Books
from trueup.testing.servers.zerodha.hours import Hours
from trueup.testing.servers.zerodha.orders import Order
from trueup.testing.servers.zerodha.shows import processed, unknown_order
from trueup.testing.servers.zerodha.tickets import Tickets
from trueup.testing.servers.zerodha.wire import INPUT, Refusal, Row

Form = Mapping[str, str]

REGULAR = "regular"
"""The variety of orders that is served."""

_VARIETIES = frozenset({REGULAR, "amo", "co", "iceberg", "auction"})


class Desk:
    """Does what clients ask for. All methods raise :class:`Refusal`."""

    def __init__(self, books: Books, clock: Clock, hours: Hours) -> None:
        self._books = books
        self._clock = clock
        self._hours = hours
        self._tickets = Tickets(books.prices)

    def place(self, variety: str, form: Form) -> Row:
        """``POST /orders/{variety}``: an order that is taken may be rejected all the same, and its state says so."""
        _check_served(variety)
        ticket = self._tickets.read(form)
        if not self._hours(ticket.listing.exchange, self._clock.now()):
            raise Refusal(INPUT, "The market is closed. Place an after market order (AMO) instead.")
        return {"order_id": self._books.place(ticket.request, ticket.ask)}

    def modify(self, variety: str, order_id: str, form: Form) -> Row:
        """``PUT /orders/{variety}/{id}``: that it was taken does not say that it was done."""
        order = self._order(variety, order_id, "modified")
        self._books.modify(order, *self._tickets.change(form, order))
        return {"order_id": order_id}

    def cancel(self, variety: str, order_id: str) -> Row:
        """``DELETE /orders/{variety}/{id}``."""
        self._books.cancel(self._order(variety, order_id, "cancelled"))
        return {"order_id": order_id}

    def convert(self, form: Form) -> bool:
        """``PUT /portfolio/positions``: hold a position, or a part of it, in another product."""
        listing = self._tickets.listing(form)
        for field in ("old_product", "new_product"):
            if form.get(field) not in listing.markets:
                raise wire.invalid(field)
        source = self._books.position(listing, form["old_product"])
        target = self._books.position(listing, form["new_product"])
        overnight = _one_of(form, "position_type", ("day", "overnight")) == "overnight"
        sign = ONE if _one_of(form, "transaction_type", ("BUY", "SELL")) == "BUY" else -ONE
        quantity = wire.decimal(form, "quantity") or ZERO
        held = source.overnight.quantity if overnight else source.today
        if not ZERO < quantity <= held * sign or source is target:
            raise Refusal(INPUT, "Invalid quantity. There is not so much to convert.")
        try:
            self._books.convert(source, target, sign * quantity, overnight=overnight)
        except Rejected:
            raise Refusal(INPUT, "Insufficient funds. The position was not converted.") from None
        return True

    def _order(self, variety: str, order_id: str, what: str) -> Order:
        """One of the day's orders that may still trade."""
        _check_served(variety)
        order = self._books.find(order_id)
        if order is None:
            raise unknown_order()
        if not order.pending:
            raise processed(what)
        return order


def _check_served(variety: str) -> None:
    if variety not in _VARIETIES:
        raise wire.invalid("variety")
    if variety != REGULAR:
        raise Refusal(INPUT, f"Orders of the variety {variety} are not served in this rehearsal.")


def _one_of(form: Form, field: str, known: Sequence[str]) -> str:
    word = form.get(field, "")
    if word not in known:
        raise wire.invalid(field)
    return word
