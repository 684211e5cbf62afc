"""Log lines off a terminal: one JSON object each, whatever they say; and on one."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys

import pytest

from scripts.logs import as_json, for_people

HALF = "a\udcffb"
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def a_record(message: str, *words: object, **keys: object) -> logging.LogRecord:
    """A record of an error that is being handled, if one is."""
    error = sys.exc_info() if sys.exc_info()[0] else None
    record = logging.LogRecord("api", logging.ERROR, __file__, 1, message, words, error)
    record.keys = keys
    return record


def failing(message: str, *words: object, **keys: object) -> logging.LogRecord:
    try:
        raise ValueError(HALF)
    except ValueError:
        return a_record(message, *words, **keys)


def test_a_line_tells_what_was_said_by_whom_and_what_went_wrong():
    line = json.loads(as_json().format(failing("said %s", "ä" + HALF)))
    assert (line["level"], line["logger"]) == ("error", "api")
    assert line["message"] == "said äa\\udcffb"
    assert line["exception"].endswith("ValueError: a\\udcffb")


def test_a_lines_keys_stand_beside_its_message():
    text = as_json().format(a_record("a fact", topic="task.created", position=7, file=HALF))
    line = json.loads(text)
    assert list(line)[:5] == ["time", "level", "logger", "pid", "message"]
    assert {name: line[name] for name in list(line)[5:]} == {
        "topic": "task.created",
        "position": 7,
        "file": "a\\udcffb",
    }
    assert "\n" not in text


def test_a_line_without_keys_is_a_line(caplog):
    record = logging.LogRecord("api", logging.INFO, __file__, 1, "said", (), None)
    line = json.loads(as_json().format(record))
    assert list(line) == ["time", "level", "logger", "pid", "message"]


def test_for_people_the_same_is_a_line_of_words(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    text = for_people().format(a_record("a fact", topic="task.created"))
    assert COLOUR.search(text)
    assert re.fullmatch(r"\S+ \[error +\] a fact +topic=task\.created", COLOUR.sub("", text))
    assert for_people().format(failing("said")).endswith(f"ValueError: {HALF}")


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_there_is_no_colour_where_none_is_wanted(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert not COLOUR.search(for_people().format(a_record("said")))


def test_the_log_brings_no_library_for_pictures_with_it_and_leaves_it_to_others():
    program = (
        "import sys; from scripts.logs import log_to_stderr; log_to_stderr(); "
        "assert 'structlog' in sys.modules and 'rich' not in sys.modules; "
        "import rich; log_to_stderr(); assert sys.modules['rich'] is rich"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
