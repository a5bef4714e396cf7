"""Files keep to what of the port applies to them: what was written down is booked once, and compares as the truth."""

import asyncio
import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.conformance.venues.test_paper import ACCOUNT, ProcessRig, in_process
from trueup.engine.importing import ImportReport, import_sources
from trueup.engine.reading import Source, open_files, read_answers
from trueup.engine.reconciling import reconcile
from trueup.model.differences import Status
from trueup.model.events import Fact, FillBooked, FundingPaid, OrderReported, TransferBooked
from trueup.model.numbers import canonical
from trueup.model.times import format_time
from trueup.testing.conformance.life import Books, books_of, happened, live, require_truth, trade
from trueup.venues.generic.reader import GenericReader

COLUMNS: dict[type, tuple[str, dict[str, str]]] = {
    FillBooked: (
        "fill",
        {
            "id": "venue_trade_id",
            **{name: name for name in ("instrument", "side", "quantity", "price", "fee", "fee_currency")},
            "venue_order_id": "venue_order_id",
        },
    ),
    FundingPaid: (
        "funding",
        {"id": "venue_id", "instrument": "instrument", "amount": "amount", "currency": "currency"},
    ),
    TransferBooked: ("transfer", {"id": "venue_id", "amount": "amount", "currency": "currency", "reason": "reason"}),
    OrderReported: (
        "order",
        {
            "id": "report_id",
            **{name: name for name in ("instrument", "side", "quantity", "filled", "status", "venue_order_id")},
        },
    ),
}


def row(fact: Fact) -> dict[str, Any]:
    kind, columns = COLUMNS[type(fact)]
    named = {column: plain(getattr(fact, field)) for column, field in columns.items()}
    return {"kind": kind, **named, "venue_time": format_time(getattr(fact, "venue_time", 0))}


def plain(value: object) -> object:
    return canonical(value) if isinstance(value, Decimal) else value


def written(path: Path, facts: Sequence[Fact]) -> Path:
    path.write_text("\n".join(json.dumps(row(fact)) for fact in facts))
    return path


def instruments(path: Path, rig: ProcessRig) -> Path:
    fields = ("symbol", "native_symbol", "kind", "base", "quote", "settle", "contract_size", "quantity_step")
    terms = rig.exchange.instruments(ACCOUNT)
    path.write_text(json.dumps([{name: plain(getattr(one, name)) for name in fields} for one in terms]))
    return path


def state(path: Path, rig: ProcessRig) -> Path:
    seen = rig.exchange.snapshot(ACCOUNT)
    positions = [
        {"instrument": one.instrument, "quantity": canonical(one.quantity)} for one in (seen.positions or {}).values()
    ]
    balances = {name: canonical(amount) for name, amount in (seen.balances or {}).items()}
    told = {"venue_time": format_time(seen.cut or 0), "positions": positions, "balances": balances, "open_orders": []}
    path.write_text(json.dumps({"snapshot": told}))
    return path


def sources(paths: Sequence[Path]) -> Sequence[Source]:
    answers, unusable = open_files(paths)
    assert not unusable
    return read_answers(lambda: GenericReader(ACCOUNT, ()), answers)


def imported(books: Books, paths: Sequence[Path]) -> ImportReport:
    return import_sources(books.store, ACCOUNT, sources(paths))


def test_files_conform(tmp_path: Path) -> None:
    async def story() -> None:
        async with in_process() as rig:
            live(rig)
            trade(rig, "buy", 2)
            facts = happened(rig)
            half = len(facts) // 2
            files = [
                instruments(tmp_path / "instruments.json", rig),
                written(tmp_path / "first.jsonl", facts[: half + 3]),
                written(tmp_path / "second.jsonl", facts[half - 3 :]),
            ]
            with books_of(rig) as books:
                first = imported(books, files)
                assert (first.total("booked"), first.total("refused")) == (len(facts), 0)
                require_truth(rig, books.ledger)
                assert imported(books, files).total("booked") == 0
                found = reconcile(books.store, books.ledger, sources([*files, state(tmp_path / "state.json", rig)]))
                assert found.comparison.status is Status.SYNCED, found.comparison.differences

    asyncio.run(story())
