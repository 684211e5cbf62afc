"""Events: what each that can stand in the log means, field by field, from its docstrings."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import MISSING
from datetime import datetime
from inspect import cleandoc
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, get_args, get_origin, get_type_hints
from uuid import UUID

from domain.fact import Fact
from domain.stored import EVENTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_FIELD = re.compile(r"^    (\w+): (.*(?:\n     .*)*)", re.MULTILINE)
_LOCAL = {"datetime": datetime, "UUID": UUID, "ClassVar": ClassVar}
_KINDS: dict[Any, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    NoneType: "null",
    list: "array",
    dict: "object",
    datetime: "string",
}


class Field(NamedTuple):
    """A field of an event: what it is made of, and what it means."""

    name: str
    kind: Any
    meaning: str
    optional: bool = False

    @property
    def schema(self) -> dict[str, Any]:
        """What its value is in JSON."""
        return {**schema_of(self.kind), "description": self.meaning}

    @property
    def type(self) -> str:
        """The same in words: `string or null`."""
        kinds = schema_of(self.kind)["type"]
        return kinds if isinstance(kinds, str) else " or ".join(kinds)


def topics() -> dict[str, type[Fact]]:
    """Every event that can be stored, by its topic."""
    return {event.TOPIC: event for event in EVENTS}


def meaning(event: type[Fact]) -> str:
    """What an event means, in a sentence."""
    first = cleandoc(event.__doc__ or "").partition("\nFields:\n")[0].partition("\n\n")[0]
    return first.strip().replace("\n", " ")


def about(event: type[Fact]) -> str:
    """What the aggregate is whose event this is."""
    return event.__qualname__.partition(".")[0]


def fields(event: type[Fact]) -> list[Field]:
    """What an event tells beside the metadata, in the order of its declaration."""
    return list(_fields(event, without=kinds(Fact)))


def metadata() -> list[Field]:
    """What every event carries."""
    return [field for field in _fields(Fact, without={}) if field.meaning]


def schema_of(kind: Any) -> dict[str, Any]:
    """A Python type, as events have it, in the words of JSON Schema."""
    if isinstance(kind, UnionType):
        return {"type": [_KINDS[each] for each in get_args(kind)]}
    origin = get_origin(kind) or kind
    schema: dict[str, Any] = {"type": _KINDS[origin]}
    if origin is list:
        schema["items"] = schema_of(get_args(kind)[0])
    if origin is dict:
        schema["additionalProperties"] = schema_of(get_args(kind)[1])
    if origin is datetime:
        schema["format"] = "date-time"
    return schema


def kinds(event: type[Fact]) -> dict[str, Any]:
    """The types of an event's fields, inherited ones too; what is the class's own is none."""
    hints = get_type_hints(event, localns=_LOCAL)
    return {name: kind for name, kind in hints.items() if ClassVar not in (kind, get_origin(kind))}


def _fields(event: type[Fact], without: Iterable[str]) -> Iterator[Field]:
    meanings = _meanings(event)
    needed = {each.name for each in dataclasses.fields(event) if each.default is MISSING}
    for name, kind in kinds(event).items():
        if name not in without:
            yield Field(name, kind, meanings.get(name, ""), name not in needed)


def _meanings(event: type[Fact]) -> dict[str, str]:
    """The nearest docstring that tells of a field is the one that counts."""
    found: dict[str, str] = {}
    for each in reversed(event.__mro__):
        told = cleandoc(each.__doc__ or "").partition("\nFields:\n")[2]
        found |= {name: re.sub(r"\s+", " ", text) for name, text in _FIELD.findall(told)}
    return found
