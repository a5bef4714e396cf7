"""Child processes that tests start: in which environment."""

import os


def unmeasured() -> dict[str, str]:
    """The environment for a child that is going to be killed: without coverage, whose file a kill could cut short."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
