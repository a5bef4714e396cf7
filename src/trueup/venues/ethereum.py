"""The library that signs with Ethereum keys, an extra. What lives only here: that importing it changes nothing else.

It raises Python's recursion limit for the whole process, a hundredfold. That limit is what keeps deeply nested bytes
of anybody from overflowing the stack of every decoder; it is put back.
"""

import sys

_limit = sys.getrecursionlimit()

from eth_account import Account  # noqa: E402 - between the two readings of the limit
from eth_account.messages import encode_typed_data  # noqa: E402 - the same
from eth_utils.crypto import keccak  # noqa: E402 - the same

sys.setrecursionlimit(_limit)

__all__ = ["Account", "encode_typed_data", "keccak"]
