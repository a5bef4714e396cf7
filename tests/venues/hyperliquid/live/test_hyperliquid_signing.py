"""The venue's own published signatures, and what becomes of a key that is none.

The signatures stand in the test suite of the venue's official Python client (hyperliquid-dex/hyperliquid-python-sdk,
tests/signing_test.py).
"""

import sys
from typing import Any

import pytest

from trueup.model.errors import AuthenticationFailed
from trueup.venues.hyperliquid.signing import Signature, Signer, action_hash
from trueup.venues.transport.secrets import Secret

KEY = "0x0123456789012345678901234567890123456789012345678901234567890123"
VAULT = "0x1719884eb866cb12b2287399b15f7db5e7d775ea"
DUMMY = {"type": "dummy", "num": 100_000_000_000}


def order(**changes: object) -> dict[str, Any]:
    wire = {"a": 1, "b": True, "p": "100", "s": "100", "r": False, "t": {"limit": {"tif": "Gtc"}}, **changes}
    return {"type": "order", "orders": [wire], "grouping": "na"}


STOP = {"trigger": {"isMarket": True, "triggerPx": "103", "tpsl": "sl"}}

PUBLISHED = [
    (
        DUMMY,
        None,
        True,
        "0x53749d5b30552aeb2fca34b530185976545bb22d0b3ce6f62e31be961a59298",
        "0x755c40ba9bf05223521753995abb2f73ab3229be8ec921f350cb447e384d8ed8",
        27,
    ),
    (
        DUMMY,
        None,
        False,
        "0x542af61ef1f429707e3c76c5293c80d01f74ef853e34b76efffcb57e574f9510",
        "0x17b8b32f086e8cdede991f1e2c529f5dd5297cbe8128500e00cbaf766204a613",
        28,
    ),
    (
        order(),
        None,
        True,
        "0xd65369825a9df5d80099e513cce430311d7d26ddf477f5b3a33d2806b100d78e",
        "0x2b54116ff64054968aa237c20ca9ff68000f977c93289157748a3162b6ea940e",
        28,
    ),
    (
        order(),
        None,
        False,
        "0x82b2ba28e76b3d761093aaded1b1cdad4960b3af30212b343fb2e6cdfa4e3d54",
        "0x6b53878fc99d26047f4d7e8c90eb98955a109f44209163f52d8dc4278cbbd9f5",
        27,
    ),
    (
        order(c="0x00000000000000000000000000000001"),
        None,
        True,
        "0x41ae18e8239a56cacbc5dad94d45d0b747e5da11ad564077fcac71277a946e3",
        "0x3c61f667e747404fe7eea8f90ab0e76cc12ce60270438b2058324681a00116da",
        27,
    ),
    (
        order(c="0x00000000000000000000000000000001"),
        None,
        False,
        "0xeba0664bed2676fc4e5a743bf89e5c7501aa6d870bdb9446e122c9466c5cd16d",
        "0x7f3e74825c9114bc59086f1eebea2928c190fdfbfde144827cb02b85bbe90988",
        28,
    ),
    (
        DUMMY,
        VAULT,
        True,
        "0x3c548db75e479f8012acf3000ca3a6b05606bc2ec0c29c50c515066a326239",
        "0x4d402be7396ce74fbba3795769cda45aec00dc3125a984f2a9f23177b190da2c",
        28,
    ),
    (
        DUMMY,
        VAULT,
        False,
        "0xe281d2fb5c6e25ca01601f878e4d69c965bb598b88fac58e475dd1f5e56c362b",
        "0x7ddad27e9a238d045c035bc606349d075d5c5cd00a6cd1da23ab5c39d4ef0f60",
        27,
    ),
    (
        order(t=STOP),
        None,
        True,
        "0x98343f2b5ae8e26bb2587daad3863bc70d8792b09af1841b6fdd530a2065a3f9",
        "0x6b5bb6bb0633b710aa22b721dd9dee6d083646a5f8e581a20b545be6c1feb405",
        27,
    ),
    (
        order(t=STOP),
        None,
        False,
        "0x971c554d917c44e0e1b6cc45d8f9404f32172a9d3b3566262347d0302896a2e4",
        "0x206257b104788f80450f8e786c329daa589aa0b32ba96948201ae556d5637eac",
        28,
    ),
    (
        {"type": "scheduleCancel", "time": 123456789},
        None,
        True,
        "0x609cb20c737945d070716dcc696ba030e9976fcf5edad87afa7d877493109d55",
        "0x16c685d63b5c7a04512d73f183b3d7a00da5406ff1f8aad33f8ae2163bab758b",
        28,
    ),
    (
        {"type": "createSubAccount", "name": "example"},
        None,
        True,
        "0x51096fe3239421d16b671e192f574ae24ae14329099b6db28e479b86cdd6caa7",
        "0xb71f7d293af92d3772572afb8b102d167a7cef7473388286bc01f52a5c5b423",
        27,
    ),
]


@pytest.mark.parametrize(("action", "vault", "mainnet", "r", "s", "v"), PUBLISHED)
def test_signs_as_the_venue_published(
    action: dict[str, Any], vault: str | None, mainnet: bool, r: str, s: str, v: int
) -> None:
    signer = Signer(Secret("env:KEY", KEY), mainnet=mainnet)
    assert signer.sign(action, 0, vault, None) == Signature(r, s, v)


def test_hashes_an_order_as_the_venue_published() -> None:
    action = order(a=4, p="1670.1", s="0.0147", t={"limit": {"tif": "Ioc"}})
    published = "0fcbeda5ae3c4950a548021552a4fea2226858c4453571bf3f24ba017eac2908"
    assert action_hash(action, 1677777606040, None, None).hex() == published


def test_everything_an_action_depends_on_changes_what_is_signed() -> None:
    hashes = {
        action_hash(order(), 1, None, None),
        action_hash(order(), 2, None, None),
        action_hash(order(), 1, VAULT, None),
        action_hash(order(), 1, None, 5),
        action_hash(order(), 1, None, 6),
        action_hash({"orders": order()["orders"], "type": "order", "grouping": "na"}, 1, None, None),
    }
    assert len(hashes) == 6


def test_knows_the_address_of_a_key() -> None:
    assert Signer(Secret("env:KEY", KEY), mainnet=True).address == "0x14791697260e4c9a71f18484c9f997b308e59325"


@pytest.mark.parametrize("key", ["", "hello", "0x1234", KEY + "00"])
def test_what_is_no_key_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(AuthenticationFailed) as refused:
        Signer(Secret("env:KEY", key), mainnet=True)
    assert "env:KEY" in str(refused.value)
    assert not key or key not in str(refused.value)
    assert refused.value.__cause__ is None


def test_without_the_library_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trueup.venues.ethereum", None)
    with pytest.raises(AuthenticationFailed, match=r"pip install 'trueup\[hyperliquid\]'"):
        Signer(Secret("env:KEY", KEY), mainnet=True)
