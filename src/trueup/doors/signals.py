"""A signal as somebody gives it, made into the fact that is logged; and what tells it from every other one. Pure."""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from trueup.doors.exact import number
from trueup.doors.fields import canonical_json, renamed, time_of
from trueup.model.errors import BadInput
from trueup.model.identifiers import CONTROL
from trueup.model.numbers import canonical
from trueup.model.statements import SignalLogged

_TEXTS = ("instrument", "kind", "strategy", "direction", "source")
_FIELDS = frozenset({"fingerprint", "strength", "timestamp", "payload", *_TEXTS})
_NOT_CONTENT = frozenset({"fingerprint", "payload", "source"})


def signal_event(given: Mapping[str, Any], now: int) -> SignalLogged:
    """The fact that a signal came in.

    Args:
        given: Its fields, as of ``DatabaseStateManager.log_signal``.
        now: Our wall clock in nanoseconds.

    Raises:
        BadInput: A field that is not one, or a signal that has neither a fingerprint nor a time of its own.
    """
    fields = renamed(given, _FIELDS)
    content = {name: value for name, value in fields.items() if name not in _NOT_CONTENT and value is not None}
    payload = canonical_json(fields.get("payload", content), "payload")
    texts = {name: str(fields.get(name) or "") for name in _TEXTS}
    strength = None if fields.get("strength") is None else number(fields["strength"], "strength")
    made_at = None if fields.get("timestamp") is None else time_of(fields["timestamp"], "timestamp")
    told = (*texts.values(), "" if strength is None else canonical(strength), payload)
    return SignalLogged(
        CONTROL,
        str(fields.get("fingerprint") or _fingerprint(told, made_at)),
        received_at=now,
        made_at=made_at,
        strength=strength,
        payload=payload,
        **texts,
    )


def _fingerprint(told: tuple[str, ...], made_at: int | None) -> str:
    """A hash of what a signal says; without a time two signals that say the same could not be told apart."""
    if made_at is None:
        raise BadInput(
            "fingerprint",
            None,
            "a signal without a time of its own",
            remedy="Give its timestamp, or a fingerprint that tells it from the next one.",
        )
    return blake2b("\x1f".join((*told, str(made_at))).encode(), digest_size=16).hexdigest()
