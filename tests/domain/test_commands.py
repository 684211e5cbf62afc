"""A command that exists is a valid one: both sides of every limit."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields

import pytest

from domain.commands import (
    Claim,
    CompleteTask,
    CreateTask,
    DeleteTask,
    GrantDownload,
    Progress,
    SetLimits,
)
from domain.conditions import ExportConditions, File, Results
from domain.fact import Caller
from domain.refusals import Invalid


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("resource_type", {"resource_type": "Device"}),
        ("resource_type", {"resource_type": "Batch"}),
        ("export_format", {"export_format": "csv"}),
        ("export_format", {"export_format": "xlsx"}),
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


@pytest.mark.parametrize(
    "kind",
    [
        CreateTask,
        DeleteTask,
        GrantDownload,
        SetLimits,
        Claim,
        Progress,
        CompleteTask,
        ExportConditions,
        File,
        Results,
        Caller,
    ],
)
def test_what_is_valid_stays_so_since_nothing_can_be_changed_in_it_or_added(kind):
    value = kind.__new__(kind)
    with pytest.raises(FrozenInstanceError):
        setattr(value, fields(kind)[0].name, "another")
    assert not hasattr(value, "__dict__")
