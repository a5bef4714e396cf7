from trueup.doors.database import DatabaseStateManager as DatabaseStateManager
from trueup.doors.portfolio import PortfolioStateManager as PortfolioStateManager
from trueup.doors.shadow import ShadowAccounting as ShadowAccounting

__all__ = ["DatabaseStateManager", "PortfolioStateManager", "ShadowAccounting", "__version__"]

__version__: str
