"""What a verb says when it meets a damaged journal: the command that heals it."""

from pathlib import Path

from tests.cli.program import FX, OANDA, Trueup, files
from trueup.journal.findings import damaged
from trueup.journal.segment_file import BLOCK


def test_the_remedy_is_the_command_that_heals() -> None:
    assert "`trueup recover`" in damaged(Path("log"), 7, "the frame is not what it was").remedy


def test_damage_of_one_account_names_the_others(story: Trueup, data: Path) -> None:
    story("import", *files(OANDA / "story"), *FX)
    log = next((data / "ledgers" / "hyperliquid%3Amain").glob("*.seg"))
    content = bytearray(log.read_bytes())
    content[BLOCK + 300] ^= 1
    log.write_bytes(content)
    for left in data.glob("views*"):
        left.unlink()
    for words in (("positions",), ("balances",), ("breaks",), ("diff", "--from", "2026-01-01T00:00:00Z")):
        refused = story(*words, "--json")
        assert (refused.code, refused.error["code"], refused.out) == (3, "journal_damaged", "")
        assert "--account: there are hyperliquid:main, oanda:fx" in refused.error["remedy"]
        assert story(*words, "--account", "fx").code != 3
