"""The terms of what is saved by name: those that are booked, or a plain contract's where nobody has defined any."""

from decimal import Decimal

from trueup.book.book import Book
from trueup.doors.exact import number
from trueup.doors.shelf import Shelf
from trueup.model.events import InstrumentDefined
from trueup.model.identifiers import AccountId
from trueup.model.instruments import Instrument
from trueup.model.numbers import ONE


def known_terms(book: Book, symbol: str) -> Instrument | None:
    """The newest terms under our symbol or the venue's; None where there are none."""
    terms = book.terms(symbol)
    if terms is not None:
        return terms
    native = [book.terms(name) for name in sorted(book.instruments)]
    return next((found for found in native if found is not None and found.native_symbol == symbol), None)


def terms_in(shelf: Shelf, account: AccountId, symbol: str, currency: str, contract_size: object = None) -> Instrument:
    """The terms of an instrument in a ledger; a plain contract's are defined where nobody has defined any.

    Raises:
        StoreAway: The store is away.
        BadInput: A contract size that cannot be.
    """
    found = shelf.ledger(account).read(lambda book: known_terms(book, symbol))
    if found is not None:
        return found
    terms = plain_terms(symbol, currency, contract_size)
    shelf.book(account, [InstrumentDefined(account, terms)])
    return terms


def plain_terms(symbol: str, currency: str, contract_size: object = None) -> Instrument:
    """A linear contract: worth quantity times price times ``contract_size``, paid in the currency of its price.

    Args:
        symbol: ``BTC``, or ``BTC/USDC:USDC`` where it says the currencies itself.
        currency: Of its price, where the symbol does not say.
        contract_size: 1 where it is left out.
    """
    base, slash, rest = symbol.partition("/")
    quote, _, settle = rest.partition(":")
    size: Decimal = ONE if contract_size is None else number(contract_size, "contract_size")
    paid = quote if slash else currency
    return Instrument(symbol, symbol, "linear", base, paid, settle or paid, size)
