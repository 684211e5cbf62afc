"""Markdown: the generated pages of docs/reference, from the same registries that the code obeys."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from api.pages import described
from api.reference import events, view
from api.settings import SETTINGS, Setting

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from domain.fact import Fact

MADE = "<!-- Made by scripts/reference; change what it is made of, and run that again. -->"

_OBJECT = re.compile("`([A-Z][a-z]+[A-Za-z]*)`")

UNSAID = {"home": "the user's data folder", "secret_key": "made when it is first needed"}
"""Of settings whose default is none that can be written down."""


def pages() -> dict[str, str]:
    """Each page's text by its file's name."""
    made = {"api": _api(), "errors": _errors(), "events": _events(), "settings": _settings()}
    return {f"{name}.md": "\n".join((MADE, "", *lines)) + "\n" for name, lines in made.items()}


def _api() -> Iterator[str]:
    document = described()
    groups = view.groups(document)
    yield from ("# The API", "", document["info"]["description"], "")
    yield "A running service tells the same at `/docs`, and to programs at `/openapi.json`. In the"
    yield "examples `$ENDPOINT` is the address of the service, `$TOKEN` a token (CreateToken)."
    yield ""
    rows = [
        (f"[{call.name}](#{call.name.lower()})", f"`{call.method} {call.path}`", _needs(call))
        for _, _, calls in groups
        for call in calls
    ]
    yield from _table(("call", "route", "needs"), rows)
    for name, about, calls in groups:
        yield from (f"## {name}", "", about, "")
        for call in calls:
            yield from _call(call)
    yield from ("## Objects", "")
    for name, about, fields in view.shapes(document):
        yield from (f"### {name}", "", about, "")
        yield from _fields(fields) if fields else ("One of the objects below, by its `type`.", "")


def _call(call: view.Told) -> Iterator[str]:
    yield from (f"### {call.name}", "", f"`{call.method} {call.path}`: {call.summary}.", "")
    yield call.text
    yield ""
    sdk = f"; official Python SDK: `{call.sdk}`" if call.sdk else ""
    yield from (f"Needs {_needs(call)}{sdk}.", "")
    yield from _block("bash", call.curl)
    if call.parameters:
        yield from _fields(call.parameters)
    if call.body:
        yield from (f"Body: [{call.body}](#{call.body.lower()}).", "")
    for answer in call.answers:
        shape = f" [{answer.shape}](#{answer.shape.lower()})" if answer.shape else ""
        headers = ", ".join(f"`{name}`" for name in answer.headers)
        yield from (f"**{answer.status} {answer.phrase}**{shape}; headers: {headers}.", "")
        if answer.example:
            yield from _block("json", answer.example)
    if call.refusals:
        refused = ", ".join(f"[{_code(each)}](errors.md#{_slug(each)})" for each in call.refusals)
        yield from (f"Refused: {refused}.", "")


def _errors() -> Iterator[str]:
    yield from ("# Errors", "")
    yield 'Every refusal is JSON: `{"error_code": "…", "error_msg": "…"}`. The codes that stand on'
    yield "failed tasks, in `error_code` and `error_msg` of the task, are the last ones."
    yield ""
    for each in view.refusals():
        yield from (f"## {_code(each)}", "", f"**{each.when}**", "")
        yield from (each.do, "", f"> {each.message}", "")


def _events() -> Iterator[str]:
    yield from ("# Events", "")
    yield "What can stand in the event log. Topics and fields are stored for ever; new ones may"
    yield "come. `event list` shows the log, [replay](../replay.md) what it made of the world."
    yield ""
    yield from ("## Metadata", "", "Every event has, beside its own fields:", "")
    kept = [
        (
            "originator_id",
            "string",
            "the stream it belongs to: an id made of what it is about.",
        ),
        ("originator_version", "integer", "its place in the stream, from 1, without gaps."),
        ("timestamp", "string", "when it happened, in UTC; never before the one before it."),
    ]
    rows = [*kept, *((each.name, each.type, each.meaning) for each in events.metadata())]
    yield from _table(("field", "type", "meaning"), [(f"`{n}`", t, m) for n, t, m in rows])
    yield "`event list --json` calls the first three `stream`, `version` and `time`; beside them it"
    yield "tells `event`, the topic, and `position`, its place in the log. Ids of people are"
    yield "opaque: no event holds a name, a password or a secret."
    yield ""
    about = None
    for topic, event in events.topics().items():
        if events.about(event) != about:
            about = events.about(event)
            yield from (f"## {about}", "", events.meaning(_aggregate(event)), "")
        yield from _event(topic, event)


def _event(topic: str, event: type[Fact]) -> Iterator[str]:
    yield from (f"### {topic}", "", events.meaning(event), "")
    rows = [(f"`{each.name}`", each.type, each.meaning) for each in events.fields(event)]
    yield from _table(("field", "type", "meaning"), rows)


def _aggregate(event: type[Fact]) -> type:
    import sys

    found: type = getattr(sys.modules[event.__module__], events.about(event))
    return found


def _settings() -> Iterator[str]:
    yield from ("# Settings", "")
    yield "Read from the environment once, at start. A flag of `serve` wins over the environment,"
    yield "the environment over the default; `export-tasks config show` tells each value and where"
    yield "it comes from. Durations: `30`, `30s`, `5m`, `1h`. An unknown `EXPORT_TASKS_…` variable,"
    yield "or a value that does not parse, ends the command before it does anything."
    yield ""
    yield from _table(("setting", "default", "meaning"), map(_setting, SETTINGS))


def _setting(each: Setting) -> tuple[str, str, str]:
    default = f"`{each.default}`" if each.default else UNSAID.get(each.name, "none")
    file = f" A file that holds it: `{each.file_variable}`." if each.secret else ""
    return f"`{each.variable}`", default, f"{each.meaning}.{file}"


def _needs(call: view.Told) -> str:
    return f"`{call.needs}`" if ":" in call.needs else call.needs


def _code(each: view.Refusal) -> str:
    return f"{each.status} {each.code}"


def _slug(each: view.Refusal) -> str:
    return _code(each).lower().replace(".", "").replace(" ", "-")


def _fields(fields: Iterable[view.Field]) -> Iterator[str]:
    def row(each: view.Field) -> tuple[str, str, str]:
        needed = ", must be given" if each.required and each.place else ""
        return f"`{each.name}` {each.place}{needed}".strip(), _linked(each.rules), each.meaning

    yield from _table(("name", "rules", "meaning"), map(row, fields))


def _linked(rules: str) -> str:
    """Names of objects as links to them."""
    return _OBJECT.sub(lambda name: f"[{name[1]}](#{name[1].lower()})", rules)


def _block(language: str, text: str) -> Iterator[str]:
    yield from (f"```{language}", text, "```", "")


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield _row(head)
    yield _row(("---",) * len(head))
    yield from map(_row, rows)
    yield ""


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
