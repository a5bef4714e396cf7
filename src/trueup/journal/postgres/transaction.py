"""What one transaction's work may ask of its connection, be it the writer's own or one of the pool's."""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import asyncpg


class Transaction(Protocol):
    """An open transaction. Results and arguments are as asyncpg has them; it raises what asyncpg raises."""

    async def execute(self, query: str, *args: object) -> str:
        """Run a statement, or several when there are no arguments; the status of the last one."""
        ...

    async def fetch(self, query: str, *args: object) -> Sequence[asyncpg.Record]:
        """All rows of a query."""
        ...

    async def fetchrow(self, query: str, *args: object) -> asyncpg.Record | None:
        """The first row of a query; None when there is none."""
        ...

    async def fetchval(self, query: str, *args: object) -> Any:  # noqa: ANN401 - of the query
        """The first value of the first row; None when there is none."""
        ...

    async def copy_records_to_table(
        self, table_name: str, *, records: Iterable[Sequence[object]], columns: Sequence[str]
    ) -> str:
        """Write rows by the COPY protocol."""
        ...
