"""Ranges: conditional and partial requests for one file, as HTTP says (RFC 9110)."""

from __future__ import annotations

import re
from email.utils import format_datetime, parsedate_to_datetime
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

_ONE_RANGE = re.compile(r"bytes=[ \t]*(\d{0,18})-(\d{0,18})[ \t]*", re.ASCII | re.IGNORECASE)
_TAG = re.compile(r'(?:W/)?("[^"]*")')


class Validators(NamedTuple):
    """What tells a file's bytes from others: a strong ETag, and when they came to be."""

    etag: str
    modified: datetime

    @property
    def last_modified(self) -> str:
        """As an HTTP date, in whole seconds."""
        return format_datetime(self.modified.replace(microsecond=0), usegmt=True)


class Part(NamedTuple):
    """The bytes that are asked for; the whole file where `partial` is false."""

    start: int
    length: int
    partial: bool


class Unsatisfiable(Exception):
    """The range begins beyond the file's end, or asks for none of its bytes."""


def is_unchanged(
    validators: Validators, if_none_match: str | None, if_modified_since: str | None
) -> bool:
    """Has the client these bytes already? `If-None-Match` outweighs `If-Modified-Since`."""
    if if_none_match is not None:
        tags = _TAG.findall(if_none_match)
        return if_none_match.strip() == "*" or validators.etag in tags
    since = _moment(if_modified_since)
    return since is not None and validators.modified.replace(microsecond=0) <= since


def part_of(
    size: int, asked: str | None, if_range: str | None, etag: str, if_match: str | None = None
) -> Part:
    """The part that `Range` asks for; the whole where it is no range of bytes, or one of several.

    With an `If-Range` that is not this ETag the whole, too: a date proves less than a hash does.
    So with an `If-Match` that it is not among: nobody gets parts of two files for one. (There is
    no 412 in the contract.)

    Raises:
        Unsatisfiable: there are no such bytes.
    """
    whole = Part(0, size, partial=False)
    match = _ONE_RANGE.fullmatch(asked or "")
    if match is None or (if_range is not None and if_range.strip() != etag):
        return whole
    if if_match is not None and not {"*", etag} & set(map(str.strip, if_match.split(","))):
        return whole
    first, last = match.groups()
    if not first:
        return _suffix(size, int(last)) if last else whole
    if last and int(last) < int(first):
        return whole
    return _from(size, int(first), int(last) if last else size - 1)


def _suffix(size: int, length: int) -> Part:
    return _from(size, max(0, size - length), size - 1) if length else _from(size, size, size)


def _from(size: int, first: int, last: int) -> Part:
    if first >= size:
        raise Unsatisfiable
    return Part(first, min(last, size - 1) - first + 1, partial=True)


def _moment(text: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text) if text else None
    except (ValueError, OverflowError):
        return None
    return moment if moment and moment.tzinfo else None
