"""The state that programs state: the portfolio's, pyramids, details of positions, and the signals that still wait.

A pure fold: the newest statement of each key holds, and a signal waits until something became of it. Refusals stand
here as well, told before anything changes. A signal that is done leaves memory; the journal and the views keep it.
"""

import re
from collections.abc import Mapping, Sequence
from typing import get_args

import msgspec

from trueup.model.body import Body
from trueup.model.errors import BadInput, StaleVersion
from trueup.model.events import AllocationChecked, Quarantined, SourceRead
from trueup.model.identifiers import CONTROL, AccountId, Seq
from trueup.model.statements import (
    SIGNAL_ENDS,
    SIGNAL_KINDS,
    PortfolioStateSaved,
    PositionDetailsSaved,
    PyramidingStateSaved,
    SignalLogged,
    SignalProcessed,
    Statement,
)

STATEMENTS: frozenset[type] = frozenset(get_args(Statement))

_NUL = re.compile(r"(?<!\\)(\\\\)*\\u0000")
"""A NUL within a JSON text, and not the six characters that look like one behind an escaped backslash."""


class ControlRows(msgspec.Struct, frozen=True):
    """What the views are to be told, each with the seq at which it became true; a signal with what became of it."""

    portfolio: Sequence[tuple[Seq, PortfolioStateSaved]] = ()
    pyramids: Sequence[tuple[Seq, PyramidingStateSaved]] = ()
    details: Sequence[tuple[Seq, PositionDetailsSaved]] = ()
    signals: Sequence[tuple[Seq, SignalLogged, SignalProcessed | None]] = ()


class Control:
    """What programs stated in one ledger.

    Attributes:
        portfolio: None until it was stated.
        pyramids: By instrument.
        details: By position id.
        waiting: Signals of which nothing has become yet, by fingerprint.
    """

    def __init__(self) -> None:
        self.portfolio: PortfolioStateSaved | None = None
        self.pyramids: dict[str, PyramidingStateSaved] = {}
        self.details: dict[str, PositionDetailsSaved] = {}
        self.waiting: dict[str, SignalLogged] = {}
        self._untold: dict[tuple[type, str], Seq] = {}
        self._ended: dict[str, tuple[SignalLogged, SignalProcessed]] = {}

    def fold(self, event: Statement, seq: Seq) -> None:
        """Fold one statement."""
        match event:
            case PortfolioStateSaved():
                self.portfolio = event
                self._untold[PortfolioStateSaved, ""] = seq
            case PyramidingStateSaved():
                self.pyramids[event.instrument] = event
                self._untold[PyramidingStateSaved, event.instrument] = seq
            case PositionDetailsSaved():
                self.details[event.position_id] = event
                self._untold[PositionDetailsSaved, event.position_id] = seq
            case SignalLogged():
                self.waiting[event.fingerprint] = event
                self._untold[SignalLogged, event.fingerprint] = seq
            case _:
                self._end(event, seq)

    def _end(self, end: SignalProcessed, seq: Seq) -> None:
        signal = self.waiting.pop(end.fingerprint, None)
        if signal is not None:  # a past by venue time may begin after the signal was made
            self._ended[end.fingerprint] = signal, end
            self._untold[SignalLogged, end.fingerprint] = seq

    def version(self, kind: type, key: str = "") -> int:
        """The version of the newest statement of a kind and key; 0 when there is none."""
        known: Mapping[str, PyramidingStateSaved | PositionDetailsSaved]
        if kind is PortfolioStateSaved:
            return 0 if self.portfolio is None else self.portfolio.version
        known = self.pyramids if kind is PyramidingStateSaved else self.details
        return known[key].version if key in known else 0

    def take_rows(self) -> ControlRows:
        """What changed since the last call."""
        if not self._untold:
            return _NOTHING
        untold, self._untold = sorted(self._untold.items(), key=lambda item: item[1]), {}
        ended, self._ended = self._ended, {}
        return ControlRows(
            portfolio=[(seq, self.portfolio) for _, seq in _of(PortfolioStateSaved, untold) if self.portfolio],
            pyramids=[(seq, self.pyramids[key]) for key, seq in _of(PyramidingStateSaved, untold)],
            details=[(seq, self.details[key]) for key, seq in _of(PositionDetailsSaved, untold)],
            signals=[
                (seq, *(ended[key] if key in ended else (self.waiting[key], None)))
                for key, seq in _of(SignalLogged, untold)
            ],
        )


def refuse(event: Body, account: AccountId, control: Control) -> None:
    """Refuse a statement, or anything offered to the ledger of what spans accounts, that may not stand there.

    Raises:
        BadInput: A statement without its key, of an unknown kind, or in a ledger that it does not belong to.
        StaleVersion: Not one more than the newest version.
    """
    match event:
        case PortfolioStateSaved():
            _require_control(account)
            _require_next(event.version, control.version(PortfolioStateSaved), "The portfolio state")
        case PyramidingStateSaved():
            _require_text(instrument=event.instrument)
            known = control.version(PyramidingStateSaved, event.instrument)
            _require_next(event.version, known, f"The pyramiding state of {event.instrument}")
        case PositionDetailsSaved():
            _require_text(position_id=event.position_id)
            known = control.version(PositionDetailsSaved, event.position_id)
            _require_next(event.version, known, f"Position {event.position_id}")
        case SignalLogged():
            _require_control(account)
            _require_text(fingerprint=event.fingerprint)
            _require_one_of("kind", event.kind, SIGNAL_KINDS)
            _require_json("payload", event.payload)
        case SignalProcessed():
            _require_control(account)
            _require_one_of("status", event.status, SIGNAL_ENDS)
            _require_json("details", event.details)
            _require_waiting(event.fingerprint, control)
        case AllocationChecked():
            _require_control(account)
        case Quarantined() | SourceRead():
            return
        case _:
            problem = f"the ledger {CONTROL!r} spans accounts and holds no positions"
            raise BadInput("account", account, problem, remedy="Name an account.")


def _require_control(account: AccountId) -> None:
    if account != CONTROL:
        raise BadInput("account", account, "it spans accounts", remedy=f"Save it in the ledger {CONTROL!r}.")


def _require_next(version: int, known: int, what: str) -> None:
    if version != known + 1:
        raise StaleVersion(what, version - 1, known)


def _require_text(**fields: str) -> None:
    for field, text in fields.items():
        if not text or not text.isprintable():
            raise BadInput(field, text, "not a name", remedy="Give one, without control characters.")


def _require_one_of(field: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise BadInput(field, value, "not one of those there are", remedy=f"Use one of {', '.join(known)}.")


def _require_json(field: str, text: str) -> None:
    problem = ""
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        problem = f"not JSON: {error}"
    if _NUL.search(text):  # PostgreSQL keeps no such text
        problem = "a NUL character in a text"
    if problem:
        raise BadInput(field, text[:80], problem, remedy="Give the text of one JSON value.")


def _require_waiting(fingerprint: str, control: Control) -> None:
    if fingerprint not in control.waiting:
        raise BadInput(
            "fingerprint",
            fingerprint,
            "no such signal waits: it was never logged, or something became of it already",
            remedy="Log the signal before it is acted upon; look it up in the table signal_log.",
        )


def _of(kind: type, untold: Sequence[tuple[tuple[type, str], Seq]]) -> Sequence[tuple[str, Seq]]:
    return [(key, seq) for (of, key), seq in untold if of is kind]


_NOTHING = ControlRows()
