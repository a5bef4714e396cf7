"""The conformance suite of venues: everything an adapter has to keep to, whatever venue it speaks for.

Provide a :class:`~trueup.testing.conformance.rig.Rig`, and run each of :data:`CHECKS` against one of its own; with
pytest::

    @pytest.mark.parametrize("check", CHECKS, ids=name)
    def test_conformance(check: Check) -> None:
        asyncio.run(run(check, my_setup))

A check returns when the adapter keeps to it, and raises
:class:`~trueup.testing.conformance.rig.NotConforming` with a sentence when it does not. What the adapter's
:class:`~trueup.model.venues.Capabilities` do not claim is not asked of it.
"""

from collections.abc import Awaitable, Callable, Sequence

from trueup.testing.conformance.following import FOLLOWING
from trueup.testing.conformance.reading import READING
from trueup.testing.conformance.rig import Rig, Setup
from trueup.testing.conformance.trading import HEDGING, TRADING

Check = Callable[[Rig], Awaitable[None]]

CHECKS: Sequence[Check] = (*READING, *TRADING, *FOLLOWING)
"""All of them, in the order in which an author wants them to pass."""

HEDGED_CHECKS: Sequence[Check] = HEDGING
"""For a rig whose account holds long and short side by side."""


def name(check: Check) -> str:
    """What a check says of the adapter, in words."""
    return check.__name__.removeprefix("check_").replace("_", " ")


async def run(check: Check, setup: Setup) -> None:
    """One check, against a rig made for it. Raises what the check raises."""
    async with setup() as rig:
        await check(rig)
