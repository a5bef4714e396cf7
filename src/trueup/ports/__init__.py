"""What the core needs from outside, as protocols. Adapters live in ``journal`` and ``venues``, fakes in ``testing``."""

from trueup.ports.clock import Clock
from trueup.ports.store import (
    GENESIS,
    Change,
    Effects,
    Frame,
    Hash,
    Head,
    Instance,
    Journal,
    Milestone,
    OpenedLedger,
    Storage,
    Views,
)
from trueup.ports.venue import FactStream, LiveVenue, Login, Reader, Reading, Refused, Venue

__all__ = [
    "GENESIS",
    "Change",
    "Clock",
    "Effects",
    "FactStream",
    "Frame",
    "Hash",
    "Head",
    "Instance",
    "Journal",
    "LiveVenue",
    "Login",
    "Milestone",
    "OpenedLedger",
    "Reader",
    "Reading",
    "Refused",
    "Storage",
    "Venue",
    "Views",
]
