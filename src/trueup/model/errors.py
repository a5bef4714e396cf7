"""Every error trueup raises on purpose. The tree says whose fault it is and what to do next.

::

    TrueupError                     each carries a remedy: what to do next
    +-- BadInput                    the caller's: a field, its value, and how to mend it
    |   +-- UnknownInstrument       a fact names an instrument that nobody defined
    |   +-- UnknownTag              a journal holds an event kind this version cannot read
    +-- BadSettings                 the settings': every mistake in them, each with its place and remedy
    +-- NotFound                    the caller asked for something the book does not hold
    +-- StorageError                the disk's, or that of somebody who touched our files
    |   +-- DirectoryLocked         another process owns the data directory
    |   +-- JournalFailed           a write or sync failed: reopen, verify, resume by key
    |   +-- JournalDamaged          rot before the offset known synced, and no other copy heals it
    |   +-- StaleEpoch              somebody newer leads this ledger
    |   +-- ConcurrentUpdate        another writer booked first: decide again on what it left
    |   |   +-- StaleVersion        what is to be changed was changed since it was loaded: load it again
    |   +-- StoreAway               the store cannot be used now: make the same call again later
    |   +-- NotDurable              a server would acknowledge what a crash may lose
    |   +-- SchemaOutdated          a database waits for `trueup db upgrade`
    |   +-- ViewsFailed             the views database is unusable: rebuild it from the journal
    |   +-- BackupFailed            the backup destination refused or cannot be reached; booking goes on
    |   +-- BackupDamaged           a backup is not what was written
    |   +-- EventsWouldBeLost       a restore would end before what is known to have been acknowledged
    +-- Busy                        a bounded queue is full: slow down, nothing was written
    +-- VenueError                  the venue's
        +-- Rejected                surely refused
        +-- RateLimited             safe to retry later
        +-- AuthenticationFailed    retrying cannot help
        +-- Unavailable             safe to retry
        +-- OutcomeUnknown          may have happened: never blindly retried
        +-- Malformed               an answer we refuse to guess at: quarantined
"""

from collections.abc import Sequence
from typing import ClassVar, NamedTuple, Self


class TrueupError(Exception):
    """The root of all deliberate errors.

    Attributes:
        message: What is wrong, in one sentence.
        remedy: What to do next, in one sentence.
    """

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(f"{message} {remedy}".strip())
        self.message = message
        self.remedy = remedy

    def again(self) -> Self:
        """This error, to be raised to one more caller: one that is raised over and over gathers all their frames."""
        twin = type(self).__new__(type(self), *self.args)
        vars(twin).update(vars(self))
        twin.__cause__ = self.__cause__
        return twin


class BadInput(TrueupError):
    """A value that cannot be used.

    Attributes:
        field: The name of the field at fault.
        value: Its value as given (text of it).
    """

    code = "bad_input"

    def __init__(self, field: str, value: object, message: str, *, remedy: str) -> None:
        super().__init__(f"{field}={value!r}: {message}", remedy=remedy)
        self.field = field
        self.value = str(value)
        self.problem = message


class UnknownInstrument(BadInput):
    """A fact names an instrument, or a version of one, that the ledger has no definition of."""

    code = "unknown_instrument"

    def __init__(self, symbol: str) -> None:
        super().__init__(
            "instrument",
            symbol,
            "no definition of this instrument is booked",
            remedy="Give its contract details (import the venue's instruments, or --instruments FILE) first.",
        )


class UnknownTag(BadInput):
    """A journal holds an event of a kind that this version does not know."""

    code = "unknown_tag"

    def __init__(self, tag: str, version: str) -> None:
        super().__init__(
            "tag",
            tag,
            f"this journal was written by a newer trueup; version {version} cannot read it",
            remedy="Open it with the version that wrote it, or a later one.",
        )


class Mistake(NamedTuple):
    """A mistake in the settings.

    Attributes:
        where: The line of the file, or the name of the variable.
        key: The setting at fault; empty for the file as a whole.
    """

    where: str
    key: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        named = f"{self.where}: {self.key}" if self.key else self.where
        return f"{named}: {self.problem}. {self.remedy}"


class BadSettings(TrueupError):
    """The settings cannot be used.

    Attributes:
        mistakes: All there are.
    """

    code = "bad_settings"

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        told = "".join(f"\n  {mistake}" for mistake in mistakes)
        super().__init__(f"The settings have {len(mistakes)} mistake{'s' if len(mistakes) > 1 else ''}:{told}")
        self.mistakes = tuple(mistakes)


class NotFound(TrueupError):
    """What was asked for is not in the book."""

    code = "not_found"


class StorageError(TrueupError):
    """The disk refused or the files are not what they should be."""

    code = "storage"


class DirectoryLocked(StorageError):
    """Another process owns the data directory."""

    code = "locked"


class JournalFailed(StorageError):
    """A write or a sync failed. What it covered was not acknowledged; reopen and resume by key."""

    code = "journal_failed"


class JournalDamaged(StorageError):
    """Damage before the offset known synced that no surviving copy heals."""

    code = "journal_damaged"


class StaleEpoch(StorageError):
    """A newer leader has written to this ledger."""

    code = "stale_epoch"


class ConcurrentUpdate(StorageError):
    """Another writer booked first, so this decision was made on what no longer holds. Nothing was written."""

    code = "concurrent_update"


class StaleVersion(ConcurrentUpdate):
    """What is to be changed was changed since it was loaded. Nothing was written.

    Attributes:
        loaded: The version that the change was made on; 0 for something new.
        found: The version there is.
    """

    code = "stale_version"

    def __init__(self, what: str, loaded: int, found: int, moved: str = "") -> None:
        if not loaded and not moved:
            told = f"is taken for new, and is at version {found} already"
        else:
            told = f"was loaded at version {loaded}; " + (moved or f"it is at version {found} now")
        super().__init__(f"{what} {told}.", remedy="Load it again, then repeat the change.")
        self.loaded = loaded
        self.found = found


class StoreAway(StorageError):
    """The store cannot be used now. Reads answer from memory and say so; the same write again takes effect once."""

    code = "store_away"


class NotDurable(StorageError):
    """A server that would acknowledge what a crash may lose; nothing is written to it."""

    code = "not_durable"


class SchemaOutdated(StorageError):
    """A database that holds frames has an older schema than this version needs. It is changed on request only."""

    code = "schema_outdated"


class ViewsFailed(StorageError):
    """The views database cannot be used; the journal is not affected."""

    code = "views_failed"


class BackupFailed(StorageError):
    """The backup destination refused or cannot be reached; the journal is not affected."""

    code = "backup_failed"


class BackupDamaged(StorageError):
    """A backup, or a part of one, is not what was written."""

    code = "backup_damaged"


class EventsWouldBeLost(StorageError):
    """A restore would end before events that are known to have been acknowledged. Nothing was written."""

    code = "events_would_be_lost"


class Busy(TrueupError):
    """A bounded queue is full. Nothing was written."""

    code = "busy"


class VenueError(TrueupError):
    """A venue's answer, or its absence.

    Attributes:
        venue_code: The venue's own code, as given.
        venue_text: The venue's own words, as given.
    """

    code = "venue"

    def __init__(self, message: str, *, remedy: str = "", venue_code: str = "", venue_text: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.venue_code = venue_code
        self.venue_text = venue_text


class Rejected(VenueError):
    """The venue surely refused."""

    code = "rejected"


class RateLimited(VenueError):
    """Too many requests; nothing happened and a later try is safe."""

    code = "rate_limited"


class AuthenticationFailed(VenueError):
    """The venue does not accept our credentials; retrying cannot help."""

    code = "authentication_failed"


class Unavailable(VenueError):
    """The request surely had no effect; retrying is safe."""

    code = "unavailable"


class OutcomeUnknown(VenueError):
    """The request may or may not have had its effect; look before asking again."""

    code = "outcome_unknown"


class Malformed(VenueError):
    """An answer that cannot be read without guessing."""

    code = "malformed"
