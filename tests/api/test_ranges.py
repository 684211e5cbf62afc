"""Ranges and conditions, as RFC 9110 has them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from api.ranges import Part, Unsatisfiable, Validators, is_unchanged, part_of

ETAG = '"abc"'
WHOLE = Part(0, 10, partial=False)
MADE = Validators(ETAG, datetime(2026, 3, 1, 12, 0, 0, 999_999, tzinfo=UTC))
THEN = "Sun, 01 Mar 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("asked", "start", "length"),
    [
        ("bytes=0-", 0, 10),
        ("bytes=0-0", 0, 1),
        ("bytes=9-", 9, 1),
        ("bytes=9-9", 9, 1),
        ("bytes=3-5", 3, 3),
        ("bytes=3-99", 3, 7),
        ("bytes=-1", 9, 1),
        ("bytes=-10", 0, 10),
        ("bytes=-99", 0, 10),
        ("Bytes=0-1", 0, 2),
        ("bytes= 0-1 ", 0, 2),
    ],
)
def test_one_range_is_that_part(asked, start, length):
    assert part_of(10, asked, None, ETAG) == Part(start, length, partial=True)


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=10-20", "bytes=999-", "bytes=-0"])
def test_a_range_beyond_the_end_cannot_be_satisfied(asked):
    with pytest.raises(Unsatisfiable):
        part_of(10, asked, None, ETAG)


@pytest.mark.parametrize(
    "asked",
    [
        None,
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=5-3",
        "bytes=1",
        "bytes=--1",
        "bytes=0-1,3-4",
        "bytes=0-1, bytes=3-4",
        "bytes=0-1;",
        "items=0-1",
        "bytes=0x0-0x1",
        "bytes=١-٢",
        "bytes=0-" + "9" * 5000,
        "\x00",
    ],
)
def test_nonsense_several_ranges_and_other_units_are_the_whole(asked):
    assert part_of(10, asked, None, ETAG) == WHOLE


@pytest.mark.parametrize("if_range", ['"other"', 'W/"abc"', "abc", THEN, "*", ""])
def test_a_range_of_other_bytes_is_the_whole(if_range):
    assert part_of(10, "bytes=99-", if_range, ETAG) == WHOLE


def test_a_range_of_these_bytes_is_the_part():
    assert part_of(10, "bytes=4-", ETAG, ETAG) == Part(4, 6, partial=True)


@pytest.mark.parametrize("if_match", ['"old"', f"W/{ETAG}", "", '"old", "older"'])
def test_a_range_of_another_file_is_the_whole_of_this_one(if_match):
    assert part_of(10, "bytes=4-", None, ETAG, if_match) == WHOLE


@pytest.mark.parametrize("if_match", [ETAG, "*", f'"old", {ETAG}'])
def test_a_range_of_this_very_file_is_that_part(if_match):
    assert part_of(10, "bytes=4-", None, ETAG, if_match) == Part(4, 6, partial=True)


@pytest.mark.parametrize("tags", [ETAG, "*", 'W/"abc"', '"x", "abc"', 'W/"x","abc"', ' "abc" '])
def test_a_tag_that_the_client_has_means_unchanged(tags):
    assert is_unchanged(MADE, tags, None)


@pytest.mark.parametrize("tags", ['"x"', "abc", '"ab', '"abcd"', "", "**"])
def test_another_tag_means_changed_whatever_the_time(tags):
    assert not is_unchanged(MADE, tags, THEN)


@pytest.mark.parametrize(
    ("since", "unchanged"),
    [
        (THEN, True),
        ("Sun, 01 Mar 2026 12:00:01 GMT", True),
        ("Sun, 01 Mar 2026 11:59:59 GMT", False),
        ("2026-03-01T12:00:00Z", False),
        ("Sun, 01 Mar 2026 12:00:00", False),
        ("Sun, 99 Mar 2026 12:00:00 GMT", False),
        ("Sun, 01 Mar 99999999999 12:00:00 GMT", False),
        ("Sun, 01 Mar 2026 12:00:00 +999999", False),
        ("yesterday", False),
        ("\x00", False),
        ("", False),
    ],
)
def test_a_time_counts_in_whole_seconds(since, unchanged):
    assert is_unchanged(MADE, None, since) is unchanged


def test_the_time_is_told_as_http_writes_it():
    assert MADE.last_modified == THEN
