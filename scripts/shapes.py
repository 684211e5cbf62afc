"""Shapes: what an export-task service's answers look like, so far as the client reads them."""

from __future__ import annotations

from typing import Any

Shape = Any
"""A kind of value; or of an object the shapes by name; or of a list, in a list, that of each."""

TASK: Shape = {
    "export_task_id": str,
    "resource_condition": dict,
    "status": str,
    "progress": int,
    "export_count": int,
    "create_time": str,
    "total": int | None,
    "error_code": str | None,
    "error_msg": str | None,
}

TASKS: Shape = {"export_tasks": [TASK], "page": {"marker": str | None}}

QUOTA: Shape = {
    "limits": {"unfinished": int, "kept": int},
    "unfinished": int,
    "kept": int,
    "seconds_to_next_download": int | float,
}


def fits(told: object, shape: Shape) -> bool:
    """Is it of that shape? There may be more names than those of the shape."""
    if isinstance(shape, dict):
        return isinstance(told, dict) and all(
            name in told and fits(told[name], each) for name, each in shape.items()
        )
    if isinstance(shape, list):
        return isinstance(told, list) and all(fits(each, shape[0]) for each in told)
    return isinstance(told, shape)
