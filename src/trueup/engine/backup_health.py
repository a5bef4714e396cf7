"""The doctor's look at backups: whether there are any, whether one is proven, and what shows to be wrong with them."""

from collections.abc import Sequence

from trueup.engine.backup_chores import OpenDestination
from trueup.engine.health import Check
from trueup.engine.proving import survey
from trueup.journal.backup import manifests
from trueup.model.errors import NotFound, StorageError
from trueup.model.times import NS_PER_SECOND, format_time

PROVEN_WITHIN_DAYS = 7
_NS_PER_DAY = 86_400 * NS_PER_SECOND


def check_backups(destination: OpenDestination) -> Sequence[Check]:
    """How the backups stand."""
    try:
        opened = destination()
        backups = manifests.listed(opened)
        problems = survey(opened)
    except (NotFound, StorageError) as failure:
        return [Check("backup", "fail", failure.message, failure.remedy)]
    if problems:
        remedy = "Run `trueup backup verify`; take a new backup into an empty directory while the journal is whole."
        return [Check("backup", "fail", "; ".join(problems), remedy)]
    if not backups:
        return [Check("backup", "warn", "there is none yet", "Take one with `trueup backup create`.")]
    newest = backups[-1]
    detail = f"{len(backups)}, the newest of {format_time(newest.created_at)} with {newest.events} events"
    proven = [backup.created_at for backup in backups if backup.proven]
    if not proven or newest.created_at - proven[-1] > PROVEN_WITHIN_DAYS * _NS_PER_DAY:
        last = f"the last proven one is of {format_time(proven[-1])}" if proven else "none is proven"
        return [Check("backup", "warn", f"{detail}; {last}", "Prove the newest with `trueup backup verify`.")]
    return [Check("backup", "ok", f"{detail}; proven: {format_time(proven[-1])}")]
