"""Policies, as operators write them."""

from __future__ import annotations

import json
from typing import Any


def said(effect: Any, *actions: Any, projects: Any = None) -> dict[str, Any]:
    """A statement; in these enterprise projects alone, where any are given."""
    statement = {"Effect": effect, "Action": list(actions)}
    if projects is not None:
        statement["Condition"] = {"StringEquals": {"g:EnterpriseProjectId": projects}}
    return statement


def policy(*statements: Any, **changes: Any) -> str:
    """A policy of these statements."""
    return json.dumps({"Version": "1.1", "Statement": list(statements), **changes})
