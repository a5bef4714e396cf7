"""Venues here take any number of requests, and what is read again is read again at once."""

from collections.abc import Iterator

import pytest
import stamina

from trueup.venues.coinbase import calls as of_coinbase
from trueup.venues.jsonrpc_derivatives import wire as of_engine
from trueup.venues.jsonrpc_derivatives.calls import Pool
from trueup.venues.transport.http import ATTEMPTS
from trueup.venues.zerodha import calls as of_zerodha


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(of_engine, "LIMITS", dict.fromkeys(Pool, ()))
    monkeypatch.setattr(of_coinbase, "LIMITS", ())
    for name in ("LIMITS", "QUOTE_LIMITS", "ORDER_LIMITS"):
        monkeypatch.setattr(of_zerodha, name, ())
    with stamina.set_testing(testing=True, attempts=ATTEMPTS):
        yield
