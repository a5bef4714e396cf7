"""Causes of differences that are no amounts: failed sources, undefined names, settings, orders."""

from collections.abc import Iterator

from trueup.model import events as e
from trueup.model.differences import Difference, Kind
from trueup.model.facts import fact_key
from trueup.model.numbers import canonical
from trueup.reconcile.explain.causes import Cause, Part
from trueup.reconcile.explain.evidence import Evidence


def unread_source(found: Difference, evidence: Evidence) -> Iterator[Part]:
    """A part of the answer that failed or is too old: nothing follows from it, least of all that we are flat."""
    words = evidence.failed.get(found.subject, found.direction)
    yield Part(Cause.STALE_SOURCE, None, (f"source {found.subject}",), words)


def unmapped_symbol(found: Difference, evidence: Evidence) -> Iterator[Part]:
    """The venue names what no definition covers."""
    del evidence
    yield Part(Cause.SYMBOL_MAP, None, (f"symbol {found.subject}",), found.direction)


def changed_setting(found: Difference, evidence: Evidence) -> Iterator[Part]:
    """Leverage or margin mode were changed. The venue's state is the setting, whether or not it records the change."""
    cause = Cause.LEVERAGE if found.kind is Kind.LEVERAGE else Cause.MARGIN_MODE
    records = [fact for fact in evidence.settings.get(found.subject, ()) if _set_to(fact) == found.theirs]
    ids = tuple(fact_key(fact) or "" for fact in records) or ("snapshot",)
    yield Part(cause, found.difference, ids, "the venue's record of the change" if records else "the venue says so")


def order_report(found: Difference, evidence: Evidence) -> Iterator[Part]:
    """A report of the order that we lack, or an order that nobody placed through us."""
    report = evidence.reports.get(found.subject)
    if report is not None:
        yield Part(Cause.ORDER_REPORT, None, (fact_key(report) or "",), f"the venue reports it {report.status}")
    elif found.ours is None and evidence.own_orders is not None:
        own = found.subject in evidence.own_orders
        words = "placed through us, its report has not arrived" if own else "nobody placed it through us"
        yield Part(Cause.IN_FLIGHT if own else Cause.FOREIGN_TRADE, None, (f"order {found.subject}",), words)


def _set_to(fact: e.LeverageSet | e.MarginModeSet) -> str:
    return canonical(fact.leverage) if isinstance(fact, e.LeverageSet) else fact.margin_mode
