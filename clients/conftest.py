"""Which Python the clients of others run in, and how a script of theirs is run."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

SCRIPTS = Path(__file__).parent / "scripts"
PATIENCE_S = 300.0
"""For importing a large client on a busy machine, and for its story."""

Judge = Callable[..., Awaitable[dict[str, Any]]]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--client-python", type=Path, help="the Python of the environment that holds the clients")


@pytest.fixture
def judge(request: pytest.FixtureRequest) -> Judge:
    """Runs a script and gives what it printed."""
    python: Path | None = request.config.getoption("--client-python")
    if python is None:
        pytest.skip("no environment with the clients was named: run `make test-clients`")

    python = python.absolute()

    async def run(script: str, *arguments: str) -> dict[str, Any]:
        process = await asyncio.create_subprocess_exec(
            python,
            SCRIPTS / script,
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(PATIENCE_S):
                told, complaint = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, complaint.decode()
        saw: dict[str, Any] = msgspec.json.decode(told)
        return saw

    return run
