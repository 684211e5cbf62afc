"""Reading: whatever is sent is read, or refused by one of our own errors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json

from api.list_query import ListQuery, read_list
from api.messages import CreateBody, read_create
from api.problems import INTERNAL, Rejected, answer, problem_of
from api.ranges import Part, Unsatisfiable, is_unchanged, part_of
from api.reading import Unreadable
from domain.refusals import Invalid

OURS = (Invalid, Rejected, Unreadable)

NAMES = ["limit", "marker", "offset", "resource_type", "resource_condition", "app_id", "status"]
FIELDS = ["resource_type", "resource_condition", "task_id", "app_type", "app_id", "export_format"]
words = st.sampled_from([*NAMES, *FIELDS, "BatchTask", "APP", "xls", "f" * 24, "10", '{"task_id":'])
texts = st.one_of(words, st.text(max_size=8))
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


def outcome(read, sent):
    """What is read; None where it is refused in words that can be sent."""
    try:
        return read(sent)
    except OURS as error:
        refusal = error
    assert problem_of(refusal) is not INTERNAL
    assert set(json.decode(answer(refusal).body)) == {"error_code", "error_msg"}
    return None


@given(st.one_of(st.binary(max_size=60), values.map(lambda value: json.encode(repr(value)))))
def test_any_bytes_are_a_body_or_refused(body):
    assert outcome(read_create, body) is None


@given(st.dictionaries(st.sampled_from(FIELDS) | texts, values, max_size=5))
def test_any_object_is_a_create_or_refused(body):
    found = outcome(read_create, json.encode(body))
    assert found is None or isinstance(found, CreateBody)


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        ({"app_type": "x"}, "'app_type' must be APP or GLOBAL"),
        ({"export_format": "xlsx"}, "'export_format' must be xls"),
        ({"resource_type": "Batch"}, "'resource_type' must be BatchTask or BatchTasks"),
    ],
)
def test_a_word_that_is_none_of_a_few_is_answered_with_these(wrong, rule):
    body = {"resource_type": "BatchTask", "resource_condition": {"task_id": "a"}, **wrong}
    with pytest.raises(Invalid, match=rule):
        read_create(json.encode(body))


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ('{"app_id": "a", "app_id": "a"}', "app_id"),
        ('{"resource_condition": {"task_id": "a", "task_id": "b"}}', "resource_condition.task_id"),
        ('{"x": [1, {"y": {"z": 1, "a": 2, "z": 1}}]}', "x.y.z"),
        ('{"x": {"y": 1, "y": 1}, "x": 1}', "x"),
    ],
)
def test_a_name_that_is_given_twice_is_told_with_where_it_is(body, name):
    with pytest.raises(Invalid, match=f"'{name}' is given twice"):
        read_create(body.encode())


@pytest.mark.parametrize("end", ["", "}" * 3000])
def test_what_is_nested_too_deep_is_not_readable(end):
    with pytest.raises(Unreadable):
        read_create(('{"x":' * 3000 + "1" + end).encode())


pieces = st.one_of(
    words.map(str.encode), st.binary(max_size=4), st.sampled_from([b"=", b"&", b"%"])
)


@given(st.lists(pieces, max_size=12).map(b"".join))
def test_any_query_is_a_list_s_or_refused(query):
    found = outcome(read_list, query)
    assert found is None or isinstance(found, ListQuery)


@pytest.mark.parametrize("query", [b"app_id=%ff", b"app_id=\xff", b"status=%ed%a0%80", b"marker=%"])
def test_a_known_parameter_that_is_no_utf8_is_named(query):
    with pytest.raises(OURS, match=query.partition(b"=")[0].decode()):
        read_list(query)


def test_parameters_that_nobody_knows_may_hold_anything():
    assert read_list(b"x=%ff&%ff=\xff&&=&limit=5").limit == 5


asked = st.one_of(st.text(max_size=30), st.from_regex(r"bytes=\d{0,3}-\d{0,3}", fullmatch=True))


@given(asked, st.none() | st.just('"e"') | st.text(max_size=9), st.integers(1, 999))
def test_any_range_is_a_part_or_beyond_the_end(text, if_range, size):
    try:
        part = part_of(size, text, if_range, '"e"')
    except Unsatisfiable:
        return
    assert isinstance(part, Part)
    assert 0 <= part.start < part.start + part.length <= size
    assert part.partial or part.length == size


@given(st.none() | st.text(max_size=30))
def test_any_condition_is_judged(tags):
    assert is_unchanged('"e"', tags) in (True, False)
