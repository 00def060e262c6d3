"""What a benchmark and a process that works for it tell each other, line by line."""

import subprocess


def heard(process: "subprocess.Popen[str]") -> str:
    """Return the next line that a process says. Raises RuntimeError where it has ended instead."""
    assert process.stdout is not None
    if line := process.stdout.readline():
        return line
    raise RuntimeError("a process that works for the benchmark has ended")


def told(process: "subprocess.Popen[str]") -> None:
    """Tell a process that waits to go on."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
