"""Reading: strict JSON, one definition of each shape, and errors that name the field."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, TypeVar, cast

from msgspec import ValidationError, convert
from msgspec.inspect import type_info

from domain.refusals import Invalid

if TYPE_CHECKING:
    from typing import NoReturn

    from msgspec.inspect import StructType

S = TypeVar("S")

MEDIA_TYPE = "application/json"
SHOWN = 64
"""How much of a wrong name or value an error repeats."""

_MISSING = re.compile(r"Object missing required field `(.*)`", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)


class Unreadable(Exception):
    """A body, or a header, that cannot be read at all."""


def check_media_type(content_type: str | None) -> None:
    """No Content-Type counts as JSON. Raises Unreadable for another, and says which to send."""
    if content_type is not None and content_type.partition(";")[0].strip().lower() != MEDIA_TYPE:
        raise Unreadable(f"The Content-Type must be {MEDIA_TYPE}.")


def read(text: bytes | str, kind: type[S], field: str = "") -> S:
    """The JSON object as its shape; `field` is the name of what is read, for errors.

    Raises:
        Unreadable: the body is no JSON, or too deep.
        Invalid: a field is missing, unknown, given twice, or not what it must be.
    """
    found = _loads(text, field)
    if not isinstance(found, dict):
        raise Invalid(field or "body", "must be a JSON object")
    for name, value in found.items():
        _must_be_unicode(_path(field, name[:SHOWN]), name, value)
    try:
        return convert(found, kind)
    except ValidationError as error:
        raise _fault(str(error), field, kind) from None


def _loads(text: bytes | str, field: str) -> Any:
    def pairs(members: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in members:
            if name in found:
                raise Invalid(_path(field, name[:SHOWN]), "is given twice")
            found[name] = value
        return found

    try:
        decoded = text.decode() if isinstance(text, bytes) else text
        return json.loads(decoded, object_pairs_hook=pairs, parse_constant=_no_number)
    except (ValueError, RecursionError):
        if field:
            raise Invalid(field, "must hold JSON") from None
        raise Unreadable("The body is not readable as JSON.") from None


def _no_number(word: str) -> NoReturn:
    raise ValueError(word)


def _must_be_unicode(path: str, name: str, value: Any) -> None:
    try:
        json.dumps([name, value], ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise Invalid(path, "holds half of a surrogate pair") from None


def _fault(error: str, field: str, kind: type[Any]) -> Invalid:
    """msgspec's message as ours: `Expected `str`, got `int` - at `$.app_id``."""
    text, _, place = error.rpartition(" - at `$") if error.endswith("`") else (error, "", "")
    text, place = (text, place) if text else (error, "")
    path = _path(field, place.strip(".`"))
    for pattern, rule in ((_MISSING, "is missing"), (_UNKNOWN, "is unknown")):
        if named := pattern.fullmatch(text):
            return Invalid(_path(path, named[1][:SHOWN]), rule)
    if text.startswith("Invalid enum value"):
        return Invalid(path, f"must be {' or '.join(_choices(kind, place.strip('.`')))}")
    return Invalid(path or "body", f"is wrong: {text[:1].lower()}{text[1 : 2 * SHOWN]}")


def _choices(kind: type[Any], name: str) -> list[str]:
    """What a field of the shape itself may be, where that is one of a few words."""
    shape = cast("StructType", type_info(kind))
    (found,) = (getattr(each.type, "type", each.type) for each in shape.fields if each.name == name)
    kinds = getattr(found, "types", (found,))
    return [word for each in kinds for word in getattr(each, "values", ())]


def _path(*names: str) -> str:
    return ".".join(filter(None, names))
