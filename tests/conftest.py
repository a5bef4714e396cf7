"""What every test shares: the hypothesis profiles.

`HYPOTHESIS_PROFILE=dev` looks further, with fresh examples each time; the default, `ci`, gives the same answer twice.
No profile measures time: how long an example takes says something about the machine, nothing about the code.
"""

import os

from hypothesis import HealthCheck, settings

UNTIMED = settings(database=None, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])

settings.register_profile("ci", UNTIMED, derandomize=True, max_examples=100)
settings.register_profile("dev", UNTIMED, max_examples=1_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
