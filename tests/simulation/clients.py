"""Clients: users who ask for this and that, and check every answer against what the log says.

An answer is right where it was true at some moment between question and answer.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from api.downloads import download
from api.problems import Rejected
from domain.commands import CreateTask, DeleteTask
from domain.conditions import ExportConditions, OwnerId
from domain.fact import Caller
from domain.refusals import (
    Contended,
    DownloadTooSoon,
    NoFile,
    NoSuchTask,
    OwnerClosed,
    Refusal,
    TooSlow,
    Unavailable,
    UnfinishedLimitReached,
)
from exporter.disk import ResultsFailed
from tests.facts import NOON
from tests.judge import OwnerSeen, between
from tests.simulation.kernel import Dead, Process
from tests.simulation.world import APPS, Broken

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.node import Node, Parts
    from tests.simulation.world import World

AGAIN_SECONDS = 0.5
GRANT_SECONDS = 1.0
APP_SCOPE = 0.2
NOBODY = "f" * 24

BATCH = b"b"
"""What each row of a simulated file begins with; no line of the summary does."""


class Client:
    """One of an owner's programs; each request goes to either node."""

    def __init__(self, world: World, owner: OwnerId, number: int) -> None:
        self.world, self.owner = world, owner
        self.name = f"{owner.user_id}-{number}"
        self._process = Process(world.kernel, self.name)
        self._known: list[str] = []
        self._etags: list[tuple[str, str]] = []

    def start(self) -> None:
        """Begins to ask."""
        self.world.clients += 1
        self._actor = self.world.kernel.spawn(self._process, self.name, self._live)

    def act(self, process: Process, work: Callable[[], None]) -> None:
        """Does one thing alone, in a server's process."""
        self._actor = self.world.kernel.spawn(process, self.name, work)

    def _live(self) -> None:
        world = self.world
        weights = world.options.weights
        asks = {name: getattr(self, f"_{name}") for name in weights}
        try:
            for _ in range(world.options.operations):
                if world.calls >= world.options.calls:
                    return
                world.kernel.sleep(world.options.think * world.chance.random())
                (what,) = world.chance.choices(list(weights), list(weights.values()))
                self._request(what, asks[what])
        finally:
            world.clients -= 1

    def _request(self, what: str, ask: Callable[[Asking], None]) -> None:
        world, actor = self.world, self._actor
        node = world.chance.choice(world.nodes)
        if node.api.process.dead:
            world.met("a node does not answer")
            return world.kernel.sleep(AGAIN_SECONDS)
        asking = Asking(self, node)
        process = node.api.process
        actor.process = process
        process.actors.append(actor)
        try:
            ask(asking)
        except Dead:
            if self._process.dead:
                raise
            world.met("an answer never came, as the server died")
        except Contended:
            world.met("a command met others' changes at every try")
        except Unavailable as refusal:
            asking.could_not_look()
            world.met(f"{type(refusal).__name__} is answered")
        except Rejected as refusal:
            world.met(f"a download is refused with {refusal.problem.status}")
        except ResultsFailed:
            world.met("the result store fails a download")
        except Refusal as refusal:
            raise Broken(f"{self.name}: {what} is refused by {refusal!r}") from refusal
        finally:
            process.actors.remove(actor)
            actor.process = self._process
            world.tell(f"{self.name}: {what} is over")
        return None

    # What is asked

    def _create(self, asking: Asking) -> None:
        world, caller = self.world, asking.caller()
        batch = world.chance.choice(list(world.batches))
        if world.chance.random() < 0.05:
            batch = "0"
        app = world.chance.choice(APPS) if world.chance.random() < APP_SCOPE else None
        kind = "APP" if app else "GLOBAL"
        conditions = ExportConditions("BatchTask", f'{{"task_id":"{batch}"}}', "xls", kind, app)
        command = CreateTask(self.owner, conditions, None, None, caller)
        try:
            task = asking.parts.ledger.create(command)
        except UnfinishedLimitReached:
            return asking.full(caller)
        except OwnerClosed:
            asking.must(asking.owner.closed, "a create is refused as if the user were removed")
            return world.met("a removed user is refused")
        made = world.judge.requests.get(caller.request_id)
        asking.must(made == task.task_id, f"acknowledged {task.task_id}, the log has {made}")
        world.acked[caller.request_id] = (task.task_id, self.owner)
        self._known.append(task.task_id)
        return self._recovered(caller)

    def _delete(self, asking: Asking) -> None:
        task_id, caller = self._some_task(), asking.caller()
        try:
            asking.parts.ledger.delete(DeleteTask(self.owner, task_id, caller))
        except NoSuchTask:
            task = self.world.judge.tasks.get(task_id)
            mine = task is not None and task.owner == self.owner
            known = task is not None and task.evicted != "kept_limit"
            asking.must(not (mine and known), f"{task_id} is not to be deleted, nor was it")
            return self.world.met("a delete of what is not there")
        task = self.world.judge.tasks.get(task_id)
        asking.must(
            task is not None and task.evicted == "deleted" and task.owner == self.owner,
            f"{task_id} is said to be deleted",
        )
        if task_id in self.world.deleted_tasks:
            self.world.met("a repeated delete is no refusal")
        self.world.deleted_tasks[task_id] = self.owner
        return self._recovered(caller)

    def _list(self, asking: Asking) -> None:
        limit = self.world.chance.choice((1, 2, 3, 50))
        after = {"marker": self._some_task()} if self.world.chance.random() < 0.3 else {}
        page = asking.parts.queries.tasks(self.owner, limit=limit, **after)
        listed = [task.task_id for task in page.tasks]

        def told(kept: tuple[str, ...]) -> bool:
            found = [each for each in reversed(kept) if each < after.get("marker", "g")]
            return (found[:limit], len(kept)) == (listed, page.count)

        asking.must(asking.ever(told), f"listed {listed} of {page.count}, {limit} {after}")
        for row in page.tasks:
            asking.true_status(row)

    def _show(self, asking: Asking) -> None:
        task_id = self._some_task()
        row = asking.parts.queries.task(self.owner, task_id)
        if row is None:
            gone = asking.ever(lambda kept: task_id not in kept)
            return asking.must(gone, f"{task_id} is not shown")
        asking.must(asking.ever(lambda kept: task_id in kept), f"{task_id} is shown")
        asking.must(row.owner == self.owner, "another's task is shown")
        return asking.true_status(row)

    def _quota(self, asking: Asking) -> None:
        row = asking.parts.queries.quota(self.owner)
        asking.must(asking.ever(lambda kept: len(kept) == row.kept), f"{row.kept} kept")
        low = asking.owner.least_unfinished_between(asking.since, asking.now)
        most = asking.owner.most_unfinished_between(asking.since, asking.now)
        asking.must(low <= row.unfinished <= most, f"{row.unfinished} unfinished, not {low}-{most}")

    def _history(self, asking: Asking) -> None:
        task_id = self._some_task()
        before = asking.version(task_id)
        told = len(asking.parts.ledger.history(task_id))
        after = asking.version(task_id)
        asking.must(before <= told <= after, f"{told} events of {task_id}, not {before}-{after}")

    def _download(self, asking: Asking) -> None:
        world, task_id = self.world, self._some_task()
        done = [each for each in asking.owner.kept if world.judge.tasks[each].file]
        if done and world.chance.random() < 0.8:
            task_id = world.chance.choice(done)
        headers = {}
        if self._etags and world.chance.random() < 0.3:
            task_id, etag = world.chance.choice(self._etags)
            headers = {"range": "bytes=0-", "if-range": etag}
        elif world.chance.random() < 0.2:
            headers = self._odd_headers(task_id)
        request = Request(self.owner, task_id, asking, headers)
        try:
            response = download(request)  # type: ignore[arg-type]
        except (NoSuchTask, NoFile) as refusal:
            return self._no_file(asking, task_id, refusal)
        except DownloadTooSoon as refusal:
            return asking.too_soon(refusal)
        except TooSlow:
            return world.met("a grant that took too long")
        opened = response._opened  # type: ignore[attr-defined]
        opened.close()
        self._received(asking, request, task_id, response.headers, opened.stored)
        return None

    def _odd_headers(self, task_id: str) -> dict[str, str]:
        """A part of the file, though nothing of it was granted: of its own, or by its ETag."""
        world = self.world
        task = world.judge.tasks.get(task_id)
        current = task and world.judge.current.get(task.conditions)
        if current and world.chance.random() < 0.5:
            return {"range": "bytes=0-", "if-range": f'"{current.sha256}"'}
        return {"range": "bytes=0-"}

    def _no_file(self, asking: Asking, task_id: str, refusal: Refusal) -> None:
        task = self.world.judge.tasks.get(task_id)
        if task is None or task.owner != self.owner:
            return None
        if isinstance(refusal, NoSuchTask):
            gone = asking.ever(lambda kept: task_id not in kept)
            return asking.must(gone, f"{task_id} is said not to be there")
        statuses = between(task.statuses, asking.since, asking.now)
        gone = asking.ever(lambda kept: task_id not in kept)
        asking.must(gone or statuses != ["Success"], f"{task_id} is said to have no file")
        return self.world.met("a download without a file")

    def _received(
        self, asking: Asking, request: Request, task_id: str, headers: Any, stored: Any
    ) -> None:
        world = self.world
        task = world.judge.tasks.get(task_id)
        asking.must(task is not None and task.owner == self.owner, "another's file")
        assert task
        etag = headers["etag"]
        asking.must(etag == f'"{stored.sha256}"', "an ETag that is not of the bytes")
        history = world.current_history[task.conditions]
        currents = between(history, asking.since, asking.now)
        keys = [key for key in currents if key and world.sha256[key] == stored.sha256]
        rows = stored.content.count(b"\n" + BATCH) + stored.content.startswith(BATCH)
        asking.must(rows == world.options.rows, f"{rows} rows in the file")
        asking.must(bool(keys), f"the file got is not among {currents}")
        granted = world.granted.get(request.request_id)
        if granted is None:
            asking.must("range" in request.headers, "bytes without a grant")
            asking.must(request.headers.get("if-range") == etag, "another file's bytes are free")
            asking.resumable(etag)
            return world.met("a broken download goes on")
        late = (world.true_time() - granted).total_seconds()
        in_time = late <= GRANT_SECONDS or world.options.skew > 0
        asking.must(in_time, f"bytes {late} s after the clock was read")
        world.met("a download")
        self._etags.append((task_id, etag))
        return self._recovered(request.made)

    def _recovered(self, caller: Caller) -> None:
        undone = self.world.undone_requests.get(caller.request_id)
        if undone:
            self.world.met(f"recovered: {undone[0]}")

    def _some_task(self) -> str:
        """A task of the owner mostly; another's, or none, now and then."""
        world = self.world
        drawn = world.chance.random()
        owner = world.judge.owners.get(self.owner)
        if drawn < 0.7 and owner and owner.kept:
            return world.chance.choice(owner.kept)
        if drawn < 0.8 and self._known:
            return world.chance.choice(self._known)
        if drawn < 0.95 and world.judge.tasks:
            return world.chance.choice(list(world.judge.tasks))
        return NOBODY


class Asking:
    """A request under way: to whom, and how many events the log had when it began."""

    def __init__(self, client: Client, node: Node) -> None:
        self.client, self.world = client, client.world
        self.parts: Parts = node.api
        self.since, self.began = self.world.judge.heard, self.world.kernel.now
        self._requests: list[str] = []

    @property
    def now(self) -> int:
        """How many events the log has."""
        return self.world.judge.heard

    @property
    def owner(self) -> OwnerSeen:
        """What the judge has seen of the owner."""
        key = tuple(self.client.owner)
        return self.world.judge.owners.get(key) or OwnerSeen(key)

    def caller(self) -> Caller:
        """The user, in a request with an id of its own."""
        self._requests.append(self.world.request_id())
        return Caller(self.client.owner.user_id, self._requests[-1], "AK", None)

    def must(self, holds: bool, what: str) -> None:
        """What was answered is true, or it is told."""
        if not holds:
            raise Broken(f"{self.client.name}, asking since event {self.since}: {what}")

    def ever(self, holds: Callable[[tuple[str, ...]], bool]) -> bool:
        """Was it true of the kept tasks, earliest first, at some moment since the question?"""
        return any(map(holds, self.owner.kept_between(self.since, self.now)))

    def version(self, task_id: str) -> int:
        """How many events the task has."""
        task = self.world.judge.tasks.get(task_id)
        return task.version if task else 0

    def could_not_look(self) -> None:
        """Told that it is not known what came of it: after a lost answer, the look-up failed too.

        Where nothing more met the server since, it cannot have looked.
        """
        for request in self._requests:
            undone = self.world.undone_requests.get(request)
            looked = undone is None or self.parts.process.troubled > undone[1]
            self.must(looked, "an answer was lost, and nobody looked what came of it")

    def resumable(self, etag: str) -> None:
        """Bytes came without a grant: there was one of these bytes, not long ago."""
        when = self.owner.grants.get(etag)
        self.must(when is not None, "bytes are free that were never granted")
        began = NOON + timedelta(seconds=self.began)
        age = (began - datetime.fromisoformat(when or "")).total_seconds()
        options = self.world.options
        right = age <= options.resumable + 2 * options.skew
        self.must(right, f"bytes are free {age} s after they were granted")

    def full(self, caller: Caller) -> None:
        """A create was refused for the slots: they were full at some moment; nothing is made."""
        judge = self.world.judge
        self.must(caller.request_id not in judge.requests, "refused, and made all the same")
        limits = between(judge.limits.history, self.since, self.now)
        least = min(limit.unfinished for limit in limits)
        most = self.owner.most_unfinished_between(self.since, self.now)
        self.must(most >= least, f"refused with {most} of {least} slots in use")
        self.world.met("slots full at a create")

    def too_soon(self, refusal: DownloadTooSoon) -> None:
        """A download was refused: there was one, and where clocks are right it was not long ago."""
        last, limits = self.owner.last_grant, self.world.judge.limits
        self.must(last is not None, "refused for a download that never was")
        assert last is not None
        ago = (self.world.true_time() - last).total_seconds()
        right = self.world.options.skew > 0 or ago - self.took() <= limits.download_interval
        self.must(right, f"refused {ago} s after the last download")
        self.must(refusal.retry_after > 0, "told to wait for nothing")
        self.world.met("a download too soon")

    def took(self) -> float:
        """Seconds since the question."""
        return self.world.kernel.now - self.began

    def true_status(self, row: Any) -> None:
        """The row's status and numbers were true since the question."""
        task = self.world.judge.tasks[row.task_id]
        statuses = between(task.statuses, self.since, self.now)
        self.must(row.status in statuses, f"{row.task_id} is shown as {row.status}: {statuses}")


class Request:
    """What the download handler asks of a request."""

    def __init__(
        self, owner: OwnerId, task_id: str, asking: Asking, headers: dict[str, str]
    ) -> None:
        self.owner, self._task_id, self.headers = owner, task_id, headers
        parts = asking.parts
        self.house = _House(parts)
        self.request = self
        self.method = "GET"
        self.made = asking.caller()
        self.request_id = self.made.request_id

    def parameter(self, name: str) -> str:
        return self._task_id

    def tell(self, **keys: object) -> None:
        """Logs are not looked at here."""

    def joined(self, name: str) -> str | None:
        return self.headers.get(name)

    def caller(self) -> Caller:
        return self.made


class _House:
    """The parts that the download handler uses."""

    def __init__(self, parts: Parts) -> None:
        self.queries, self.ledger, self.results = parts.queries, parts.ledger, parts.results
        self.downloads = None
