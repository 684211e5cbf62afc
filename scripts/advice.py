"""Advice: what who asks from here does next about each error that the service answers."""

from __future__ import annotations

from api import advice
from domain import codes

KEY = "Check EXPORT_TASKS_AK and EXPORT_TASKS_SK, and this machine's clock."
PERMISSION = "Ask whoever runs the service for the permission."
RESOURCE_SPACE = "Give another --app."
FILED = "See what there is: export-tasks export list"
LATER = "Try again later."
EXPORT_AGAIN = "Another export makes a new one: export-tasks export create"

ADVICE = {
    **{code: each.todo for code, each in advice.ADVICE.items()},
    codes.NOT_AUTHENTIC: KEY,
    codes.NO_PROJECT: "Check EXPORT_TASKS_PROJECT.",
    codes.NOT_PERMITTED: PERMISSION,
    codes.NO_APP: RESOURCE_SPACE,
    codes.OTHERS_APP: RESOURCE_SPACE,
    codes.SEVERAL_APPS: RESOURCE_SPACE,
    codes.NO_APPS: "Leave --app-type out, or ask whoever runs the service for an app.",
    codes.UNFINISHED_LIMIT: "See which: export-tasks export list --status Processing",
    codes.NO_TASK: FILED,
    codes.TOO_SOON: "Give --wait to have it waited for.",
    codes.INSTANCE: "Give --instance.",
    codes.NO_API: "Check EXPORT_TASKS_ENDPOINT.",
    codes.METHOD: "Check EXPORT_TASKS_ENDPOINT.",
    codes.INTERNAL: "Tell whoever runs the service the request's id.",
    codes.UNAVAILABLE: LATER,
}
"""By error code; those that are left out say all in their message."""


def with_advice(told: str, code: str | None) -> str:
    """What is told, and what to do next, in one line."""
    return " ".join(filter(None, (told, ADVICE.get(code or ""))))
