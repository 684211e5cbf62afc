"""Access: a signature's check and a policy's judgement, beside the HMAC that each request costs."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime
from json import dumps
from typing import TYPE_CHECKING, Any

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer import signer

from api.access.signatures import RawRequest, read
from domain.access.policy import Policy
from scripts.benchmarks.figures import CPU_EACH, Stopwatch, compare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from scripts.benchmarks.figures import Figure, Sample
    from scripts.benchmarks.sizes import Sizes

HMAC = "HMAC-SHA256 of the string to sign"
ACCESS_KEY, SECRET_KEY = "HPUAT4QG7L9K2M8XW5ZC", "s" * 40
PATH = "/v5/iot/plant-1/export-tasks/"
ACTION = "iotda:exporttasks:queryList"

# The SDK has no types.
_Plain: Any = signer.Signer
_Derived: Any = signer.DerivationAKSKSigner


def measure(sizes: Sizes, runs: int, folder: Path) -> Iterator[Figure]:
    """CPU time of each of many, signed by the official SDK beforehand."""
    del folder
    now = datetime.now(UTC)
    subjects: dict[str, Callable[[], object]] = {
        "signature check, SDK-HMAC-SHA256": _checking(_signed(now, derived=False), now),
        "signature check, V11-HMAC-SHA256": _checking(_signed(now, derived=True), now),
        "policy judgement, 20 statements": _judging(20),
        HMAC: _hmac,
    }
    rounds = [
        {name: _time(work, sizes.checks) for name, work in subjects.items()} for _ in range(runs)
    ]
    for name in subjects:
        if name != HMAC:
            yield compare(name, CPU_EACH, rounds, HMAC, name)


def _time(work: Callable[[], object], number: int) -> Sample:
    watch = Stopwatch()
    with watch:
        for _ in range(number):
            work()
    return watch.sample(number)


def _checking(request: RawRequest, now: datetime) -> Callable[[], object]:
    return lambda: read(request, now).check(SECRET_KEY)


def _judging(statements: int) -> Callable[[], object]:
    """The statement that counts is the last one."""
    others = [{"Effect": "Deny", "Action": ["iotda:devices:*"]}] * (statements - 1)
    document = {"Version": "1.1", "Statement": [*others, {"Effect": "Allow", "Action": [ACTION]}]}
    text = dumps(document)
    return lambda: Policy.read(text).judge(ACTION, "0")


def _hmac() -> object:
    return hmac.digest(SECRET_KEY.encode(), _STRING_TO_SIGN, "sha256")


_STRING_TO_SIGN = b"\n".join([b"SDK-HMAC-SHA256", b"20261126T000000Z", b"0" * 64])


def _signed(now: datetime, *, derived: bool) -> RawRequest:
    request = SdkRequest(
        method="GET",
        host="127.0.0.1",
        resource_path=PATH,
        query_params=[("limit", 10)],
        header_params={
            "X-Sdk-Date": now.strftime("%Y%m%dT%H%M%SZ"),
            "Content-Type": "application/json",
        },
        body="",
    )
    credentials = BasicCredentials(ACCESS_KEY, SECRET_KEY, "plant-1")
    if derived:
        _Derived(credentials).sign(request, "iotdm", "cn-north-4")
    else:
        _Plain(credentials).sign(request)
    headers = tuple((k.lower().encode(), v.encode()) for k, v in request.header_params.items())
    return RawRequest("GET", PATH.encode(), b"limit=10", headers, b"")
