"""How a function becomes a verb: its docstring is its help; paragraphs with indented lines keep their lines."""

import inspect
from collections.abc import Callable

import typer

_AS_WRITTEN = "\b\n"
"""Tells the help formatter to leave the lines of a paragraph alone."""


def register(app: typer.Typer, verb: Callable[..., int], name: str | None = None) -> None:
    """Add a verb, by default under the name of its function."""
    app.command(name, help=help_of(verb))(verb)


def help_of(described: Callable[..., object]) -> str:
    """A docstring as help."""
    paragraphs = inspect.cleandoc(described.__doc__ or "").split("\n\n")
    return "\n\n".join(_AS_WRITTEN + text if "\n  " in text else text for text in paragraphs)
