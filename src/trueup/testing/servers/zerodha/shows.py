"""The answers that state something of the account."""

from trueup.model.numbers import ZERO
from trueup.ports import Clock
from trueup.testing.servers.zerodha import wire
from trueup.testing.servers.zerodha.books import SEGMENTS, Books
from trueup.testing.servers.zerodha.listings import DELIVERY
from trueup.testing.servers.zerodha.orders import Order
from trueup.testing.servers.zerodha.sessions import App
from trueup.testing.servers.zerodha.wire import INPUT, ORDER, Refusal, Row

_CONFLICT = 400


class Shows:
    """States an account."""

    def __init__(self, books: Books, clock: Clock, transit_ns: int) -> None:
        self._books = books
        self._transit_ns = transit_ns
        self._prices = books.prices
        self._clock = clock

    def profile(self) -> Row:
        """``GET /user/profile``."""
        user = self._books.user_id
        return {
            "user_id": user,
            "user_type": "individual",
            "email": f"{user.lower()}@example.com",
            "user_name": f"User {user}",
            "user_shortname": user,
            "broker": "ZERODHA",
            "exchanges": sorted({listing.exchange for listing in self._prices.listings}),
            "products": ["CNC", "NRML", "MIS", "BO", "CO"],
            "order_types": ["MARKET", "LIMIT", "SL", "SL-M"],
            "avatar_url": None,
            "meta": {"demat_consent": "physical"},
        }

    def session(self, app: App, access_token: str) -> Row:
        """``POST /session/token``."""
        keys = {"api_key": app.api_key, "access_token": access_token}
        unused = {"refresh_token": "", "silo": "", "avatar_url": ""}
        return {
            **self.profile(),
            **keys,
            "public_token": access_token[::-1],
            "enctoken": access_token[1:],
            **unused,
            "login_time": wire.stamp(self._clock.now()),
        }

    def margins(self) -> Row:
        """``GET /user/margins``."""
        return {segment: self.margin(segment) for segment in SEGMENTS}

    def margin(self, segment: str) -> Row:
        """``GET /user/margins/{segment}``. Raises :class:`Refusal`."""
        if segment not in SEGMENTS:
            raise wire.invalid("segment")
        margin = unrealised = ZERO
        for position in self._books.positions.values():
            listing, last = position.listing, self._prices.last(position.listing)
            if listing.segment == segment and position.product != DELIVERY:
                market = listing.markets[position.product]
                margin += market.initial_margin * abs(market.worth(position.quantity, last))
                unrealised += market.worth(position.quantity, last - position.price())
        return self._books.purses[segment].row(margin, unrealised)

    def positions(self) -> Row:
        """``GET /portfolio/positions``."""
        held = [(position, self._prices.last(position.listing)) for position in self._books.positions.values()]
        return {
            "net": [position.net(last) for position, last in held if position.traded or position.overnight.quantity],
            "day": [position.day(last) for position, last in held if position.traded],
        }

    def holdings(self) -> list[Row]:
        """``GET /portfolio/holdings``."""
        day = wire.there(self._clock.now())
        return [
            shares.row(self._books.change_today(key), self._prices.last(shares.listing), day)
            for key, shares in self._books.shares.items()
            if shares.opening
        ]

    def orders(self) -> list[Row]:
        """``GET /orders``."""
        return [self._states(order)[-1] for order in self._books.today()]

    def order(self, order_id: str) -> list[Row]:
        """``GET /orders/{id}``. Raises :class:`Refusal`."""
        order = self._books.find(order_id)
        if order is None:
            raise unknown_order()
        return self._states(order)

    def _states(self, order: Order) -> list[Row]:
        return order.history(self._clock.now(), self._transit_ns)

    def trades(self, order_id: str = "") -> list[Row]:
        """``GET /trades``, and ``GET /orders/{id}/trades``. Raises :class:`Refusal`."""
        if order_id and self._books.find(order_id) is None:
            raise unknown_order()
        return [row for row in self._books.trades if order_id in {"", row["order_id"]}]

    def quotes(self, keys: list[str], depth: str) -> Row:
        """``GET /quote`` and those below it; what is not known is left out."""
        if not keys:
            raise wire.missing("i")
        if len(keys) > _QUOTES_MAX:
            raise Refusal(INPUT, f"Only {_QUOTES_MAX} instruments can be asked for at once.")
        told = {"quote": self._prices.quote, "ohlc": self._prices.ohlc, "ltp": self._prices.ltp}[depth]
        return {listing.key: told(listing) for listing in self._prices.listings.keyed(keys)}


_QUOTES_MAX = 500


def unknown_order() -> Refusal:
    """The refusal of an id that none of today's orders has."""
    return Refusal(ORDER, "Couldn't find that `order_id`.", _CONFLICT)


def processed(what: str) -> Refusal:
    """The refusal of a change of an order that has ended."""
    return Refusal(ORDER, f"Order cannot be {what} as it is being processed. Try later.", _CONFLICT)
