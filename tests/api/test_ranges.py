"""Ranges and conditions, as RFC 9110 has them."""

from __future__ import annotations

import pytest

from api.ranges import Part, Unsatisfiable, is_unchanged, part_of

ETAG = '"abc"'
WHOLE = Part(0, 10, partial=False)
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
        ("bytes=3-99999999999999999999", 3, 7),
        ("bytes=0000000000000000000003-3", 3, 1),
        ("bytes=-99999999999999999999", 0, 10),
        ("bytes=-1", 9, 1),
        ("bytes=-10", 0, 10),
        ("bytes=-99", 0, 10),
        ("Bytes=0-1", 0, 2),
        ("bytes= 0-1 ", 0, 2),
    ],
)
def test_one_range_is_that_part(asked, start, length):
    assert part_of(10, asked, None, ETAG) == Part(start, length, partial=True)


@pytest.mark.parametrize(
    "asked", ["bytes=10-", "bytes=10-20", "bytes=999-", "bytes=-0", f"bytes={10**20}-"]
)
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
    assert part_of(10, "bytes=4-", None, ETAG, if_match=if_match) == WHOLE


@pytest.mark.parametrize("if_match", [ETAG, "*", f'"old", {ETAG}'])
def test_a_range_of_this_very_file_is_that_part(if_match):
    assert part_of(10, "bytes=4-", None, ETAG, if_match=if_match) == Part(4, 6, partial=True)


@pytest.mark.parametrize("date", [THEN, "Sun, 01 Mar 2099 12:00:00 GMT", "yesterday", ""])
def test_a_range_of_what_is_no_newer_than_a_date_is_the_whole(date):
    assert part_of(10, "bytes=99-", None, ETAG, if_unmodified_since=date) == WHOLE


@pytest.mark.parametrize(("if_match", "part"), [(ETAG, Part(4, 6, partial=True)), ('"x"', WHOLE)])
def test_a_tag_outweighs_a_date(if_match, part):
    found = part_of(10, "bytes=4-", None, ETAG, if_match=if_match, if_unmodified_since=THEN)
    assert found == part


@pytest.mark.parametrize("tags", [ETAG, "*", 'W/"abc"', '"x", "abc"', 'W/"x","abc"', ' "abc" '])
def test_a_tag_that_the_client_has_means_unchanged(tags):
    assert is_unchanged(ETAG, tags)


@pytest.mark.parametrize("tags", [None, '"x"', "abc", '"ab', '"abcd"', "", "**"])
def test_another_tag_means_changed(tags):
    assert not is_unchanged(ETAG, tags)
