"""``PortfolioStateManager``: the portfolio's closed equity, kept in memory, and in a store where there is one."""

from decimal import Decimal
from threading import RLock

from trueup.doors.database import DatabaseStateManager
from trueup.doors.exact import Exact, Number, number
from trueup.doors.readings import PortfolioState
from trueup.model.errors import BadInput
from trueup.model.numbers import EXACT


class PortfolioStateManager:
    """Loads and saves ``closed_equity``: initial capital and everything realised since. Threads may share one.

    Args:
        db_manager: Keeps it; None keeps it in memory alone, so that a program runs without a database.
        initial_capital: What there was at first, where nobody has saved it yet.

    Raises:
        StoreAway: The store is away and nothing is known of it.
    """

    def __init__(self, db_manager: DatabaseStateManager | None = None, initial_capital: Number | None = None) -> None:
        self.db_manager = db_manager
        self._state = PortfolioState()
        self._turn = RLock()
        self.load()
        if self._state.initial_capital is None and initial_capital is not None:
            capital = number(initial_capital, "initial_capital")
            known = self._state.closed_equity
            self._save(initial_capital=capital, closed_equity=capital if known is None else known)

    @property
    def state(self) -> PortfolioState:
        """As it was loaded or saved last."""
        return self._state

    @property
    def closed_equity(self) -> Exact | None:
        """As it was loaded or saved last; None while nobody said."""
        return self._state.closed_equity

    @property
    def initial_capital(self) -> Exact | None:
        """What there was at first; None while nobody said."""
        return self._state.initial_capital

    def load(self) -> PortfolioState:
        """Load it from the store; without one it stays as it is."""
        if self.db_manager is not None:
            self._state = self.db_manager.get_portfolio_state()
        return self._state

    def save(self, closed_equity: Number | None = None, **fields: Number | None) -> PortfolioState:
        """Save the closed equity, and other fields of the portfolio by name.

        Raises:
            ConcurrentUpdate: Somebody saved it since it was loaded: :meth:`load`, then repeat the change.
            StoreAway: The store is away; nothing was saved.
        """
        given = {name: None if value is None else number(value, name) for name, value in fields.items()}
        if closed_equity is not None:
            given["closed_equity"] = number(closed_equity, "closed_equity")
        return self._save(**given)

    def add_realized_pnl(self, amount: Number) -> PortfolioState:
        """Add what a closed trade came to, and save. Raises as :meth:`save`.

        Raises:
            BadInput: The closed equity is unknown.
        """
        more = number(amount, "amount")
        with self._turn:
            if self.closed_equity is None:
                problem = "the closed equity that it would be added to is unknown"
                raise BadInput("amount", amount, problem, remedy="Save that first: save(closed_equity=…).")
            return self._save(closed_equity=EXACT.add(self.closed_equity, more))

    def _save(self, **fields: Decimal | None) -> PortfolioState:
        with self._turn:
            if self.db_manager is not None:
                self._state = self.db_manager.save_portfolio_state(fields, version=self._state.version)
            else:
                self._state = self._state.changed(fields)
            return self._state
