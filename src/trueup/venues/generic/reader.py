"""Recognise a file of the generic format and read it: rows of facts, an instruments file, or a snapshot.

A name that the format does not have refuses the whole file, since a misspelt column would lose its data unseen. A row
that cannot be read is refused by itself, and the good ones are kept.
"""

from collections.abc import Iterable, Mapping

from trueup.model.errors import BadInput, Malformed
from trueup.model.events import Fact, InstrumentDefined
from trueup.model.identifiers import AccountId
from trueup.model.instruments import Instrument
from trueup.model.numbers import exact
from trueup.ports import Reading
from trueup.venues import rows
from trueup.venues.files import json_value
from trueup.venues.generic import cells, snapshot
from trueup.venues.generic.facts import Facts
from trueup.venues.generic.instruments import Catalogue, read_instruments
from trueup.venues.generic.kinds import COLUMNS, INSTRUMENT
from trueup.venues.generic.table import Line, Table, csv_table, json_table
from trueup.venues.lines import json_lines


class GenericReader:
    """Reads files of the generic format for one account."""

    def __init__(self, account: AccountId, instruments: Iterable[Instrument] = ()) -> None:
        """A reader for an account.

        Args:
            account: The ledger to book to.
            instruments: Contract details known before, as from :func:`read_instruments` or from the book.
        """
        self._account = account
        self._catalogue = Catalogue(instruments)

    def read(self, name: str, data: bytes, request: bytes | None = None) -> Reading:
        """Recognise and parse one file; there is no request to it.

        Raises:
            Malformed: Not a file of this format, or one with a column that the format does not have.
        """
        del request
        try:
            with exact():
                return self._read(name, data)
        except BadInput as error:
            raise Malformed(f"{name}: {error.field}={error.value!r}: {error.problem}.", remedy=error.remedy) from None

    def _read(self, name: str, data: bytes) -> Reading:
        start = data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
        if start not in (b"{", b"["):
            return self._rows(name, "CSV", csv_table(name, data))
        whole = _whole(name, data)
        if isinstance(whole, list) or (isinstance(whole, Mapping) and "instruments" in whole):
            return self._instruments(name, data)
        if isinstance(whole, Mapping) and "snapshot" in whole:
            cells.check_names(name, whole, ["snapshot"])
            return snapshot.read(name, whole["snapshot"], self._account, self._catalogue)
        return self._rows(name, "JSON lines", json_table(name, data))

    def _instruments(self, name: str, data: bytes) -> Reading:
        found = read_instruments(data, name)
        for instrument in found:
            self._catalogue.add(instrument)
        facts = [InstrumentDefined(self._account, instrument) for instrument in found]
        return Reading("instruments", facts, rows=len(found))

    def _rows(self, name: str, kind: str, table: Table) -> Reading:
        _check_columns(name, table)
        facts, booked, refused = Facts(self._account, self._catalogue), [], []
        for line in sorted(table.lines, key=_defines_first):
            try:
                fact = _fact(line, facts)
            except BadInput as error:
                refused.append(rows.refused(name, line.number, line.raw, error))
                continue
            booked += [] if fact is None else [fact]
        defined = [InstrumentDefined(self._account, facts.used[key]) for key in sorted(facts.used)]
        refused.sort(key=lambda row: row.row)
        return Reading(kind, [*defined, *booked], refused, rows=len(table.lines), note="" if table.lines else "no rows")


def _whole(name: str, data: bytes) -> object:
    """The file as one JSON value; None where it is none, as with several lines."""
    try:
        return json_value(name, data)
    except Malformed:
        if not any(isinstance(value, Mapping) for _, value in json_lines(name, data)):
            raise
        return None


def _fact(line: Line, facts: Facts) -> Fact | None:
    """The fact of a row; None for a row that defines an instrument."""
    if line.problem is not None:
        raise line.problem
    row = cells.filled(line.row)
    if row.get("kind") == INSTRUMENT:
        facts.define(row)
        return None
    return facts.fact(row)


def _defines_first(line: Line) -> bool:
    """Rows that define instruments go before the rows that need them, wherever they stand."""
    return line.row.get("kind") != INSTRUMENT


def _check_columns(name: str, table: Table) -> None:
    """Refuse a file with a column that the format does not have, or that does not say what its rows are.

    Raises:
        Malformed: It names the column.
    """
    if table.header is None:
        names = dict.fromkeys(column for line in table.lines for column in line.row)
        cells.check_names(name, names, COLUMNS)
        return
    cells.check_names(name, table.header, COLUMNS)
    if "kind" not in table.header:
        raise Malformed(f"{name}: the column 'kind' is missing: every file needs it.", remedy="Add kind to the header.")
