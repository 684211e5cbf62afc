"""What there is and what is documented are the same: both ways, from the registries."""

from __future__ import annotations

import re
from inspect import cleandoc
from pathlib import Path
from typing import get_args

import pytest

from api.openapi import problems_of
from api.problems import INTERNAL, METHOD, NO_API, PROBLEMS
from api.reference import events
from api.reference.markdown import pages
from api.routes import CALLS
from api.settings import SETTINGS
from api.upkeep.findings import UNREACHABLE, Code
from domain.fact import Fact

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs" / "reference"
API = [call for call in CALLS if call.tag]


def read(name: str) -> str:
    return (ROOT / "docs" / name).read_text("utf-8")


def headings(text: str, level: str) -> list[str]:
    return re.findall(rf"^{level} (.*)$", text, re.MULTILINE)


@pytest.mark.parametrize("name", pages())
def test_a_page_of_the_reference_is_as_it_would_be_made_now(name):
    assert (REFERENCE / name).read_text("utf-8") == pages()[name], "stale: run scripts/reference"


def test_nothing_else_lies_among_the_generated_pages():
    assert {path.name for path in REFERENCE.iterdir()} == set(pages())


@pytest.mark.parametrize("name", pages())
def test_each_link_in_the_reference_leads_to_a_heading(name):
    for file, fragment in re.findall(r"\]\(([^)#]*)#([^)]+)\)", read(f"reference/{name}")):
        text = read(f"reference/{file or name}")
        slugs = [re.sub(r"[^\w -]", "", each).lower().replace(" ", "-")
                 for each in headings(text, "#+")]  # fmt: skip
        assert slugs.count(fragment) == 1, fragment


def test_every_call_is_documented_and_nothing_else():
    told = headings(read("reference/api.md"), "###")
    assert [each for each in told if each in {call.name for call in API}] == told[: len(API)]
    assert set(told[: len(API)]) == {call.name for call in API}


def test_every_error_is_documented_and_nothing_else():
    told = headings(read("reference/errors.md"), "##")
    codes = {f"{each.status or 'on a failed task'} {each.code}" for each in PROBLEMS}
    assert (set(told), len(told)) == (codes, len(PROBLEMS))


def test_every_error_is_some_calls_or_any_requests_or_a_failed_tasks():
    of_calls = {
        each for call in API for status in call.statuses for each in problems_of(call, status)
    }
    of_tasks = {each for each in PROBLEMS if each.status is None}
    assert of_calls | of_tasks | {INTERNAL, METHOD, NO_API} == set(PROBLEMS)


def test_every_setting_is_documented_and_nothing_else():
    told = re.findall(r"^\| `(EXPORT_TASKS_\w+)`", read("reference/settings.md"), re.MULTILINE)
    assert told == [setting.variable for setting in SETTINGS]


@pytest.mark.parametrize("topic", events.topics())
def test_every_event_and_each_of_its_fields_is_documented_and_nothing_else(topic):
    event = events.topics()[topic]
    section = read("reference/events.md").split(f"\n### {topic}\n")[1]
    section = re.split(r"\n##+ ", section)[0]
    told = re.findall(r"^\| `(\w+)` \| .+ \| (.+) \|$", section, re.MULTILINE)
    own = set(events.kinds(event)) - set(events.kinds(Fact))
    assert {name for name, _ in told} == own
    assert events.meaning(event) in section
    assert all(meaning.strip() for _, meaning in told)


def test_no_topic_is_documented_that_there_is_not():
    told = headings(read("reference/events.md"), "###")
    assert told == list(events.topics())


@pytest.mark.parametrize("event", [*events.topics().values(), Fact])
def test_a_docstring_tells_of_no_field_that_there_is_not(event):
    fields = {field.name for field in (*events.fields(event), *events.metadata())}
    told = {
        name
        for each in event.__mro__
        for name in re.findall(
            r"^    (\w+): ", cleandoc(each.__doc__ or "").partition("Fields:")[2], re.M
        )
    }
    assert told - fields == set()


def test_what_every_event_carries_is_documented():
    metadata = read("reference/events.md").split("\n## Log")[0]
    told = re.findall(r"^\| `(\w+)` ", metadata, re.MULTILINE)
    assert set(told) == set(events.kinds(Fact))
    assert all(field.meaning for field in events.metadata())


def test_every_permission_is_documented_and_nothing_else():
    told = re.findall(r"^\| `(iotda:\w+:\w+)`", read("policies.md"), re.MULTILINE)
    assert sorted(told) == sorted({call.permission for call in API if call.permission})


def test_every_finding_of_doctor_is_documented_and_nothing_else():
    table = read("backup.md").split("\n## Doctor\n")[1]
    told = [code for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
            for code in re.findall(r"`(\w+)`", row)]  # fmt: skip
    assert sorted(told) == sorted(get_args(Code))


def test_every_finding_is_found_by_something():
    finders = [path for path in (ROOT / "api" / "upkeep").glob("*.py") if path.stem != "findings"]
    code = "".join(path.read_text("utf-8") for path in finders)
    for finding in get_args(Code):
        name = "find(UNREACHABLE," if finding == UNREACHABLE else f'"{finding}"'
        assert name in code, finding
