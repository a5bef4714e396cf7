"""trueup: the book of record for people who run trading bots on several venues.

What lives only here: the version, and which doors can be imported from ``trueup`` itself. They are loaded when they are
first asked for, so that importing the package stays light. Their types stand in ``__init__.pyi``.
"""

from importlib import import_module

__version__ = "0.1.0"

_DOORS = {
    "BrokerPosition": "trueup.doors.broker_positions",
    "BrokerPositionReconciler": "trueup.doors.broker",
    "DatabaseStateManager": "trueup.doors.database",
    "ExchangeReconciliationManager": "trueup.doors.exchanges",
    "InternalPosition": "trueup.doors.broker_positions",
    "OandaV20Client": "trueup.doors.oanda_client",
    "PortfolioStateManager": "trueup.doors.portfolio",
    "Position": "trueup.doors.position",
    "PositionManager": "trueup.doors.position_manager",
    "PositionReconciler": "trueup.doors.position_reconciler",
    "PositionStatus": "trueup.doors.position",
    "ShadowAccounting": "trueup.doors.shadow",
    "TradingDatabase": "trueup.doors.trading_database",
}

__all__ = [
    "BrokerPosition",
    "BrokerPositionReconciler",
    "DatabaseStateManager",
    "ExchangeReconciliationManager",
    "InternalPosition",
    "OandaV20Client",
    "PortfolioStateManager",
    "Position",
    "PositionManager",
    "PositionReconciler",
    "PositionStatus",
    "ShadowAccounting",
    "TradingDatabase",
    "__version__",
]


def __getattr__(name: str) -> object:
    """A door, loaded now; from then on it is an attribute like any other."""
    if name not in _DOORS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    door = globals()[name] = getattr(import_module(_DOORS[name]), name)
    return door


def __dir__() -> list[str]:
    """What can be imported from here, doors that are not loaded yet included."""
    return sorted({*globals(), *__all__})
