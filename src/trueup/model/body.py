"""The shape of every journal event: what :mod:`trueup.model.events` and :mod:`trueup.model.statements` build on."""

import msgspec


class Body(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """A journal event, written as an array: its tag, then its fields. Fields this version lacks are not dropped."""
