"""Upstream: calls to one project of an IoTDA endpoint, repeated where a fault may pass."""

from __future__ import annotations

import logging
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import SystemRandom
from re import ASCII, fullmatch
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions import exception_handler, exceptions
from huaweicloudsdkcore.http.http_config import HttpConfig
from huaweicloudsdkcore.region.region import Region
from huaweicloudsdkiotda import v5

from exporter.sources import NotAsked, SourceFailed
from exporter.sources.windows import OFFSETS, PAGE

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event

    from exporter.sources.pace import Pace

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 25.0
"""How long one call may take. A service that stops waits 40 s for its exporters."""

LONGEST_WAIT = 86_400.0
"""Seconds that it can ask to be left alone for: a slip of its must not end all calls for ever."""

LEAST_SECONDS = 1.0
"""A call that would be given less is not made: why the one before failed says more."""

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
"""Seconds between two tries of a call, doubled each time, and then half of it by chance."""

NOT_FOUND, TOO_MANY = 404, 429
IOTDA, GATEWAY = "IOTDA.", "API"
"""How the codes of IoTDA and of its gateway begin."""

THROTTLED = ("IOTDA.021101", "IOTDA.021102")
"""Codes by which IoTDA itself says that there are too many calls; its gateway says 429."""

PASSING = (408, 425, 500, 502, 503, 504)
_MEANING = {401: "does not take the access key", 403: "does not allow it"}

SDK: Any = v5  # the SDK is not typed
_Credentials: Any = BasicCredentials
_Config: Any = HttpConfig
_Region: Any = Region
_Handler: Any = exception_handler.DefaultExceptionHandler

T = TypeVar("T")

_chance = SystemRandom()

# The SDK says there what goes wrong, addresses included, and without a handler it is on stderr.
logging.getLogger("HuaweiCloud-SDK-IoTDAClient").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class Access:
    """An endpoint, and whose key is used there; with a `region` calls are signed as the SDK does
    for endpoints that are not the vendor's own (V11-HMAC-SHA256).
    """

    endpoint: str
    access_key: str
    secret_key: str = field(repr=False)
    region: str = ""


class NotThere(Exception):
    """The upstream has no such batch task."""


class GivenUp(Exception):
    """Nobody waits for the answer any more."""


class Upstream:
    """One project upstream; safe for threads.

    Every call waits for its turn by `pace`. One that fails for a while is repeated, with pauses,
    for `patience` seconds at most, and after that raised as SourceFailed; as NotAsked where the
    upstream asked before to be left alone for longer; GivenUp where `over` is set meanwhile.
    """

    def __init__(self, access: Access, project_id: str, pace: Pace) -> None:
        self.project_id, self._pace = project_id, pace
        self._client = _client(access, project_id)

    def show(
        self, task_id: str, over: Event, patience: float, *, limit: int = PAGE, **place: Any
    ) -> Any:
        """The SDK's answer to ShowBatchTask. Raises NotThere, SourceFailed, GivenUp."""
        request = SDK.ShowBatchTaskRequest(task_id=task_id, limit=limit, **place)
        return self._ask(lambda: self._client.show_batch_task(request), over, patience)

    def list(self, over: Event, patience: float, **wanted: Any) -> Any:
        """The SDK's answer to ListBatchTasks. Raises SourceFailed, GivenUp."""
        request = SDK.ListBatchTasksRequest(**wanted)
        return self._ask(lambda: self._client.list_batch_tasks(request), over, patience)

    def close(self) -> None:
        """Closes its connections."""
        http = self._client.get_http_client()
        http.close()
        http.executor.shutdown(wait=False)

    def _ask(self, call: Callable[[], T], over: Event, patience: float) -> T:
        until, pause = monotonic() + patience, FIRST_PAUSE
        while True:
            self._wait_for_turn(over, until)
            try:
                return _answer(call, min(ANSWER_SECONDS, until - monotonic()))
            except SourceFailed as failed:
                self._pace.hold(failed.wait)
                wait = max(failed.wait, _chance.uniform(pause / 2, pause))
                if not failed.passing or monotonic() + wait + LEAST_SECONDS > until:
                    raise
            _wait(over, wait)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _wait_for_turn(self, over: Event, until: float) -> None:
        held = self._pace.held()
        if monotonic() + held > until:
            raise NotAsked("The upstream asks for a longer pause.", held)
        seconds = self._pace.wait()
        if monotonic() + seconds > until:
            raise SourceFailed(
                "The rate of calls to the upstream is too low for this one.", passing=True
            )
        _wait(over, seconds)


def _wait(over: Event, seconds: float) -> None:
    if over.wait(seconds) if seconds > 0 else over.is_set():
        raise GivenUp


def _client(access: Access, project_id: str) -> Any:
    credentials = _Credentials(access.access_key, access.secret_key, project_id)
    config = _Config(timeout=(CONNECT_SECONDS, ANSWER_SECONDS), pool_maxsize=len(OFFSETS))
    builder = SDK.IoTDAClient.new_builder().with_http_config(config)
    builder = builder.with_exception_handler(_Refusals()).with_credentials(credentials)
    if access.region:
        credentials.with_derived_predicate(_Credentials.get_default_derived_predicate())
        builder = builder.with_region(_Region(access.region, access.endpoint))
    else:
        builder = builder.with_endpoint(access.endpoint)
    client = builder.build()
    # As the SDK sets it, the library below turns a 429 into an error without its Retry-After.
    for adapter in client.get_http_client()._session.adapters.values():
        adapter.max_retries = adapter.max_retries.new(status_forcelist=())
    return client


class _Refused(Exception):
    """An answer of 400 and above."""

    def __init__(self, status: int, code: str, retry_after: str | None) -> None:
        super().__init__(status, code)
        self.status, self.retry_after = status, retry_after
        self.code = code if fullmatch(r"[\w.-]{1,40}", code, ASCII) else ""


class _Refusals(exception_handler.ExceptionHandler):
    """Keeps what the SDK's own handler drops: when to come again."""

    def handle_exception(self, request: Any, response: Any) -> None:
        try:
            _Handler().handle_exception(request, response)
        except exceptions.ServiceResponseException as error:
            after = response.headers.get("Retry-After")
            raise _Refused(response.status_code, str(error.error_code), after) from error


def _answer(call: Callable[[], T], seconds: float) -> T:
    """The answer, which is one: the SDK takes a redirect, and broken JSON, for an empty one."""
    try:
        answer: Any = _within(seconds, call)
        if answer.status_code != 200:
            raise SourceFailed(f"The upstream answered {answer.status_code}.", passing=False)
        if answer.page is None or answer.page.count is None:
            raise SourceFailed("The upstream's answer cannot be read.", passing=True)
        return answer  # type: ignore[no-any-return]
    except _Refused as error:
        raise _meaning(error) from error
    except (exceptions.SdkException, OSError) as error:
        # Their words hold addresses. All errors of the HTTP library are kinds of OSError.
        raise SourceFailed(
            "The upstream cannot be reached, or breaks off.", passing=True
        ) from error
    except (ValueError, TypeError, AttributeError) as error:
        raise SourceFailed("The upstream's answer cannot be read.", passing=True) from error


def _within(seconds: float, call: Callable[[], T]) -> T:
    """What a call gives in this time; the SDK counts from one byte to the next, and not the whole.

    Nobody waits for the thread of a call that was given up, nor does the end of the process.
    """
    answer: Future[T] = Future()

    def ask() -> None:
        try:
            answer.set_result(call())
        except BaseException as error:  # noqa: BLE001 (whoever waits for it gets it)
            answer.set_exception(error)

    Thread(target=ask, name="upstream call", daemon=True).start()
    return answer.result(seconds)


def _meaning(refused: _Refused) -> Exception:
    status, code = refused.status, refused.code
    told = f"HTTP {status}, {code}" if code and code != str(status) else f"HTTP {status}"
    if status == TOO_MANY or code in THROTTLED:
        wait = max(seconds_of(refused.retry_after), FIRST_PAUSE)
        return SourceFailed(
            f"The upstream takes no more calls for now ({told}).", passing=True, wait=wait
        )
    if status in PASSING:
        wait = seconds_of(refused.retry_after)
        return SourceFailed(f"The upstream failed ({told}).", passing=True, wait=wait)
    if status == NOT_FOUND and code.startswith(IOTDA):
        return NotThere()
    if status == NOT_FOUND and not code.startswith(GATEWAY):  # by whoever stands before IoTDA
        return SourceFailed(f"The upstream does not answer as IoTDA does ({told}).", passing=True)
    meaning = _MEANING.get(status, "refuses the call")
    return SourceFailed(f"The upstream {meaning} ({told}).", passing=False)


def seconds_of(retry_after: str | None) -> float:
    """Seconds that a `Retry-After` asks for, in either of its forms; 0 where there is none.

    From 0 to `LONGEST_WAIT`.
    """
    try:
        if retry_after is None or retry_after.isdecimal():
            seconds = float(retry_after or 0)
        else:
            seconds = (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError):  # no time, one without a zone, or beyond all
        return 0.0
    return min(max(0.0, seconds), LONGEST_WAIT)
