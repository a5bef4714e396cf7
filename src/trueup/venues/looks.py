"""What a file that was not recognised looks like, so that a person is told what to do with it.

A guess for the words of a refusal alone: nothing is ever read because of it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

_VENUES = {
    "hyperliquid": "Hyperliquid",
    "oanda": "OANDA",
    "coinbase": "Coinbase",
    "deribit": "Deribit",
    "zerodha": "Zerodha",
    "generic": "the generic format",
}

_FIELDS: Sequence[tuple[str, frozenset[str]]] = (
    ("hyperliquid", frozenset({"coin", "px", "sz"})),
    ("hyperliquid", frozenset({"coin", "limitPx"})),
    ("hyperliquid", frozenset({"delta", "time"})),
    ("hyperliquid", frozenset({"coin", "fundingRate"})),
    ("hyperliquid", frozenset({"assetPositions"})),
    ("hyperliquid", frozenset({"universe"})),
    ("hyperliquid", frozenset({"channel", "data"})),
    ("hyperliquid", frozenset({"fill", "twapId"})),
    ("hyperliquid", frozenset({"order", "statusTimestamp"})),
    ("oanda", frozenset({"lastTransactionID"})),
    ("oanda", frozenset({"id", "type", "accountID"})),
    ("oanda", frozenset({"id", "type", "time"})),
    ("coinbase", frozenset({"channel", "events"})),
    ("deribit", frozenset({"jsonrpc"})),
    ("coinbase", frozenset({"fills", "cursor"})),
    ("coinbase", frozenset({"orders", "has_next"})),
    ("coinbase", frozenset({"accounts", "has_next"})),
    ("coinbase", frozenset({"balance_summary"})),
    ("coinbase", frozenset({"products", "num_products"})),
    ("coinbase", frozenset({"entry_id", "product_id"})),
    ("oanda", frozenset({"account"})),
    ("oanda", frozenset({"instruments"})),
    ("zerodha", frozenset({"tradingsymbol"})),
    ("zerodha", frozenset({"status", "data"})),
    ("generic", frozenset({"kind", "venue_time"})),
    ("generic", frozenset({"snapshot"})),
)
"""Fields that answers of a venue have, most telling first."""

_ROWS_LOOKED_AT = 20

_TEXTS: Sequence[tuple[re.Pattern[bytes], str, str]] = (
    (re.compile(rb"\s*<"), "a web page (HTML) or XML", "Ask again, and save the JSON that the venue's API answers."),
    (
        re.compile(rb"(GET|POST|PUT|PATCH|DELETE|HTTP/[0-9.]+)\b"),
        "a request recorded as text with its answer",
        "Save the answer's JSON alone.",
    ),
    (
        re.compile(rb"(%YAML|---|#[^\n]*\n|\"?[A-Za-z_][\w .-]*\"?:(\s|$)|- \S)"),
        "YAML that is no cassette, which has a list named interactions",
        "Save the answer's JSON alone, or record a cassette.",
    ),
    (
        re.compile(rb"[^\n{}\[\]]+[,;\t][^\n{}\[\]]*\n"),
        "a table (CSV)",
        "Write it in the generic format (docs/generic-format.md) and import it with --venue generic.",
    ),
)
"""How files that are not JSON begin."""


def other_venue(value: object, venue: str) -> str:
    """Which other venue's answer a value looks like and what to do then, as a sentence; empty when like none."""
    for row in islice(_rows(value), _ROWS_LOOKED_AT):
        for other, fields in _FIELDS:
            if fields <= row.keys():
                if other == venue:
                    return ""
                return f"It looks like one of {_VENUES[other]}: if it is, import it with --venue {other}."
    return ""


def not_json(data: bytes) -> tuple[str, str]:
    """What a file looks like that is not JSON, and what to do with it; both empty when like nothing known."""
    start = data[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    return next(((what, remedy) for begins, what, remedy in _TEXTS if begins.match(start)), ("", ""))


def _rows(value: object) -> Iterator[Mapping[str, object]]:
    """The value, where it is a row, or the rows that it lists."""
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, Mapping):
            yield item
