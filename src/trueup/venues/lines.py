"""Files with one row a line: their text, and where each row stands, so that a person finds it again."""

from collections.abc import Sequence

from trueup.model.errors import Malformed
from trueup.venues.files import json_value


def utf8(name: str, data: bytes) -> str:
    """The text of a file, without its byte order mark.

    Raises:
        Malformed: A byte that is not UTF-8; the message names its offset.
    """
    try:
        return data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise Malformed(
            f"{name}: byte {error.start} (0x{data[error.start]:02x}) is not UTF-8.", remedy="Save the file as UTF-8."
        ) from None


def json_lines(name: str, data: bytes) -> Sequence[tuple[int, object]]:
    """Line numbers and JSON values of a file; a line that is not JSON stays bytes, to be refused as a row."""
    values: list[tuple[int, object]] = []
    for number, line in enumerate(data.splitlines(), start=1):
        if line.strip():
            try:
                values.append((number, json_value(f"{name}:{number}", line)))
            except Malformed:
                values.append((number, line))
    return values
