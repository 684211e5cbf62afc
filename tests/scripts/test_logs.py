"""Log lines off a terminal: one JSON object each, whatever they say."""

from __future__ import annotations

import json
import logging
import sys

from scripts.logs import JsonLine

HALF = "a\udcffb"


def test_a_line_tells_what_was_said_by_whom_and_what_went_wrong():
    try:
        raise ValueError(HALF)
    except ValueError:
        error = sys.exc_info()
    record = logging.LogRecord("api", logging.ERROR, __file__, 1, "said %s", ("ä" + HALF,), error)
    line = json.loads(JsonLine().format(record))
    assert (line["level"], line["logger"]) == ("error", "api")
    assert line["message"] == "said äa\\udcffb"
    assert line["exception"].endswith("ValueError: a\\udcffb")
