"""Names of accounts: safe in a path, and told apart."""

import pytest

from trueup.model.errors import BadInput
from trueup.model.identifiers import CONTROL, account_id, parse_account


@pytest.mark.parametrize("text", ["paper:main", "hyperliquid:Main.1", "x-1:0", f"paper:{'a' * 64}", "a_b:c_d-e"])
def test_accounts(text: str) -> None:
    assert parse_account(text) == text
    venue, _, name = text.partition(":")
    assert account_id(venue, name) == text


def test_the_ledger_of_what_spans_accounts() -> None:
    assert parse_account("control") == CONTROL


@pytest.mark.parametrize(
    "text",
    [
        "",
        "paper",
        "paper:",
        ":main",
        "Paper:main",
        "paper:../x",
        "paper:.hidden",
        "paper:a b",
        "paper:a/b",
        "paper:a:b",
        "paper:\u00e4",
        "paper:main\n",
        f"paper:{'a' * 65}",
        f"{'p' * 33}:a",
    ],
)
def test_what_is_no_account(text: str) -> None:
    with pytest.raises(BadInput, match="not an account name"):
        parse_account(text)
