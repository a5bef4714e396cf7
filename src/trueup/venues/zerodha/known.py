"""What earlier answers have told about the account, so that later ones can be understood.

A fact never depends on it in part: where a lot's size is not known the row is refused, and read again later.
"""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

from trueup.model.differences import VenuePosition
from trueup.model.errors import BadInput
from trueup.model.events import InstrumentDefined
from trueup.model.identifiers import AccountId
from trueup.model.instruments import Instrument
from trueup.venues.zerodha import instruments
from trueup.venues.zerodha.instruments import Key, Terms

FindTerms = Callable[[tuple[str, str]], Terms | None]
"""Terms by exchange and tradingsymbol; None where there are none."""

USER = "user_id"
"""Under which name it is learnt whose account it is."""


class Known:
    """The account as far as it is known.

    Attributes:
        learnt: What answers said of the account itself, by name.
        terms: Rows of the instruments file that were read, by exchange and tradingsymbol.
        find_terms: Finds one of them; those of the day's file are found there.
        tags: Our ids of orders, by order id.
        positions: What is held apart from delivery; None until a positions answer was read.
        today: What today's trades changed of delivery, by symbol; None until then.
        overnight: What was held for delivery when the day began, with its average; None until holdings were read.
        cash: By segment; None until margins were read.
    """

    def __init__(self, account: AccountId, known: Iterable[Instrument], learnt: Mapping[str, str]) -> None:
        self.account = account
        self.learnt = dict(learnt)
        self.terms: dict[tuple[str, str], Terms] = {}
        self.find_terms: FindTerms = self.terms.get
        self.tags: dict[str, str] = {}
        self.positions: Mapping[str, VenuePosition] | None = None
        self.today: Mapping[str, Decimal] | None = None
        self.overnight: Mapping[str, tuple[Decimal, Decimal | None]] | None = None
        self.cash: Mapping[str, Decimal] | None = None
        self._instruments = {instrument.native_symbol: instrument for instrument in known}
        self._multipliers = {_contract(name): known.contract_size for name, known in self._instruments.items()}
        self._new: dict[str, Instrument] = {}

    def instrument(self, key: Key, multiplier: Decimal | None = None) -> Instrument:
        """The instrument of a key, defined where it is met for the first time.

        Raises:
            BadInput: Its lots are of unknown size, or of another one than known.
        """
        contract = _contract(key.native)
        on_record = self._multipliers.get(contract)
        if None not in (multiplier, on_record) and multiplier != on_record:
            raise BadInput(
                "multiplier",
                multiplier,
                f"{on_record} is on record for {contract}",
                remedy="Check which is right; a contract that changed is to be defined as a version (generic format).",
            )
        known = self._instruments.get(key.native)
        if known is None:
            terms = self.find_terms((key.exchange, key.tradingsymbol))
            known = instruments.define(key, multiplier or on_record, terms)
            self._instruments[key.native] = self._new[key.native] = known
            self._multipliers[contract] = known.contract_size
        return known

    def fork(self) -> "Known":
        """One that shares what is known of what is traded, also later on; of the account's state it knows nothing."""
        other = Known(self.account, (), self.learnt)
        other.learnt, other.terms, other.find_terms = self.learnt, self.terms, self.find_terms
        other.tags, other._instruments, other._multipliers = self.tags, self._instruments, self._multipliers
        return other

    def instruments(self) -> list[Instrument]:
        """All that were met."""
        return list(self._instruments.values())

    def of_symbol(self, symbol: str) -> Instrument | None:
        """The one of a symbol of ours; None where it was not met. Raises :class:`BadInput` for another venue's."""
        return self._instruments.get(Key.of_symbol(symbol).native)

    def delivery(self) -> list[Instrument]:
        """What is held as shares, as far as it was met."""
        return [instrument for instrument in self._instruments.values() if instrument.kind == "spot"]

    def definitions(self) -> list[InstrumentDefined]:
        """Of the instruments met since this was asked last."""
        new, self._new = self._new, {}
        return [InstrumentDefined(self.account, new[name]) for name in sorted(new)]

    def check_user(self, user: str) -> None:
        """Answers of two users must not be mixed in one ledger; raises :class:`BadInput` for a second one."""
        known = self.learnt.setdefault(USER, user) if user else ""
        if user != known:
            raise BadInput(
                USER,
                user,
                f"another user than {known}, whose answers were read into {self.account} before",
                remedy="Import each account under a name of its own (--account).",
            )


def _contract(native: str) -> str:
    """``EXCHANGE:TRADINGSYMBOL`` of a native symbol: in every product a lot is as large."""
    return native.rpartition(":")[0]
