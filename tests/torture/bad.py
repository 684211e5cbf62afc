"""Bad: requests that must be refused, and with which code of the contract's section 3."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.torture.people import NOWHERE
from tests.torture.wire import HOST, signed

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.torture.people import Owner

    Sent = tuple[str, str, dict[str, str], bytes]

GOOD = {"resource_type": "BatchTask", "resource_condition": {"task_id": NOWHERE}}


def _sent(owner: Owner, method: str, path: str, *rest: Any, **more: Any) -> Sent:
    request = signed(owner, method, path, *rest, **more)
    return method, request.uri, request.header_params, request.body or b""


def _create(changes: dict[str, Any]) -> Callable[[Owner], Sent]:
    body = json.dumps({**GOOD, **changes}).encode()
    return lambda owner: _sent(owner, "POST", owner.tasks, None, body)


def _list(**query: str) -> Callable[[Owner], Sent]:
    return lambda owner: _sent(owner, "GET", owner.tasks, query)


def _torn(owner: Owner) -> Sent:
    return _sent(owner, "POST", owner.tasks, None, b'{"resource_type": "Bat')


def _forged(owner: Owner) -> Sent:
    method, uri, headers, body = _sent(owner, "GET", owner.tasks)
    last = "0" if headers["Authorization"][-1] != "0" else "1"
    return method, uri, {**headers, "Authorization": headers["Authorization"][:-1] + last}, body


def _unsigned(owner: Owner) -> Sent:
    return "GET", owner.tasks, {"Host": HOST}, b""


def _moved(owner: Owner) -> Sent:
    """Signed for one project, sent to another path: the signature is of another request."""
    method, uri, headers, body = _sent(owner, "GET", owner.tasks)
    return method, uri.replace("plant-", "plant-9"), headers, body


def _large(owner: Owner) -> Sent:
    return _sent(owner, "POST", owner.tasks, None, b" " * (64 * 1024 + 1))


def _at(method: str, path: str) -> Callable[[Owner], Sent]:
    return lambda owner: _sent(owner, method, path.format(owner=owner))


BAD: tuple[tuple[Callable[[Owner], Sent], int, str], ...] = (
    (_create({"resource_type": "Device"}), 400, "IOTDA.000006"),
    (_create({"resource_condition": {"task_id": "XYZ"}}), 400, "IOTDA.000006"),
    (_create({"resource_condition": "none"}), 400, "IOTDA.000006"),
    (_create({"export_format": "csv"}), 400, "IOTDA.000006"),
    (_create({"surprise": 1}), 400, "IOTDA.000006"),
    (_create({"app_type": "APP", "app_id": "nowhere"}), 403, "IOTDA.001000"),
    (_torn, 400, "IOTDA.000008"),
    (_large, 413, "APIGW.0201"),
    (_list(limit="0"), 400, "IOTDA.000017"),
    (_list(limit="51"), 400, "IOTDA.000017"),
    (_list(marker="0"), 400, "IOTDA.000018"),
    (_list(offset="501"), 400, "IOTDA.000006"),
    (_list(status="Done"), 400, "IOTDA.000006"),
    (_forged, 401, "APIGW.0301"),
    (_unsigned, 401, "APIGW.0301"),
    (_moved, 401, "APIGW.0301"),
    (_at("GET", "/v5/iot/nowhere/export-tasks"), 403, "IOTDA.000021"),
    (_at("GET", "{owner.tasks}/xyz"), 404, "IOTDA.014702"),
    (_at("GET", "/v5/iot/{owner.project}/nothing"), 404, "APIGW.0101"),
    (_at("PUT", "{owner.tasks}"), 405, "IOTDA.000003"),
)
