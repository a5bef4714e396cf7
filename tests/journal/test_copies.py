"""Several copies of a log as one: each goes as far as its frames prove themselves, and the next is asked from there."""

from collections.abc import Iterator, Sequence

import pytest
from msgspec.structs import replace

from tests.journal.samples import copies_of, frames
from trueup.journal.copies import combined
from trueup.journal.recovery import Copies
from trueup.model.errors import ViewsFailed
from trueup.model.identifiers import Seq
from trueup.ports import Frame

CHAIN = frames([1] * 6)
ROTTEN = replace(CHAIN[2], body=CHAIN[2].body[:-1] + b"?")
OTHER = frames([1, 1, 2, 2])[3]


def failing(chain: Sequence[Frame]) -> Copies:
    def behind(after: Seq) -> Iterator[Frame]:
        yield from copies_of(chain)(after)
        raise ViewsFailed("A page is damaged.")

    return behind


def healed(sources: Sequence[Copies]) -> list[Frame]:
    """What a log that lost everything gets back."""
    copies, found = combined(sources), list[Frame]()
    while more := list(copies(found[-1].last if found else Seq(0))):
        found += more
    return found


@pytest.mark.parametrize(
    "first",
    [
        copies_of(CHAIN[:3]),  # ends early
        failing(CHAIN[:3]),
        copies_of([*CHAIN[:2], *CHAIN[3:]]),  # has a gap
        copies_of([*CHAIN[:2], ROTTEN, *CHAIN[3:]]),
        copies_of([*CHAIN[:2], OTHER, *CHAIN[3:]]),  # goes on with something else
        copies_of([]),
    ],
)
def test_where_a_source_cannot_go_on_the_next_is_asked(first: Copies) -> None:
    assert healed([first, copies_of(CHAIN)]) == CHAIN
    assert healed([copies_of(CHAIN), first]) == CHAIN


def test_what_no_source_has_is_not_made_up() -> None:
    assert healed([copies_of([*CHAIN[:2], ROTTEN, *CHAIN[3:]]), copies_of(CHAIN[:1])]) == CHAIN[:2]
    assert healed([]) == []
