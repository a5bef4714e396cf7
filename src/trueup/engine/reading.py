"""Reading several saved answers as one story, whatever order they are named in.

Answers explain one another: instruments and the account's own state say what later rows mean. They are read as named
first; when that turns out not to be the order in which they build on one another, again, in that order.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from trueup.book.book import Book
from trueup.model.errors import BadInput, Malformed, TrueupError
from trueup.model.events import Fact, InstrumentDefined
from trueup.model.facts import order_key
from trueup.model.instruments import Instrument
from trueup.model.positions import OpenOrder
from trueup.ports import Reader, Reading
from trueup.venues.files import Answer, open_answers

READINGS_MAX = 4
"""The first shows the order, the second keeps to it; more are needed where refused answers build on one another."""

Progress = Callable[[int, int], None]
"""Told how much is done, and how much there is."""


class Hints(msgspec.Struct, frozen=True):
    """What is known of an account before its answers are read; each venue's reader takes what it has use for.

    Attributes:
        home_currency: As a person gave it, or else the only one the account has.
        address: The account's own at the venue, as a person gave it.
        traded: Instruments that its book has or had positions in.
        hedging: Whether its positions show that it holds long and short side by side; that they do not proves nothing.
        learnt: What answers read earlier said of it (:attr:`trueup.ports.Reading.learnt`).
    """

    instruments: Sequence[Instrument] = ()
    open_orders: Sequence[OpenOrder] = ()
    home_currency: str = ""
    address: str = ""
    hedging: bool = False
    traded: Sequence[str] = ()
    learnt: Mapping[str, str] = {}


def hints_of(book: Book, *, home_currency: str = "", address: str = "") -> Hints:
    """What a book knows of its account, with what a person adds.

    Raises:
        BadInput: The person says otherwise than the venue's answers did.
    """
    _check_agreed("home_currency", home_currency, book)
    _check_agreed("address", address.lower(), book)
    return Hints(
        [terms for versions in book.instruments.values() for terms in versions.values()],
        list(book.open_orders().values()),
        home_currency or _only_currency(book),
        address,
        hedging=any(side != "net" for _, side in book.tracks),
        traded=sorted({instrument for instrument, _ in book.tracks}),
        learnt=dict(book.learnt),
    )


def _check_agreed(name: str, given: str, book: Book) -> None:
    known = book.learnt.get(name, given)
    if given and given != known:
        raise BadInput(
            name,
            given,
            f"answers imported into {book.account} earlier say {known}",
            remedy="Leave the option out, or import this account under a name of its own (--account).",
        )


def _only_currency(book: Book) -> str:
    """The currency of an account that has only one; empty when there are several, or none yet."""
    used = [name for name, balance in book.balances().items() if balance.known or balance.realized_unknown]
    return used[0] if len(used) == 1 else ""


class Source(msgspec.Struct, frozen=True):
    """An answer, and what it says or why it says nothing.

    Attributes:
        reading: Empty when the answer was refused as a whole.
        error: Why it was; None when it was read.
    """

    answer: Answer
    reading: Reading
    error: TrueupError | None = None


def silent(_done: int, _total: int) -> None:
    """Nobody watches."""


def open_files(paths: Sequence[Path]) -> tuple[Sequence[Answer], Sequence[Source]]:
    """The answers that files hold, and the files that could not be opened, each with the reason."""
    answers: list[Answer] = []
    unusable: list[Source] = []
    for path in paths:
        try:
            answers.extend(_named(answer) for answer in open_answers(path))
        except (BadInput, Malformed) as error:
            unusable.append(_refused(_named(Answer(path.name, b"", "")), error))
    return answers, unusable


def read_answers(
    make_reader: Callable[[], Reader], answers: Sequence[Answer], progress: Progress = silent
) -> Sequence[Source]:
    """Read answers so that each finds what it builds on: definitions, then states, then facts as time went by.

    Args:
        make_reader: A fresh reader, since one remembers what it has read.
        answers: In any order.
        progress: Called after each answer.
    """
    sources = _read(make_reader(), answers, progress)
    for _ in range(READINGS_MAX - 1):
        ordered = sorted(sources, key=_rank)
        if ordered == sources:
            break
        sources = _read(make_reader(), [source.answer for source in ordered], progress)
    return sources


def _named(answer: Answer) -> Answer:
    """The answer under a name that can be written down: file systems allow bytes that are no text."""
    return msgspec.structs.replace(answer, name=answer.name.encode(errors="backslashreplace").decode())


def _read(reader: Reader, answers: Sequence[Answer], progress: Progress) -> list[Source]:
    sources = []
    for number, answer in enumerate(answers, start=1):
        try:
            sources.append(Source(answer, reader.read(answer.name, answer.data, answer.request)))
        except Malformed as error:
            sources.append(_refused(answer, error))
        progress(number, len(answers))
    return sources


def _refused(answer: Answer, error: TrueupError) -> Source:
    return Source(answer, Reading("refused"), error)


def _rank(source: Source) -> tuple[int, int]:
    """Where an answer belongs; those that were refused come last, for they may have lacked any of the others.

    What has neither facts nor a state is there for what it explains, so it comes first, as definitions do.
    """
    if source.error is not None:
        return 3, 0
    if source.reading.snapshot is not None:
        return 1, 0
    told = [fact for fact in source.reading.facts if not isinstance(fact, InstrumentDefined)]
    return (2, min(map(_time, told))) if told else (0, 0)


def _time(fact: Fact) -> int:
    return order_key(fact)[0]
