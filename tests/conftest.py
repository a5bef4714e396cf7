"""What every test shares: the hypothesis profiles.

`HYPOTHESIS_PROFILE=dev` looks further, with fresh examples each time; the default, `ci`, gives the same answer twice.
"""

import os

from hypothesis import settings

settings.register_profile("ci", database=None, deadline=None, derandomize=True, max_examples=100, print_blob=True)
settings.register_profile("dev", database=None, deadline=None, max_examples=1_000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
