"""The one door for facts: what is new is booked, what is there already is not, what contradicts is quarantined.

A door decides about one batch and writes nothing itself. Every offered fact ends as one of booked, already there,
quarantined, or covered (an opening cut for a time the book already knows).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum

import msgspec

from trueup.book.book import Book
from trueup.book.declared import confirmed_by, confirming
from trueup.engine.keys import identity
from trueup.model import events as e
from trueup.model.facts import fact_key, only_fills, terms
from trueup.model.identifiers import Seq
from trueup.model.instruments import Instrument
from trueup.reconcile.superseding import taken_back

EventAt = Callable[[Seq], e.Event]
"""The event at a seq, to compare the terms of what is offered again."""

Booked = Callable[[Iterable[str]], Mapping[str, Seq]]
"""Which of some identities are on record, and where."""


class Fate(StrEnum):
    """What became of an offered fact."""

    BOOKED = "booked"
    ALREADY = "already"
    QUARANTINED = "quarantined"
    QUARANTINED_BEFORE = "quarantined before"
    COVERED = "covered"


class Door:
    """Decides about one batch of facts.

    Args:
        book: Before any of them.
        event_at: For facts that are booked already.
        booked: For offers that were put aside before.

    Attributes:
        events: To write, in order.
        keys: Identities they book, each with the index of its event.
        fates: Of the facts, in the order offered.
    """

    def __init__(self, book: Book, event_at: EventAt, booked: Booked) -> None:
        self.events: list[e.Event] = []
        self.keys: dict[str, int] = {}
        self.fates: list[Fate] = []
        self._book = book
        self._event_at = event_at
        self._booked = booked
        self._opened: dict[str, int] = {}

    def admit(
        self, facts: Sequence[e.Fact], keys: Sequence[str], booked: Mapping[str, Seq], twins: Mapping[str, str]
    ) -> None:
        """Decide about facts other than definitions.

        Args:
            facts: As offered.
            keys: Their identities.
            booked: Where those are booked that are.
            twins: By identity, what may be the same trade under another one (:func:`trueup.engine.twins.twins`).
        """
        refusals = self._book.refusals(facts)
        book = self._book
        late = book.breaks.reached_by(facts)
        if not (booked or twins or refusals or book.declarations or late) and only_fills(facts):
            places = {key: place for place, key in enumerate(keys)}
            if len(places) == len(keys):  # new fills, all different: there is nothing to decide
                self.events, self.keys, self.fates = list(facts), places, [Fate.BOOKED] * len(facts)
                return
        for place, (fact, key) in enumerate(zip(facts, keys, strict=True)):
            if key in booked:
                self._again(fact, key, self._event_at(booked[key]), booked[key])
            elif key in self.keys:
                before = self.keys[key]
                self._again(fact, key, self.events[before], Seq(self._book.seq + 1 + before))
            elif key in twins:
                self.put_aside(fact, key, f"{twins[key]} {_ONE_OR_TWO}")
            elif place in refusals:
                self.put_aside(fact, key, str(refusals[place]))
            elif type(fact) in _CUTS and _covered(fact, self._book):
                self.fates.append(Fate.COVERED)
            else:
                self.keys[key] = len(self.events)
                self.fates.append(Fate.BOOKED)
                written = _with_matches(fact, self._book)
                self.events.extend(written)
                self._take_back(fact, written[1:])

    def define(self, definition: e.InstrumentDefined) -> None:
        """Decide about an instrument definition.

        The same terms again, or fewer details of them, are already there; the same economic terms with finer details (a
        tick size learnt later) become the next version; other economic terms under a version in use are a conflict.
        """
        offered = definition.instrument
        versions = self._book.instruments.get(offered.symbol, {})
        same = versions.get(offered.version)
        key = fact_key(definition) or ""
        if refusals := self._book.refusals([definition]):
            self.put_aside(definition, key, str(refusals[0]))
        elif same is None:
            self._define(definition)
        elif terms(e.InstrumentDefined(definition.account, same)) != terms(definition):
            self.put_aside(definition, key, f"version {offered.version} of {offered.symbol} is booked with other terms")
        elif any(_tells_no_more(offered, version) for version in versions.values()):
            self.fates.append(Fate.ALREADY)
        else:
            finer = msgspec.structs.replace(offered, version=max(versions) + 1)
            self._define(e.InstrumentDefined(definition.account, finer))

    def put_aside(self, fact: e.Event, key: str, reason: str, seq: Seq | None = None) -> None:
        """Quarantine a fact, once however often it is offered."""
        event = e.Quarantined(fact.account, _writable(key), reason, _as_offered(fact), seq)
        remembered = identity(event) or ""
        if remembered in self.keys or self._booked((remembered,)):
            self.fates.append(Fate.QUARANTINED_BEFORE)
            return
        self.keys[remembered] = len(self.events)
        self.events.append(event)
        self.fates.append(Fate.QUARANTINED)

    def _take_back(self, fact: e.Fact, decisions: Sequence[e.Event]) -> None:
        """What the fact brings of an adjustment that stood for it: once all its facts are there, nothing is left."""
        adjustments = self._book.breaks.adjustments
        if adjustments and (decisions or self._book.breaks.reached_by((fact,))):
            symbols = {getattr(one, "instrument", "") for one in (fact, *adjustments.values())}
            known = {symbol: found for symbol in symbols if (found := self._book.terms(symbol)) is not None}
            replaced = list(_replaced(fact, decisions, self._book))
            for entry in taken_back(adjustments.values(), fact, known, replaced=replaced, counts=self._counts):
                self.keys[fact_key(entry) or ""] = len(self.events)
                self.events.append(entry)

    def _counts(self, subject: str, time: int) -> bool:
        """Whether a balance or a position counts what happened then; what is before an opening cut is in that."""
        wallet = self._book.wallets.get(subject)
        if wallet is not None:
            return time >= wallet.cut
        symbol, _, side = subject.rpartition(" ")
        track = self._book.tracks.get((symbol, side))
        if track is not None and subject not in self._opened:  # all of the log is read, once for many facts
            facts = self._book.facts_of([track])[track]
            times = [one.venue_time for one in facts if isinstance(one, e.OpeningPosition)]
            self._opened[subject] = max(times, default=0)
        return time >= self._opened.get(subject, 0)

    def _again(self, fact: e.Fact, key: str, known: e.Event, seq: Seq) -> None:
        if type(known) is type(fact) and terms(known) == terms(fact):
            self.fates.append(Fate.ALREADY)
        else:
            self.put_aside(fact, key, f"{key} is booked with other terms", seq)

    def _define(self, definition: e.InstrumentDefined) -> None:
        self.events.append(definition)
        self.fates.append(Fate.BOOKED)


def _as_offered(fact: e.Event) -> bytes:
    """The fact as bytes; as text where it holds what cannot be written."""
    try:
        return msgspec.msgpack.encode(fact)
    except (OverflowError, UnicodeEncodeError):
        return _writable(repr(fact)).encode()


def _writable(text: str) -> str:
    """A text in which halves of surrogate pairs, which have no UTF-8, are spelt out."""
    return text.encode(errors="backslashreplace").decode()


_ONE_OR_TWO = "has the same terms, and one came without the venue's id: one or two?"

_CUTS = (e.OpeningPosition, e.OpeningBalance)


def _with_matches(fact: e.Fact, book: Book) -> Sequence[e.Event]:
    """A fact with the decisions that it, or the fills before it, confirm a declared trade."""
    if type(fact) is e.TradeDeclared:
        return [fact, *confirming(fact, book)]
    if type(fact) is not e.FillBooked:
        return [fact]
    pairs = confirmed_by(fact, book)
    if pairs and fact.strategy != pairs[0][0].strategy:
        fact = msgspec.structs.replace(fact, strategy=pairs[0][0].strategy)
    return [fact, *(decision for _, decision in pairs)]


def _replaced(fact: e.Fact, decisions: Iterable[e.Event], book: Book) -> Iterator[e.TradeDeclared]:
    """The declared trades that give way with a fact, each in the quantity that does."""
    for decision in decisions:
        if isinstance(decision, e.DeclarationMatched):
            declared = fact if isinstance(fact, e.TradeDeclared) else book.declarations[decision.declaration_id]
            yield msgspec.structs.replace(declared, quantity=decision.quantity)


def _tells_no_more(offered: Instrument, known: Instrument) -> bool:
    """Whether every detail offered is known; one that is left out is no news."""
    details = (field for field in offered.__struct_fields__ if field != "version")
    return all(getattr(offered, field) in {None, getattr(known, field)} for field in details)


def _covered(fact: e.Fact, book: Book) -> bool:
    """Whether an opening cut speaks of a time before which the book already knows something of the kind."""
    if type(fact) is e.OpeningPosition:
        track = book.tracks.get((fact.instrument, fact.position_side))
        return track is not None and track.since is not None and track.since < fact.venue_time
    if type(fact) is e.OpeningBalance:
        since = book.balance_since(fact.currency)
        wallet = book.wallets.get(fact.currency)
        cut = wallet.cut if wallet is not None else 0
        return 0 < cut <= fact.venue_time or (not cut and since is not None and since < fact.venue_time)
    return False
