"""What an account may ask of the paper exchange, what it answers, and the one function that answers.

Plain structs, so that a call means the same whether it is made in process or over a socket.
"""

from typing import ClassVar

import msgspec

from trueup.model.differences import VenueSnapshot
from trueup.model.events import Fact, OrderReported
from trueup.model.identifiers import AccountId
from trueup.model.instruments import Instrument
from trueup.model.orders import Amendment, OrderRequest
from trueup.model.venues import Mark
from trueup.venues.paper.exchange import PaperExchange


def answer(exchange: PaperExchange, call: "AnyCall") -> "Answer":
    """What the exchange says to a call. Raises the :class:`VenueError` that it refuses with."""
    account = call.account
    match call:
        case ListInstruments():
            return Listed(list(exchange.instruments(account)))
        case ReadMarks(instruments=instruments):
            return Marked(list(exchange.marks(account, instruments)))
        case TakeSnapshot():
            return Snapped(exchange.snapshot(account))
        case ReadHistory(cursor=cursor):
            facts, following = exchange.history(account, cursor)
            return Page(list(facts), following)
        case _:
            return Found(_order(exchange, call))


def _order(exchange: PaperExchange, call: "AnyOrderCall") -> OrderReported | None:
    account = call.account
    match call:
        case PlaceOrder(request=request):
            return exchange.place(account, request)
        case CancelOrder(venue_order_id=venue_order_id):
            return exchange.cancel(account, venue_order_id)
        case AmendOrder(venue_order_id=venue_order_id, amendment=amendment):
            return exchange.amend(account, venue_order_id, amendment)
        case ClosePosition():
            return exchange.close(account, call.instrument, call.position_side, call.client_order_id)
        case FindOrder(client_order_id=client_order_id):
            return exchange.find(account, client_order_id)


class Call(msgspec.Struct, frozen=True, tag=True):
    """A request of one account.

    Attributes:
        writes: Whether it may change anything at the exchange.
    """

    writes: ClassVar[bool] = False

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

    writes = True

    request: OrderRequest


class CancelOrder(Call, frozen=True):
    """Answered by :class:`Found`."""

    writes = True

    venue_order_id: str


class AmendOrder(Call, frozen=True):
    """Answered by :class:`Found`."""

    writes = True

    venue_order_id: str
    amendment: Amendment


class ClosePosition(Call, frozen=True):
    """Answered by :class:`Found`."""

    writes = True

    instrument: str
    position_side: str
    client_order_id: str


class ReadMarks(Call, frozen=True):
    """Answered by :class:`Marked`."""

    instruments: list[str]


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


class Marked(Answer, frozen=True):
    """Mark prices."""

    marks: list[Mark]


AnyOrderCall = PlaceOrder | CancelOrder | AmendOrder | ClosePosition | FindOrder
AnyCall = ListInstruments | ReadMarks | TakeSnapshot | ReadHistory | AnyOrderCall
