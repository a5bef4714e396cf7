"""ccxt costs a second and 100 MB: a process without an account that needs it never imports it."""

import subprocess
import sys

import pytest

WITHOUT = """
import sys
from random import Random

import trueup
from trueup import settings
from trueup.bootstrap import venues as wiring
from trueup.cli import main, venues
from trueup.engine.clock import SystemClock
from trueup.engine.reading import Hints
from trueup.model.identifiers import AccountId

wiring.venue_capabilities()
account = settings.PaperSettings(account=AccountId("paper:main"), port=1)
wiring.live_venue(account, environment={}, clock=SystemClock(), random=Random(1), hints=Hints())
venues.list_venues()
"""

WITH = """
import sys
from random import Random

from trueup import settings
from trueup.bootstrap import venues as wiring
from trueup.engine.clock import SystemClock
from trueup.engine.reading import Hints
from trueup.model.identifiers import AccountId

account = settings.CcxtSettings(account=AccountId("bybit:main"), exchange="bybit", key="env:K", secret="env:S")
environment = {"K": "key", "S": "secret"}
wiring.live_venue(account, environment=environment, clock=SystemClock(), random=Random(1), hints=Hints())
"""

ASKED = "\nprint('ccxt' in sys.modules, 'aiohttp' in sys.modules)"


@pytest.mark.parametrize(("program", "told"), [(WITHOUT, "False False"), (WITH, "True True")])
def test_ccxt_is_imported_where_it_is_configured_and_nowhere_else(program: str, told: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", program + ASKED], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.splitlines()[-1] == told
