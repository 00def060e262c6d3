"""Logs that machines read, and people at a terminal."""

import io
import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from server.logs import logger

ROOT = Path(__file__).parents[3]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_line_is_a_json_object_that_begins_with_time_level_and_event():
    stream = io.StringIO()
    logger(stream).info("ready", address="127.0.0.1:1")
    event = json.loads(stream.getvalue())
    assert list(event) == ["timestamp", "level", "event", "address"]
    assert (event["level"], event["event"], event["address"]) == ("info", "ready", "127.0.0.1:1")


def test_at_a_terminal_a_line_is_key_and_value():
    stream = Terminal()
    logger(stream).info("ready", address="127.0.0.1:1")
    assert "event='ready' address='127.0.0.1:1'" in stream.getvalue()


def test_a_line_break_in_a_value_does_not_break_the_line():
    stream = io.StringIO()
    logger(stream).info("refused", name='a"\n{"event": "forged"}')
    assert len(stream.getvalue().splitlines()) == 1


def test_an_exception_is_logged_with_its_traceback():
    stream = io.StringIO()
    log = logger(stream)
    try:
        raise ValueError("what happened")
    except ValueError:
        log.exception("defect")
    assert "ValueError: what happened" in json.loads(stream.getvalue())["exception"]


@pytest.mark.parametrize(("level", "lines"), [("debug", 3), ("info", 2), ("error", 1)])
def test_what_is_below_the_level_is_left_out(level, lines):
    stream = io.StringIO()
    log = logger(stream, level=level)
    log.debug("one")
    log.info("two")
    log.error("three")
    assert len(stream.getvalue().splitlines()) == lines


@pytest.mark.parametrize("stream", ["/dev/full", "closed"])
def test_a_log_that_cannot_be_written_fails_nobody(stream):
    with open("/dev/full" if stream == "/dev/full" else "/dev/null", "w") as out:
        if stream == "closed":
            log = logger(out)
            out.close()
        else:
            log = logger(out)
        log.error("disk_short", free_bytes=0)
        log.error("disk_short", free_bytes=0)
        with suppress(OSError):
            out.close()


def test_whoever_logs_does_not_wait_for_whoever_reads():
    reading, writing = os.pipe()
    code = (
        "from server.logs import logger\n"
        "log = logger()\n"
        "for number in range(5000):\n"
        "    log.error('write_failed', number=number, text='x' * 100)\n"
        "print('went on', flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=writing, text=True
    ) as process:
        os.close(writing)
        assert process.stdout
        assert process.stdout.readline() == "went on\n"
        assert process.wait() == 0
    os.close(reading)


def test_what_was_logged_last_is_written_before_the_process_ends():
    code = "from server.logs import logger\nlog = logger()\nfor i in range(200):\n    log.info('line', number=i)\n"
    finished = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert [json.loads(line)["number"] for line in finished.stderr.splitlines()] == list(range(200))
