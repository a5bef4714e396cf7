"""Importing the signing library leaves the process as it was."""

import subprocess
import sys


def test_the_recursion_limit_stays() -> None:
    code = "from sys import getrecursionlimit as now; old = now(); import trueup.venues.ethereum; print(now() - old)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert told.stdout == "0\n"
