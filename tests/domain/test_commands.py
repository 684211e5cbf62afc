"""A command that exists is a valid one: both sides of every limit."""

from __future__ import annotations

import pytest

from domain.refusals import Invalid


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("resource_type", {"resource_type": "Device"}),
        ("export_format", {"export_format": "csv"}),
        ("app_type", {"app_type": "global"}),
        ("app_id", {"app_type": "APP"}),
        ("app_id", {"scope": "a1"}),
        ("app_id", {"app_id": ""}),
        ("app_id", {"app_id": "a" * 37}),
        ("app_id", {"app_id": "a/b"}),
        ("app_id", {"app_type": "APP", "scope": "a b"}),
        ("Instance-Id", {"instance_id": ""}),
        ("Instance-Id", {"instance_id": "i" * 37}),
    ],
)
def test_a_create_that_breaks_a_rule_cannot_be_made(story, field, changes):
    with pytest.raises(Invalid) as refusal:
        story.creating(**changes)
    assert refusal.value.field == field
    assert field in str(refusal.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"app_id": "a"},
        {"app_id": "A-z_9" + "a" * 31},
        {"app_type": "APP", "scope": "a1"},
        {"instance_id": "i"},
        {"instance_id": "i" * 36},
    ],
)
def test_a_create_within_the_rules_can(story, changes):
    assert story.create(**changes).task_id
