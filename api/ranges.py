"""Ranges: conditional and partial requests for one file, as HTTP says (RFC 9110).

What tells one file from another is the ETag, a hash. No date does: two files may be made within one
second, and a clock may have been set back in between.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_ONE_RANGE = re.compile(r"bytes=[ \t]*(\d{0,600})-(\d{0,600})[ \t]*", re.ASCII | re.IGNORECASE)
"""A position may be far beyond the end. (Python makes a number of 640 digits, whatever is set.)"""

_TAG = re.compile(r'(?:W/)?("[^"]*")')


class Part(NamedTuple):
    """The bytes that are asked for; the whole file where `partial` is false."""

    start: int
    length: int
    partial: bool


class Unsatisfiable(Exception):
    """The range begins beyond the file's end, or asks for none of its bytes."""


def is_unchanged(etag: str, if_none_match: str | None) -> bool:
    """Has the client these bytes already?"""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or etag in _TAG.findall(if_none_match)


def part_of(
    size: int,
    asked: str | None,
    if_range: str | None,
    etag: str,
    *,
    if_match: str | None = None,
    if_unmodified_since: str | None = None,
) -> Part:
    """The part that `Range` asks for; the whole where it is no range of bytes, or one of several.

    With an `If-Range` that is not this ETag the whole, too, be it another or a date. So with an
    `If-Match` that it is not among, or, where there is none, with any `If-Unmodified-Since`: nobody
    gets parts of two files for one. (There is no 412 in the contract.)

    Raises:
        Unsatisfiable: there are no such bytes.
    """
    whole = Part(0, size, partial=False)
    match = _ONE_RANGE.fullmatch(asked or "")
    if match is None or (if_range is not None and if_range.strip() != etag):
        return whole
    if if_match is None:
        if if_unmodified_since is not None:
            return whole
    elif not {"*", etag} & set(map(str.strip, if_match.split(","))):
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
