"""Recorded answers judge the server: every field of theirs is in ours, of the same JSON type, and none besides."""

import csv
import json
import re
from base64 import b64decode
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.testing.servers.zerodha.talk import FUTURE, LEAD, MORNING, Row, Talk
from trueup.testing.servers.zerodha.demo import demo_app
from trueup.testing.servers.zerodha.postbacks import signed
from trueup.testing.servers.zerodha.ticks import QUOTE, packet

DATA = Path(__file__).parents[5] / "shared" / "venue-data" / "zerodha" / "mocks"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the recorded answers are not beside this checkout")

LEFT_OUT = {
    "auction_number": "orders of auctions are not served",
    "terminal_id": "of exchanges that want one",
    "iceberg": "orders in legs are not served",
}
"""Fields that recordings have and the server does not say, and why."""

SOME = frozenset({"account_id", "validity_ttl", "tags", "modified", "user_id", "unfilled_quantity", "app_id"})
"""Fields that some recordings of a kind have and others of the same kind do not."""


@cache
def answers() -> dict[str, object]:
    """Every kind of answer, of one eventful day."""
    talk = Talk()
    talk.order(quantity="2")
    talk.order(**LEAD)
    talk.order(**LEAD, transaction_type="SELL", tag="lead")
    talk.order(**FUTURE)
    talk.next_day()
    resting = talk.order(order_type="LIMIT", price="700", tag="rests")
    trigger = talk.order(order_type="SL-M", trigger_price="900", market_protection="2.5")
    talk.order(quantity="1000000", order_type="LIMIT", price="780")
    sold = talk.order(transaction_type="SELL")
    told = {"order_cancel": talk.ask("DELETE", f"/orders/regular/{resting}")[1]["data"]}
    told["orders"] = talk.get("/orders")
    told["history"] = [row for order_id in (resting, trigger) for row in talk.get(f"/orders/{order_id}")]
    told["order_response"] = talk.ask("PUT", f"/orders/regular/{trigger}", {"quantity": "2"})[1]["data"]
    for name, path in {
        "profile": "/user/profile",
        "margins": "/user/margins",
        "positions": "/portfolio/positions",
        "holdings": "/portfolio/holdings",
        "trades": "/trades",
        "ltp": "/quote/ltp?i=NSE:SBIN",
        "ohlc": "/quote/ohlc?i=NSE:SBIN",
    }.items():
        told[name] = talk.get(path)
    told["postback"] = signed(talk.app, talk.state(sold))
    location = talk.raw("GET", f"/connect/login?v=3&api_key={talk.app.api_key}").headers["location"]
    token = location.partition("request_token=")[2]
    form = {"api_key": talk.app.api_key, "request_token": token, "checksum": talk.app.checksum(token)}
    told["generate_session"] = talk.ask("POST", "/session/token", form)[1]["data"]
    return told


FORMS = {
    "time": re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"),
    "time of day": re.compile(r"\d\d:\d\d:\d\d"),
}
"""Strings that are more than that."""


def recorded(name: str) -> Any:  # noqa: ANN401 - JSON
    answer = json.loads((DATA / f"{name}.json").read_text())
    return answer.get("data", answer)


def shape(value: object) -> object:
    """The fields of a value with the JSON types that stand there; what a list holds is laid one upon another."""
    if isinstance(value, Mapping):
        keyed = any(":" in field for field in value)  # by instrument, of which any will do
        named = {"": next(iter(value.values()))} if keyed else value
        return {field: shape(inner) for field, inner in named.items() if field not in LEFT_OUT}
    if isinstance(value, list):
        merged: object = frozenset()
        for inner in value:
            merged = laid(merged, shape(inner))
        return [merged]
    if isinstance(value, str):
        return frozenset({next((kind for kind, form in FORMS.items() if form.fullmatch(value)), "string")})
    return frozenset({{bool: "bool", type(None): "null"}.get(type(value), "number")})


def laid(one: object, other: object) -> object:
    if isinstance(one, dict) and isinstance(other, dict):
        return {field: laid(one.get(field, frozenset()), other.get(field, frozenset())) for field in {**one, **other}}
    if isinstance(one, list) and isinstance(other, list):
        return [laid(one[0], other[0])]
    if isinstance(one, frozenset) and isinstance(other, frozenset):
        return one | other
    return other if isinstance(one, frozenset) and not one else one


def differences(ours: object, theirs: object, name: str) -> list[str]:
    """What one of two shapes has and the other lacks."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        found = [f"{name}.{field} is missing" for field in theirs.keys() - ours.keys()]
        found += [f"{name}.{field} is unknown" for field in ours.keys() - theirs.keys() - SOME]
        for field in ours.keys() & theirs.keys():
            found += differences(ours[field], theirs[field], f"{name}.{field}")
        return found
    if isinstance(ours, list) and isinstance(theirs, list):
        return differences(ours[0], theirs[0], f"{name}[]")
    if isinstance(ours, frozenset) and isinstance(theirs, frozenset):
        known = ours <= theirs or not theirs or (ours - theirs) <= NULLS.get(name.rpartition(".")[2], frozenset())
        return [] if known else [f"{name} is {set(ours)}, and was {set(theirs)}"]
    return [f"{name} is {ours}, and was {theirs}"]


NULLS = {"avatar_url": frozenset({"null", "string"})}
"""Kinds of value that other recordings of a field have."""


@pytest.mark.parametrize("name", sorted(answers()) if DATA.is_dir() else [])
def test_every_field_is_as_it_was_recorded(name: str) -> None:
    theirs = recorded("orders" if name == "history" else name)
    assert differences(shape(answers()[name]), shape(theirs), name) == []


@pytest.mark.parametrize("which", ["net", "day"])
def test_recorded_positions_add_up_as_ours_do(which: str) -> None:
    ours: Row = answers()["positions"]  # type: ignore[assignment]  # of a dictionary of all answers
    for row in [*recorded("positions")[which], *ours[which]]:
        size, quantity = row["multiplier"], row["quantity"]
        assert row["value"] == row["sell_value"] - row["buy_value"]
        assert row["pnl"] == row["unrealised"] == row["value"] + quantity * row["last_price"] * size
        assert row["m2m"] == row["sell_m2m"] - row["buy_m2m"] + quantity * row["last_price"] * size
        for side in ("buy", "sell", "day_buy", "day_sell"):
            assert row[f"{side}_value"] == row[f"{side}_quantity"] * row[f"{side}_price"] * size
        held = "buy" if quantity > 0 else "sell"
        assert row["average_price"] == (row[f"{held}_price"] if quantity else 0)
        assert bool(row["close_price"]) == bool(row["overnight_quantity"]) or which == "day"


def test_the_instruments_file_has_the_recorded_columns_and_kinds_of_cells() -> None:
    talk = Talk()
    ours = list(csv.DictReader(talk.raw("GET", "/instruments").body.decode().splitlines()))
    theirs = list(csv.DictReader((DATA / "instruments_all.csv").read_text().splitlines()))
    assert list(ours[0]) == list(theirs[0])
    shares = {field: type(json.loads(cell or '""')).__name__ for field, cell in theirs[0].items() if cell[:1].isdigit()}
    assert {field: type(json.loads(ours[0][field])).__name__ for field in shares} == shares
    assert {row["segment"] for row in ours} == {"NSE", "NFO-FUT", "MCX-FUT", "CDS-FUT"}


def test_a_packet_is_as_long_as_the_recorded_one_and_says_the_same_in_the_same_places() -> None:
    theirs = b64decode((DATA / "ticker_quote.packet").read_text())
    said: Row = json.loads((DATA / "ticker_quote.json").read_text())
    talk = Talk()
    share = talk.server.prices.listings.at("NSE", "SBIN")
    assert share is not None
    ours = packet(share, QUOTE, talk.server.prices, MORNING)
    assert len(ours) == len(theirs)
    numbers = {name: int.from_bytes(theirs[at : at + 4]) for name, at in PLACES.items()}
    assert numbers["instrument_token"] == said["instrument_token"]
    assert numbers["last_price"] == round(said["last_price"] * 100)
    assert numbers["close"] == round(said["ohlc"]["close"] * 100)
    mine = {name: int.from_bytes(ours[at : at + 4]) for name, at in PLACES.items()}
    assert mine == {"instrument_token": share.token, "last_price": 78_050, "open": 78_050, "close": 0}


PLACES = {"instrument_token": 0, "last_price": 4, "open": 28, "close": 40}


def test_numbers_are_written_as_kite_writes_them() -> None:
    talk = Talk()
    talk.exchange.move("NSE.SBIN.CNC/INR", Decimal("790.00"))
    talk.order(quantity="10")
    said = talk.raw("GET", "/portfolio/positions").body.decode()
    assert '"quantity":10,' in said
    assert '"last_price":790,' in said
    assert '"buy_price":790.2,' in said
    assert not re.search(r'"(quantity|last_price)":"|\.\d*0[,}]|[eE]\+', said), "no text, no idle zeros, no exponents"


def test_a_checksum_is_made_as_the_official_client_makes_it() -> None:
    app = demo_app()
    assert app.checksum("token") == sha256(b"rehearsalkeytokenrehearsal-secret").hexdigest()
    row = {"account_id": "AB1234", "order_id": "1", "order_timestamp": "2022-03-03 09:24:25", "pending_quantity": 0}
    assert signed(app, row)["checksum"] == sha256(b"12022-03-03 09:24:25rehearsal-secret").hexdigest()
