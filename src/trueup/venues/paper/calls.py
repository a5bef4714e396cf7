"""What an account may ask of the paper exchange, what it answers, and the one function that answers.

Plain structs, so that a call means the same whether it is made in process or over a socket.
"""

import msgspec

from trueup.model.differences import VenueSnapshot
from trueup.model.events import Fact, OrderReported
from trueup.model.identifiers import AccountId
from trueup.model.instruments import Instrument
from trueup.model.orders import OrderRequest
from trueup.venues.paper.exchange import PaperExchange


def answer(exchange: PaperExchange, call: "AnyCall") -> "Answer":
    """What the exchange says to a call. Raises the :class:`VenueError` that it refuses with."""
    account = call.account
    match call:
        case ListInstruments():
            return Listed(list(exchange.instruments(account)))
        case TakeSnapshot():
            return Snapped(exchange.snapshot(account))
        case ReadHistory(cursor=cursor):
            facts, following = exchange.history(account, cursor)
            return Page(list(facts), following)
        case PlaceOrder(request=request):
            return Found(exchange.place(account, request))
        case CancelOrder(venue_order_id=venue_order_id):
            return Found(exchange.cancel(account, venue_order_id))
        case FindOrder(client_order_id=client_order_id):
            return Found(exchange.find(account, client_order_id))


class Call(msgspec.Struct, frozen=True, tag=True):
    """A request of one account."""

    account: AccountId


class ListInstruments(Call, frozen=True):
    """Answered by :class:`Listed`."""


class TakeSnapshot(Call, frozen=True):
    """Answered by :class:`Snapped`."""


class ReadHistory(Call, frozen=True):
    """Answered by :class:`Page`."""

    cursor: str | None


class PlaceOrder(Call, frozen=True):
    """Answered by :class:`Found`."""

    request: OrderRequest


class CancelOrder(Call, frozen=True):
    """Answered by :class:`Found`."""

    venue_order_id: str


class FindOrder(Call, frozen=True):
    """Answered by :class:`Found`."""

    client_order_id: str


class Answer(msgspec.Struct, frozen=True, tag=True):
    """What the exchange says."""


class Listed(Answer, frozen=True):
    """Contract terms."""

    instruments: list[Instrument]


class Snapped(Answer, frozen=True):
    """The account's state."""

    snapshot: VenueSnapshot


class Page(Answer, frozen=True):
    """A page of history."""

    facts: list[Fact]
    cursor: str


class Found(Answer, frozen=True):
    """An order, or that there is none."""

    order: OrderReported | None


AnyCall = ListInstruments | TakeSnapshot | ReadHistory | PlaceOrder | CancelOrder | FindOrder
