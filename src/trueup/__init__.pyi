from trueup.doors.broker import BrokerPositionReconciler as BrokerPositionReconciler
from trueup.doors.broker_positions import BrokerPosition as BrokerPosition
from trueup.doors.broker_positions import InternalPosition as InternalPosition
from trueup.doors.database import DatabaseStateManager as DatabaseStateManager
from trueup.doors.exchanges import ExchangeReconciliationManager as ExchangeReconciliationManager
from trueup.doors.oanda_client import OandaV20Client as OandaV20Client
from trueup.doors.portfolio import PortfolioStateManager as PortfolioStateManager
from trueup.doors.position import Position as Position
from trueup.doors.position import PositionStatus as PositionStatus
from trueup.doors.position_manager import PositionManager as PositionManager
from trueup.doors.position_reconciler import PositionReconciler as PositionReconciler
from trueup.doors.shadow import ShadowAccounting as ShadowAccounting
from trueup.doors.trading_database import TradingDatabase as TradingDatabase

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

__version__: str
