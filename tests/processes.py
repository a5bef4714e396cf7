"""Child processes that tests start: how long they may take, and in which environment those run that will be killed."""

import os

PATIENCE_S = 200
"""For a process to do its work and end, on a machine as busy as can be."""


def unmeasured() -> dict[str, str]:
    """The environment for a child that is going to be killed: without coverage, whose file a kill could cut short."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
