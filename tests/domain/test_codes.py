"""Error codes: each has one name, and is written in one place."""

from __future__ import annotations

import re
from pathlib import Path

from api.problems import PROBLEMS
from domain import codes

ROOT = Path(__file__).parents[2]
HOME = ROOT / "domain" / "codes.py"
OURS = {code for name, code in vars(codes).items() if name.isupper()}


def test_every_error_of_the_api_has_a_code_and_every_code_an_error():
    assert {each.code for each in PROBLEMS} == OURS


def test_two_names_never_mean_one_code():
    assert len(OURS) == sum(name.isupper() for name in vars(codes))


def test_a_code_is_written_where_it_has_its_name_and_nowhere_else():
    rooms = ("domain", "projections", "exporter", "api", "scripts")
    sources = [path for room in rooms for path in (ROOT / room).rglob("*.py")]
    assert HOME in sources
    quoted = re.compile('"(?:' + "|".join(map(re.escape, OURS)) + ')"')
    assert [path for path in sources if quoted.search(path.read_text())] == [HOME]
