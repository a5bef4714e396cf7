"""A ledger's history in miniature, for tests of the views: frames that chain, and the rows they leave behind."""

import shutil
from collections.abc import Mapping, Sequence
from decimal import Decimal
from hashlib import blake2b
from pathlib import Path

from trueup.model.identifiers import AccountId, PositionKey, Seq
from trueup.model.instruments import Instrument
from trueup.model.positions import Balance, Cycle, OpenOrder, Position, SubPosition
from trueup.ports import GENESIS, Change, Frame, Hash, Head

ACCOUNT = AccountId("hyperliquid:main")
OTHER = AccountId("oanda:practice")

BTC = Instrument("BTC/USDC:USDC", "BTC", "linear", "BTC", "USDC", "USDC", price_tick=Decimal("0.1"))
MANY = [Instrument(f"C{n}/USDC:USDC", f"C{n}", "linear", f"C{n}", "USDC", "USDC") for n in range(100, 160)]
EUR = Instrument("EUR/USD", "EUR_USD", "spot", "EUR", "USD", "USD")


class Writer:
    """Makes the changes of one ledger, each continuing the last."""

    def __init__(self, ledger: AccountId = ACCOUNT, salt: str = "") -> None:
        self.ledger = ledger
        self.salt = salt
        self.head = Head(Seq(0), GENESIS)

    def frame(self, count: int = 1, size: int = 100) -> Frame:
        """The next frame, with a body of so many bytes."""
        first = Seq(self.head.seq + 1)
        body = (f"{self.salt}{self.ledger}{first}|".encode() * (size // 8 + 1))[:size]
        digest = Hash(blake2b(self.head.hash + body, digest_size=32).digest())
        frame = Frame(self.ledger, first, count, first * 1_000, 1, 0, self.head.hash, digest, body)
        self.head = Head(frame.last, digest, frame.recorded_at)
        return frame

    def change(
        self,
        *frames: Frame,
        keys: Sequence[tuple[str, Seq]] = (),
        positions: Sequence[Position] = (),
        balances: Sequence[Balance] = (),
        orders: Sequence[OpenOrder] = (),
        dropped_orders: Sequence[str] = (),
        cycles: Mapping[PositionKey, tuple[int, Sequence[Cycle]]] | None = None,
        instruments: Sequence[Instrument] = (),
    ) -> Change:
        """What the given frames did; one new frame when none is given."""
        whole = frames or (self.frame(),)
        return Change(
            ledger=self.ledger,
            seq=whole[-1].last,
            frames=whole,
            keys=keys,
            positions=positions,
            balances=balances,
            orders=orders,
            dropped_orders=dropped_orders,
            cycles=cycles or {},
            instruments=instruments,
        )

    def broad_change(self, instruments: Sequence[Instrument]) -> Change:
        """A frame that touches the positions of some instruments, and with them some pages of the database."""
        frame = self.frame(size=3_000)
        return self.change(
            frame,
            keys=[(f"fill|{frame.first}", frame.first)],
            positions=[position(instrument, str(frame.first), seq=frame.first) for instrument in instruments],
            instruments=instruments,
        )

    def busy_change(self, fills: int = 20) -> Change:
        """A frame of fills in BTC, with all it leaves behind."""
        frame = self.frame(fills, size=fills * 150)
        seqs = range(frame.first, frame.last + 1)
        return self.change(
            frame,
            keys=[(f"fill|{seq}", Seq(seq)) for seq in seqs],
            positions=[position(quantity=str(frame.last), account=self.ledger, seq=frame.last)],
            balances=[balance(account=self.ledger, traded=str(frame.last), seq=frame.last)],
            orders=[order(f"o{frame.first}", account=self.ledger)],
            cycles={(BTC.symbol, "net"): (frame.first, [cycle(frame.first)])},
            instruments=[BTC],
        )


def position(
    instrument: Instrument = BTC,
    quantity: str = "1.5",
    cost: str | None = "90000",
    account: AccountId = ACCOUNT,
    seq: int = 1,
    parts: Mapping[str, SubPosition] | None = None,
) -> Position:
    return Position(
        account=account,
        instrument=instrument,
        position_side="net",
        quantity=Decimal(quantity),
        cost=None if cost is None else Decimal(cost),
        realized_pnl=Decimal("-12.5"),
        realized_unknown=0,
        adjusted_pnl=Decimal(0),
        fees={"USDC": Decimal("0.45")},
        fee_value=Decimal(0),
        funding={},
        by_strategy=parts or {},
        unconfirmed=Decimal(0),
        leverage=Decimal(5),
        margin_mode="cross",
        opened_at=1_700_000_000_000_000_000,
        updated_at=1_700_000_001_000_000_000,
        cycles=0,
        liquidations=0,
        seq=Seq(seq),
    )


def balance(currency: str = "USDC", traded: str = "0", account: AccountId = ACCOUNT, seq: int = 1) -> Balance:
    return Balance(
        account=account,
        currency=currency,
        traded=Decimal(traded),
        realized=Decimal("-12.5"),
        fees=Decimal("-0.45"),
        funding=Decimal(0),
        transfers={"deposit": Decimal(1_000)},
        adjustments=Decimal(0),
        opening=Decimal(0),
        realized_unknown=0,
        seq=Seq(seq),
    )


def order(venue_order_id: str, filled: str = "0", account: AccountId = ACCOUNT) -> OpenOrder:
    return OpenOrder(
        account=account,
        instrument=BTC.symbol,
        position_side="net",
        side="buy",
        quantity=Decimal(2),
        filled=Decimal(filled),
        status="open",
        venue_order_id=venue_order_id,
        client_order_id="",
        price=Decimal(59_000),
        trigger_price=None,
        order_type="limit",
        reduce_only=False,
        updated_at=1,
    )


def cycle(number: int, realized_pnl: str | None = "7", closed_at: int = 0) -> Cycle:
    closed = closed_at or number * 10
    return Cycle(
        number=number,
        side="long",
        quantity=Decimal(3),
        opened_at=closed - 5,
        closed_at=closed,
        realized_pnl=None if realized_pnl is None else Decimal(realized_pnl),
        fees={"USDC": Decimal("0.1")},
        funding={},
    )


def copy_as_after_a_crash(path: Path, to: Path) -> Path:
    """The file and its log as they are now on disk; what a process that dies now leaves behind."""
    for suffix in ("", "-wal"):
        source = path.with_name(path.name + suffix)
        if source.exists():
            shutil.copyfile(source, to.with_name(to.name + suffix))
    return to
