"""Postbacks: Kite posts an order's state to an address of ours, with a checksum that only it and we can make.

The checksum is the SHA-256, in hexadecimal, of order id, order timestamp and API secret joined. It covers no other
field, so it says who sent the message and not that all of it is as sent. Orders pushed over the stream have none: there
the connection says who speaks.
"""

import hmac
from hashlib import sha256

from trueup.model.errors import BadInput
from trueup.venues import rows
from trueup.venues.rows import Row


def checksum(order_id: str, order_timestamp: str, api_secret: str) -> str:
    """What the checksum of a postback should be."""
    return sha256(f"{order_id}{order_timestamp}{api_secret}".encode()).hexdigest()


def check(row: Row, api_secret: str) -> None:
    """Make sure that a postback came from Kite.

    Raises:
        BadInput: It has no checksum, or not the one that the API secret makes.
    """
    stated = rows.text(row, "checksum")
    made = checksum(rows.identifier(row, "order_id"), rows.text(row, "order_timestamp"), api_secret)
    if not hmac.compare_digest(stated.encode(), made.encode()):
        raise BadInput(
            "checksum",
            stated,
            "not made with this API secret, so the message may be anyone's",
            remedy="Drop it, and read /orders: that says what became of the order.",
        )
