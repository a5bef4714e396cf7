"""What every store can keep. What lives only here: the bounds of the names, texts and whole numbers that come in.

PostgreSQL takes no NUL into a text and no long text into an index, no database takes whole numbers beyond 64 bits,
and what has no UTF-8 cannot be written at all. Such a value, once in a journal, would keep its tables from being made
for good; so it is refused before it gets there.
"""

from collections.abc import Collection

NAME_MAX = 256
"""Characters of a name, which may be part of a key. Two of them fit an index of PostgreSQL whatever their script."""

TEXT_MAX = 1 << 20
"""Characters of any other text: a webhook's body with room to spare."""

_WHOLE_MAX = 2**63 - 1


def keepable(texts: Collection[str], longest: int) -> bool:
    """Whether every store can keep these texts; ask of many at once.

    Args:
        texts: Any number.
        longest: Characters that each may have.
    """
    try:
        return max(map(len, texts), default=0) <= longest and b"\0" not in "".join(texts).encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False


def whole_keepable(numbers: Collection[int]) -> bool:
    """Whether every store can keep these whole numbers; ask of many at once."""
    return not numbers or (min(numbers) >= -_WHOLE_MAX and max(numbers) <= _WHOLE_MAX)
