"""The instruments file of the day: a hundred thousand rows, of which an account meets a few.

Kite makes the file once a day, in the morning. It is fetched once, kept packed in a directory, and indexed: a row is
read where somebody asks for it. All that takes long is done beside the event loop.
"""

import asyncio
import csv
import gzip
import os
from collections.abc import Awaitable, Callable, Mapping
from datetime import date, time, timedelta
from pathlib import Path

from trueup.model.errors import BadInput, Malformed
from trueup.ports import Clock
from trueup.venues.files import FILE_BYTES_MAX, unpacked
from trueup.venues.lines import utf8
from trueup.venues.zerodha import instruments, ist
from trueup.venues.zerodha.instruments import Terms

MADE = time(8, 30)
"""From then on the day's file is there, as Kite advises when to fetch it."""

_NAME = "instruments-{}.csv.gz"


class Listing:
    """The terms of what is traded today.

    Args:
        fetch: Asks Kite for the file.
        folder: Where it is kept between starts; None to keep it in memory alone.
        clock: Ours.
    """

    def __init__(self, fetch: Callable[[], Awaitable[bytes]], folder: Path | None, clock: Clock) -> None:
        self._fetch = fetch
        self._folder = folder
        self._clock = clock
        self._day: date | None = None
        self._header = ""
        self._rows: Mapping[tuple[str, str], str] = {}
        self._loading = asyncio.Lock()

    @property
    def loaded(self) -> bool:
        """Whether the present day's file is at hand."""
        return self._day == self._today()

    async def load(self) -> None:
        """Have the present day's file at hand; at once where it is.

        Raises:
            VenueError: Kite could not be asked, or its answer could not be read. What was at hand stays so.
            BadInput: It is at hand, and could not be kept for the next start.
        """
        async with self._loading:
            today = self._today()
            if self._day == today:
                return
            kept = await asyncio.to_thread(self._kept, today)
            if kept is not None:
                (self._header, self._rows), self._day = kept, today
                return
            data = await self._fetch()
            (self._header, self._rows), self._day = await asyncio.to_thread(index, data), today
            await asyncio.to_thread(self._keep, today, data)

    def find(self, name: tuple[str, str]) -> Terms | None:
        """The terms of an exchange and tradingsymbol; None where the file has none, or was not loaded.

        Raises:
            BadInput: Its row cannot be read.
        """
        line = self._rows.get(name)
        if line is None:
            return None
        return instruments.terms(next(csv.DictReader([self._header, line], restkey="")))

    def _today(self) -> date:
        now = self._clock.now()
        today = ist.date_of(now)
        return today if now >= ist.at(today, MADE) else today - timedelta(days=1)

    def _kept(self, day: date) -> tuple[str, dict[tuple[str, str], str]] | None:
        """The file of a day, where it was kept whole."""
        if self._folder is None:
            return None
        try:
            return index((self._folder / _NAME.format(day)).read_bytes())
        except (OSError, Malformed):
            return None  # fetched anew, and kept anew

    def _keep(self, day: date, data: bytes) -> None:
        """Keep the file of a day in place of those before it."""
        if self._folder is None:
            return
        path = self._folder / _NAME.format(day)
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            older = set(self._folder.glob(_NAME.format("*"))) - {path}
            beside.write_bytes(gzip.compress(unpacked("instruments", data, FILE_BYTES_MAX), 6))
            beside.replace(path)
            for one in older:
                one.unlink(missing_ok=True)
        except OSError as error:
            raise BadInput(
                "token_file", str(self._folder), str(error.strerror), remedy="The day's instruments are kept beside it."
            ) from error


def index(data: bytes) -> tuple[str, dict[tuple[str, str], str]]:
    """The header of the file, and its lines by exchange and tradingsymbol.

    Raises:
        Malformed: Not the instruments file, or cut off.
    """
    text = utf8("instruments", unpacked("instruments", data, FILE_BYTES_MAX))
    lines = [line for line in text.split("\n") if line.strip()]
    if not lines or not lines[0].encode().startswith(instruments.COLUMNS):
        raise _broken("it does not begin as one")
    reader = csv.reader(lines)
    try:
        header = next(reader)
        exchange, name = header.index("exchange"), header.index("tradingsymbol")
        found = {(row[exchange], row[name]): lines[reader.line_num - 1] for row in reader}
    except (csv.Error, ValueError, IndexError) as error:
        raise _broken(str(error)) from error
    return lines[0], found


def _broken(problem: str) -> Malformed:
    return Malformed(f"The instruments file cannot be read: {problem}.", remedy="Fetch it again.")
