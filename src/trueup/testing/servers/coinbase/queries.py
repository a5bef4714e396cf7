"""The answers that list: which rows a request asks for, and which of them stand on its page."""

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from trueup.testing.servers.asgi import Request
from trueup.testing.servers.coinbase.history import Fill, History
from trueup.testing.servers.coinbase.orders import Order
from trueup.testing.servers.coinbase.products import Product, Products
from trueup.testing.servers.coinbase.wire import Row, cursor, invalid, moment, place

ACCOUNTS_USUAL, ACCOUNTS_MAX = 49, 250
ORDERS_MAX = 1_000
FILLS_USUAL, FILLS_MAX = 100, 250

_WHOLE = re.compile(r"\d{1,9}", re.ASCII)

Item = TypeVar("Item")


def accounts(wallets: Sequence[Row], request: Request) -> Row:
    """``accounts``, in pages."""
    start = place(request.query.get("cursor", "")) or 0
    page = wallets[start : start + _limit(request, ACCOUNTS_USUAL, ACCOUNTS_MAX)]
    after = start + len(page)
    more = after < len(wallets)
    return {"accounts": page, "has_next": more, "cursor": cursor(after) if more else "", "size": len(page)}


def orders(history: History, request: Request) -> Row:
    """``orders/historical/batch``: newest first by when they were made."""
    every = history.look()
    wanted = _order_filter(history, request)
    page, before = _backwards(every, wanted, request, ORDERS_MAX, ORDERS_MAX)
    more = any(wanted(order) for order in every[:before])
    rows = [order.row(history.user_id, history.portfolio_id) for order in page]
    return {"orders": rows, "sequence": "0", "has_next": more, "cursor": cursor(before) if more else ""}


def fills(history: History, products: Products, request: Request) -> Row:
    """``orders/historical/fills``: newest first.

    A full page has a cursor, also where the next one is empty: nobody promised that there is more.
    """
    listed = history.list_fills()
    every = sorted(listed, key=lambda fill: fill.price) if _sorted_by_price(request) else listed
    limit = _limit(request, FILLS_USUAL, FILLS_MAX)
    page, before = _backwards(every, _fill_filter(products, request), request, FILLS_USUAL, FILLS_MAX)
    return {"fills": [fill.row for fill in page], "cursor": cursor(before) if len(page) == limit else ""}


def products(listed: Products, request: Request, now: int) -> Row:
    """``products``: spot alone where no kind is asked for."""
    kind, ids = request.query.get("product_type", ""), _several(request, "product_ids")
    if kind not in {"", "SPOT", "FUTURE", "UNKNOWN_PRODUCT_TYPE"}:
        raise invalid("product_type: not a kind of product")
    everything = request.query.get("get_all_products") in {"true", "True"} or bool(ids)
    kinds = {kind} if kind in {"SPOT", "FUTURE"} else {"SPOT", "FUTURE"} if everything else {"SPOT"}
    chosen = [p for p in listed if p.kind in kinds and (not ids or p.id in ids)]
    start, limit = _whole(request, "offset") or 0, _whole(request, "limit") or len(chosen)
    rows = [listed.row(product, now) for product in chosen[start : start + limit]]
    return {"products": rows, "num_products": len(rows), "pagination": None}


def books(listed: Products, request: Request, now: int) -> Row:
    """``best_bid_ask``: of the products that are named, or of all."""
    ids = _several(request, "product_ids")
    chosen = [listed.find(product_id) for product_id in ids] if ids else list(listed)
    return {"pricebooks": [listed.book(product, now, levels=1) for product in chosen]}


def ticker(product: Product, listed: Products, now: int) -> Row:
    """``products/{id}/ticker``; the tape is not served."""
    book = listed.book(product, now, levels=1)
    return {"trades": [], "best_bid": book["bids"][0]["price"], "best_ask": book["asks"][0]["price"]}


# --- filters ----------------------------------------------------------------------------------------------------------


def _order_filter(history: History, request: Request) -> Callable[[Order], bool]:
    statuses, kinds = _several(request, "order_status"), _several(request, "order_types")
    if "OPEN" in statuses and len(statuses) > 1:
        raise invalid("Cannot pair OPEN orders with other order types")
    ids = _several(request, "order_ids")
    ids_of_products = _several(request, "product_ids") | _several(request, "product_id")
    side, kind = request.query.get("order_side", ""), request.query.get("product_type", "")
    since, until = _time(request, "start_date"), _time(request, "end_date")
    portfolio = request.query.get("retail_portfolio_id", "")

    def wanted(order: Order) -> bool:
        return (
            (not statuses or order.status in statuses)
            and (not kinds or order.intent.kind.word in kinds)
            and (not ids or order.order_id in ids)
            and (not ids_of_products or order.product.id in ids_of_products)
            and side in {"", order.side.upper()}
            and kind in {"", "UNKNOWN_PRODUCT_TYPE", order.product.kind}
            and portfolio in {"", history.portfolio_id}
            and (since is None or order.created_at >= since)
            and (until is None or order.created_at < until)
        )

    return wanted


def _fill_filter(listed: Products, request: Request) -> Callable[[Fill], bool]:
    order_ids = _several(request, "order_ids") | _several(request, "order_id")
    trade_ids, product_ids = _several(request, "trade_ids"), _several(request, "product_ids")
    product_ids |= _several(request, "product_id")
    since, until = _time(request, "start_sequence_timestamp"), _time(request, "end_sequence_timestamp")
    portfolio, kinds = request.query.get("retail_portfolio_id", ""), _several(request, "product_types")
    unknown = product_ids - listed.by_id.keys()
    if unknown:
        raise invalid(f"product_ids: {min(unknown)!r} is not a product")

    def wanted(fill: Fill) -> bool:
        product_id = fill.row["product_id"]
        return (
            (not order_ids or fill.order_id in order_ids)
            and (not trade_ids or fill.trade_id in trade_ids)
            and (not product_ids or product_id in product_ids)
            and (not kinds or listed.by_id[product_id].kind in kinds)
            and portfolio in {"", fill.row["retail_portfolio_id"]}
            and (since is None or fill.sequence >= since)
            and (until is None or fill.sequence < until)
        )

    return wanted


def _backwards(
    every: Sequence[Item], wanted: Callable[[Item], bool], request: Request, usual: int, most: int
) -> tuple[list[Item], int]:
    """A page of what is wanted, from the cursor back to the oldest; and the place where the next one begins.

    A place counts from the oldest, so that what happens between two pages moves nothing.
    """
    start, limit = place(request.query.get("cursor", "")), _limit(request, usual, most)
    at = len(every) if start is None else min(start, len(every))
    page: list[Item] = []
    while at and len(page) < limit:
        at -= 1
        if wanted(every[at]):
            page.append(every[at])
    return page, at


def _sorted_by_price(request: Request) -> bool:
    by = request.query.get("sort_by", "") or "TRADE_TIME"
    if by not in {"TRADE_TIME", "PRICE", "UNKNOWN_SORT_BY"}:
        raise invalid("sort_by: not an order that fills come in")
    return by == "PRICE"


# --- parameters -------------------------------------------------------------------------------------------------------


def _several(request: Request, name: str) -> set[str]:
    """The values of a name that may come again; several in one, with commas, are taken too."""
    return {part for key, value in request.pairs if key == name for part in value.split(",") if part}


def _limit(request: Request, usual: int, most: int) -> int:
    asked = _whole(request, "limit")
    if asked is not None and asked > most:
        raise invalid(f"limit: at most {most} are taken")
    return asked or usual


def _whole(request: Request, name: str) -> int | None:
    text = request.query.get(name, "")
    if not text:
        return None
    if _WHOLE.fullmatch(text) is None:
        raise invalid(f"{name}: not a whole number")
    return int(text)


def _time(request: Request, name: str) -> int | None:
    text = request.query.get(name, "")
    return moment(text, name) if text else None
