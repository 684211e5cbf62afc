"""Reading: strict JSON, one definition of each shape, and errors that name the field."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

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

_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([^\";\s]*)", re.IGNORECASE)
_MISSING = re.compile(r"Object missing required field `(.*)`", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)


class Unreadable(Exception):
    """A body, or a header, that cannot be read at all."""


class _Twice(NamedTuple):
    """Stands for an object in which a name is given twice."""

    name: str


def check_media_type(content_type: str | None, content_encoding: str | None) -> None:
    """No Content-Type counts as JSON, in UTF-8, as it stands.

    Raises:
        Unreadable: it is another, or packed; the message says which to send.
    """
    media_type = MEDIA_TYPE if content_type is None else content_type
    if media_type.partition(";")[0].strip().lower() != MEDIA_TYPE:
        raise Unreadable(f"The Content-Type must be {MEDIA_TYPE}.")
    if {each.lower() for each in _CHARSET.findall(media_type)} - {"utf-8"}:
        raise Unreadable(f"The charset of the Content-Type must be utf-8: send {MEDIA_TYPE}.")
    if (content_encoding or "identity").strip().lower() != "identity":
        raise Unreadable("The Content-Encoding must be identity: send the body as it is.")


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
    try:
        decoded = text.decode() if isinstance(text, bytes) else text
        found = json.loads(decoded, object_pairs_hook=_object, parse_constant=_no_number)
        twice = _given_twice(found, field)
    except (ValueError, RecursionError):
        if field:
            raise Invalid(field, "must hold JSON") from None
        raise Unreadable("The body is not readable as JSON.") from None
    if twice:
        raise Invalid(twice[: 2 * SHOWN], "is given twice")
    return found


def _object(members: list[tuple[str, Any]]) -> dict[str, Any] | _Twice:
    found = dict(members)
    if len(found) == len(members):
        return found
    return _Twice(next(name for name, times in Counter(n for n, _ in members).items() if times > 1))


def _given_twice(found: Any, path: str) -> str | None:
    """The path of a name that some object holds twice, if one does."""
    if isinstance(found, _Twice):
        return _path(path, found.name[:SHOWN])
    if isinstance(found, list):
        inner = (_given_twice(each, path) for each in found)
    elif isinstance(found, dict):
        inner = (_given_twice(each, _path(path, name[:SHOWN])) for name, each in found.items())
    else:
        return None
    return next(filter(None, inner), None)


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
