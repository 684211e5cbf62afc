"""Reads batch tasks from an IoTDA endpoint, the cloud's or another installation's, over HTTP."""

from __future__ import annotations

import logging
import os
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from ipaddress import ip_address
from pathlib import Path
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from domain.commands import NEWEST
from exporter.sources import BATCH_STATUSES, PAGE_ROWS, BatchTask, NotAsked, SourceFailed, utc_text
from exporter.sources.pace import Pace
from exporter.sources.upstream import Access, NotThere, Upstream
from exporter.sources.windows import OFFSETS, PAGE, Page, read_all
from projections.shown import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from exporter.sources import Detail, Remote
    from exporter.sources.windows import Pages

ANSWER_PATIENCE = 30.0
"""How long a question is repeated that an attempt begins or ends with, in seconds."""

PAGE_PATIENCE = 300.0
"""How long a page is repeated: what was read before it is kept meanwhile."""

TICK_SECONDS = 1.0
"""How often somebody who waits for pages may look whether to go on."""

ACCESS_KEY, SECRET_KEY = "HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK"
SECRET_KEY_FILE = SECRET_KEY + "_FILE"

log = logging.getLogger(__name__)


def open_iotda(
    url: str, remote: Remote, environment: Mapping[str, str] = os.environ
) -> IotdaSource:
    """The source that `iotda+https://endpoint` names.

    Raises:
        ValueError: the address is none, or plain HTTP to another machine; or the keys are missing.
    """
    address = urlsplit(url.removeprefix("iotda+"))
    if not address.hostname or address.path.strip("/") or address.query or address.username:
        raise ValueError(f"'{shown(url)}' is no endpoint: use iotda+https://HOST")
    if address.scheme == "http" and not _is_loopback(address.hostname):
        raise ValueError("iotda+http:// is for this machine alone: use iotda+https://")
    access_key, secret_key = environment.get(ACCESS_KEY), _secret_key(environment)
    if not access_key or not secret_key:
        raise ValueError(f"{ACCESS_KEY} and {SECRET_KEY} must be given")
    endpoint = f"{address.scheme}://{address.netloc}"
    return IotdaSource(Access(endpoint, access_key, secret_key, remote.region), remote)


def _secret_key(environment: Mapping[str, str]) -> str | None:
    """As every secret it may also be given as a file's name. ValueError: both, or no such file."""
    named, given = environment.get(SECRET_KEY_FILE), environment.get(SECRET_KEY)
    if not named:
        return given
    if given:
        raise ValueError(f"{SECRET_KEY} and {SECRET_KEY_FILE} are both given")
    try:
        return Path(named).read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        raise ValueError(f"{SECRET_KEY_FILE}: {named} cannot be read: {error}") from error


class IotdaSource:
    """A source over ShowBatchTask; a project sees the upstream project it is mapped to, and no
    other.

    For one export at a time: `pages` and `count` are of the project that `find` was asked about
    last.
    """

    def __init__(self, access: Access, remote: Remote) -> None:
        self._access, self._projects = access, remote.projects
        self._pace = Pace(remote.rate, remote.sharers)
        self._upstream: Upstream | None = None

    def find(self, project_id: str, task_id: str, app_id: str | None) -> BatchTask | None:
        """The batch task, or None where there is none such in the mapped project, and app."""
        mapped = self._projects().get(project_id)
        if mapped is None:
            log.warning(
                "the project %s is mapped to none upstream (--upstream-project)", project_id
            )
            return None
        until = monotonic() + ANSWER_PATIENCE
        try:
            answer = self._at(mapped).show(task_id, Event(), ANSWER_PATIENCE, limit=1)
        except NotThere:
            return None
        patience = until - monotonic()
        if app_id is not None and not self._is_in(app_id, answer.batchtask, patience):
            return None
        return _batch_task(answer, project_id, app_id)

    def pages(self, task_id: str, size: int = PAGE_ROWS) -> Iterator[list[Detail]]:
        """The details that were there at the first page, newest first, at most `size` at a time.

        Empty lists come while it waits for an upstream that is away or slow.
        """
        with closing(_Reading(self._found(), task_id)) as reading:
            for rows in read_all(reading.ask):
                for start in range(0, max(1, len(rows)), size):
                    yield rows[start : start + size]

    def count(self, task_id: str) -> int:
        """How many details there are, now; none where there is no such batch task."""
        try:
            answer = self._found().show(task_id, Event(), ANSWER_PATIENCE, limit=1)
        except NotThere:
            return 0
        return int(answer.page.count)

    def check(self) -> None:
        """Asks the upstream about one of the mapped projects, if there is any."""
        for project_id in self._projects():
            self.find(project_id, "0", None)
            return

    def close(self) -> None:
        """Closes its connections."""
        if self._upstream:
            self._upstream.close()

    def _at(self, project_id: str) -> Upstream:
        if self._upstream is None or self._upstream.project_id != project_id:
            self.close()
            self._upstream = Upstream(self._access, project_id, self._pace)
        return self._upstream

    def _found(self) -> Upstream:
        if self._upstream is None:
            raise SourceFailed("No batch task was found upstream before.", passing=False)
        return self._upstream

    def _is_in(self, app_id: str, task: Any, patience: float) -> bool:
        """The task itself does not say its app: it is the newest of the app's, counted from it."""
        listed = self._found().list(
            Event(),
            patience,
            app_id=app_id,
            task_type=task.task_type,
            marker=_just_above(task.task_id),
            limit=PAGE,
        )
        return any(each.task_id == task.task_id for each in listed.batchtasks or ())


class _Reading:
    """Pages of one batch task, asked for side by side."""

    def __init__(self, upstream: Upstream, task_id: str) -> None:
        self._upstream, self._task_id = upstream, task_id
        self._over = Event()
        self._pool = ThreadPoolExecutor(len(OFFSETS), "upstream")

    def ask(self, marker: str, offsets: Sequence[int]) -> Pages:
        """Pages at offsets behind a marker."""
        asked = [self._pool.submit(self._page, marker, offset) for offset in offsets]
        for each in asked:
            while wait([each], TICK_SECONDS).not_done:
                yield []
        return [each.result() for each in asked]

    def close(self) -> None:
        """Nobody waits any more."""
        self._over.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _page(self, marker: str, offset: int) -> Page:
        show = self._upstream.show
        try:
            answer = show(self._task_id, self._over, PAGE_PATIENCE, marker=marker, offset=offset)
        except NotThere:
            raise SourceFailed("The batch task went while it was read.", passing=False) from None
        except NotAsked as error:  # but the page was whose answer asks for the pause
            raise SourceFailed(str(error), passing=True, wait=error.wait) from error
        rows = [_detail(each) for each in answer.task_details or ()]
        return Page(rows, int(answer.page.count), answer.page.marker)


def _detail(detail: Any) -> Detail:
    error = detail.error
    code, message = (error.error_code, error.error_msg) if error else (None, None)
    return detail.target, detail.status, detail.output, code, message


def _batch_task(answer: Any, project_id: str, app_id: str | None) -> BatchTask:
    task = answer.batchtask
    if task is None or task.status not in BATCH_STATUSES:
        raise SourceFailed("The upstream's batch task has no known status.", passing=False)
    try:
        created = utc_text(task.create_time or "")
    except ValueError as error:
        raise SourceFailed(f"The upstream's batch task: {error}.", passing=False) from error
    name, kind, total = task.task_name or "", task.task_type or "", int(answer.page.count)
    return BatchTask(task.task_id, project_id, app_id, name, kind, task.status, created, total)


def _just_above(task_id: str) -> str:
    """A marker below which a list begins with that id, or nearly."""
    if len(task_id) < len(NEWEST):
        return task_id.ljust(len(NEWEST), "0")
    return f"{min(int(task_id, 16) + 1, int(NEWEST, 16)):024x}"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
