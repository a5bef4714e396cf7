"""The price and the identity of a synthetic adjustment, the last resort of a correction (domain rule 2.6).

What is decided here is arithmetic only: whether to adjust needs evidence and approval, and is no part of comparing.
"""

from decimal import Decimal
from hashlib import blake2b

from trueup.model.errors import BadInput
from trueup.model.identifiers import AccountId
from trueup.model.numbers import ZERO, canonical, exact, quotient


def adjustment_price(
    before: Decimal, price_before: Decimal, after: Decimal, price_after: Decimal, *, inverse: bool = False
) -> Decimal:
    """Price at which a position's change of quantity brings its average to the venue's (vectors R1, R2).

    On one side ``(Q1*A1 - Q0*A0) / (Q1 - Q0)``; a position closed goes at its own average, one opened or turned at the
    venue's. An inverse contract's average is harmonic: ``(Q1 - Q0) / (Q1/A1 - Q0/A0)``.

    Args:
        before: Signed quantity that we hold.
        price_before: Our average; not used when we are flat.
        after: Signed quantity that the venue holds.
        price_after: The venue's average; not used when it is flat.
        inverse: Whether the contract settles in its base coin.

    Raises:
        BadInput: Nothing changes, or only a price of zero or less would reach the venue's average, so that what it
            says contradicts what we know.
    """
    if before == after:
        raise BadInput("after", after, "the quantity does not change", remedy="Adjust cost by evidence, not by price.")
    if not after:
        price = price_before
    elif not before or (before > ZERO) is not (after > ZERO):
        price = price_after
    else:
        price = _between(before, price_before, after, price_after, inverse=inverse)
    if price <= ZERO:
        raise BadInput(
            "price",
            canonical(price),
            "no positive price leads to the venue's average",
            remedy="Compare the averages first: one of them counts something that the other does not.",
        )
    return price


def _between(before: Decimal, price_before: Decimal, after: Decimal, price_after: Decimal, *, inverse: bool) -> Decimal:
    with exact():
        if not inverse:
            return quotient(after * price_after - before * price_before, after - before)
        coins = after * price_before - before * price_after  # times both averages, so that one division is enough
        return quotient((after - before) * price_before * price_after, coins) if coins else ZERO


def adjustment_id(
    account: AccountId, subject: str, cut: int, before: Decimal, after: Decimal, *, position_side: str = "net"
) -> str:
    """The identity of an adjustment: the same change at the same cut has the same one, so no restart books it twice.

    Args:
        account: Whose.
        subject: The canonical instrument, or the currency of a cash adjustment.
        cut: Venue time of the cut that the adjustment brings the book to, in nanoseconds.
        before: Our quantity or balance.
        after: The venue's.
        position_side: Of the position; long and short of one instrument may be adjusted alike.
    """
    parts = (account, subject, position_side, str(cut), canonical(before), canonical(after))
    return blake2b("\x1f".join(parts).encode(), digest_size=12).hexdigest()
