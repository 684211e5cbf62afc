"""Advice: what who asks from here does next about each error that the service answers."""

from __future__ import annotations

from api import advice

KEY = "Check EXPORT_TASKS_AK and EXPORT_TASKS_SK, and this machine's clock."
PERMISSION = "Ask whoever runs the service for the permission."
RESOURCE_SPACE = "Give another --app."
FILED = "See what there is: export-tasks export list"
LATER = "Try again later."

ADVICE = {
    **{code: each.todo for code, each in advice.ADVICE.items()},
    "APIGW.0301": KEY,
    "IOTDA.000021": "Check EXPORT_TASKS_PROJECT.",
    "IOTDA.000022": PERMISSION,
    "IOTDA.001000": RESOURCE_SPACE,
    "IOTDA.001007": RESOURCE_SPACE,
    "IOTDA.001005": RESOURCE_SPACE,
    "IOTDA.001006": "Leave --app-type out, or ask whoever runs the service for an app.",
    "IOTDA.014701": "See which: export-tasks export list --status Processing",
    "IOTDA.014702": FILED,
    "IOTDA.014704": "Give --wait to have it waited for.",
    "IOTDA.014711": "Give --instance.",
    "APIGW.0101": "Check EXPORT_TASKS_ENDPOINT.",
    "IOTDA.000003": "Check EXPORT_TASKS_ENDPOINT.",
    "IOTDA.000001": "Tell whoever runs the service the request's id.",
    "IOTDA.000007": LATER,
}
"""By error code; those that are left out say all in their message."""


def with_advice(told: str, code: str | None) -> str:
    """What is told, and what to do next, in one line."""
    return " ".join(filter(None, (told, ADVICE.get(code or ""))))
