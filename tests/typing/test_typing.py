"""The client's types, seen from a program that uses it."""

from pathlib import Path

from mypy import api

CONSUMER = Path(__file__).with_name("consumer.py")
CONFIGURATION = Path(__file__).parents[2] / "pyproject.toml"


def test_a_program_that_uses_the_client_passes_strict_mypy():
    report, failure, exit_code = api.run(["--config-file", str(CONFIGURATION), "--strict", str(CONSUMER)])
    assert (exit_code, failure) == (0, ""), report
