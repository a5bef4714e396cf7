"""The policies of correcting that the settings ask for, by account."""

from trueup.model.venues import Stage
from trueup.reconcile.policy import Mode, Policies, Policy
from trueup.settings.shape import AccountSettings, Corrections
from trueup.settings.values import MODES

_MODES = dict(zip(MODES, Mode, strict=True))

EVERYTHING = "*"
"""In place of all instruments, where some can be named."""


def policies(corrections: Corrections, account: AccountSettings) -> Policies:
    """What may be corrected in one account. An account that only observes is never adjusted, whatever else is said."""
    name = account.account
    by_account_and_kind = {}
    for said, mode in corrections.modes.items():
        whose, _, kind = said.partition(" ") if ":" in said else ("", "", said)
        if whose in {"", name}:
            by_account_and_kind[whose, kind] = _policy(mode, corrections, account)
    critical = {} if corrections.critical_exposure is None else {"": corrections.critical_exposure}
    return Policies(
        by_account_and_kind=by_account_and_kind,
        default=_policy(corrections.mode, corrections, account),
        corrections_per_hour=corrections.per_hour,
        adjusted_per_day=corrections.adjust_per_day,
        storm=corrections.storm,
        escalate_from=corrections.escalate_from,
        critical=critical,
    )


def stops_required(corrections: Corrections) -> frozenset[str] | None:
    """Instruments whose positions need a resting stop; None for all."""
    return None if EVERYTHING in corrections.stops_required else frozenset(corrections.stops_required)


def _policy(mode: str, corrections: Corrections, account: AccountSettings) -> Policy:
    allowed = _MODES[mode]
    if account.stage is Stage.OBSERVE:
        allowed = min(allowed, Mode.BOOK_FACTS)
    return Policy(allowed, corrections.adjust_up_to)
