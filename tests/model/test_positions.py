"""What readers compute from their copies, in whatever context they compute."""

from decimal import Context, localcontext

import msgspec
import pytest

from tests.book.world import BTC, XBTUSD, D, World
from trueup.model.positions import entry_price


def test_an_entry_price_is_unknown_without_a_basis_and_nothing_when_flat() -> None:
    assert entry_price(BTC, D(1), None) is None
    assert entry_price(BTC, D(0), D(0)) is None
    assert entry_price(XBTUSD, D(1), D(0)) is None


def test_an_entry_price_is_exact_in_any_context() -> None:
    with localcontext(Context(prec=2)):
        assert entry_price(BTC, D("12345.678"), D("12345.678")) == D(1)
        assert entry_price(XBTUSD, D(100_000), D("9.5")) == D("10526.31578947368421052631579")


def test_a_balance_is_the_sum_of_its_parts_in_any_context() -> None:
    balance = World().transfer("12345.67").transfer("0.001", reason="reward").buy("1", "1", fee="0.1").balance()
    with localcontext(Context(prec=2)):
        assert balance.total == balance.known == D("12345.571")
    unknown = msgspec.structs.replace(balance, realized_unknown=1)
    assert (unknown.total, unknown.known) == (None, D("12345.571"))


def test_copies_cannot_be_changed() -> None:
    position = World().buy("1", "100").position
    with pytest.raises(AttributeError, match="immutable"):
        position.quantity = D(2)  # type: ignore[misc]  # that is the point
    before = position.fees
    assert World().buy("1", "100").position.fees is not before
