"""News to browsers: one reader of the log, whoever many listen; each hears what is theirs."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, suppress

import pytest

from api.access.tokens import SESSION_LIVES
from api.console import live as streams
from api.console import watcher as watching
from api.console.sessions import COOKIE
from api.console.watcher import News, Viewer, Watcher
from domain.commands import Progress
from domain.conditions import OwnerId
from tests.facts import ANN, BEN, LEASE, OPERATOR
from tests.visitor import PASSWORD, signed_in

SOON = 60.0


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch):
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.01)


@pytest.fixture
def service(any_service):
    """Over each kind of event store: positions are dense in one alone."""
    return any_service


@pytest.fixture
def story(service):
    return service.story


async def heard(viewer: Viewer, count: int) -> list[tuple[str, str | None]]:
    """What the next news are of."""
    async with asyncio.timeout(SOON):
        return [(news.what, news.task_id) for news in [await viewer.next() for _ in range(count)]]


async def begun(watcher: Watcher) -> None:
    async with asyncio.timeout(SOON):
        await watcher._begun.wait()


def test_each_hears_of_their_own_and_whoever_may_of_all(story):
    async def scene() -> None:
        watcher = Watcher(story.journal)
        with (
            watcher.viewing(ANN) as ann,
            watcher.viewing(BEN) as ben,
            watcher.viewing(None) as everybody,
        ):
            await begun(watcher)
            mine, bens = story.create(ANN), story.create(BEN)
            claim = story.claim(mine)
            story.ledger.progress(claim, LEASE, Progress(10, 100, 10))
            story.delete(bens, BEN)
            of_mine = [
                ("created", mine.task_id),
                ("progressed", mine.task_id),
                ("progressed", mine.task_id),
            ]
            of_bens = [("created", bens.task_id), ("evicted", bens.task_id)]
            assert await heard(ann, 3) == of_mine
            assert await heard(ben, 2) == of_bens
            assert sorted(await heard(everybody, 5)) == sorted([*of_mine, *of_bens])

    asyncio.run(scene())


def test_news_hold_ids_and_numbers_alone(story):
    async def scene() -> None:
        watcher = Watcher(story.journal)
        with watcher.viewing(ANN) as viewer:
            await begun(watcher)
            claim = story.claim(story.create())
            story.ledger.progress(claim, LEASE, Progress(10, 100, 10))
            await heard(viewer, 2)
            news = await viewer.next()
            assert news == News(story.head(), ANN, "progressed", claim.task_id, 10, 100, 10)

    asyncio.run(scene())


def test_a_task_that_was_there_before_is_known_by_its_first_event(story):
    task = story.create()

    async def scene() -> None:
        watcher = Watcher(story.journal)
        with watcher.viewing(ANN) as viewer:
            await begun(watcher)
            story.claim(task)
            assert await heard(viewer, 1) == [("progressed", task.task_id)]

    asyncio.run(scene())


def test_what_came_between_a_page_and_its_stream_is_not_lost(story):
    before = story.head()
    task = story.create()
    story.create(BEN)

    async def scene() -> None:
        watcher = Watcher(story.journal)
        with watcher.viewing(ANN):
            found = await watcher.since(before, ANN)
            assert [(news.what, news.task_id) for news in found] == [("created", task.task_id)]
            assert await watcher.since(found[-1].position, ANN) == []

    asyncio.run(scene())


def test_after_very_much_one_is_told_to_look_anew(story, monkeypatch):
    monkeypatch.setattr(watching, "PAGE", 3)
    for _ in range(2):
        story.create()

    async def scene() -> None:
        watcher = Watcher(story.journal)
        with watcher.viewing(ANN):
            (news,) = await watcher.since(0, ANN)
            assert news.what == "stale"

    asyncio.run(scene())


def test_a_viewer_that_takes_nothing_is_told_to_look_anew(monkeypatch):
    monkeypatch.setattr(watching, "UNREAD_MOST", 3)

    async def scene() -> None:
        viewer = Viewer(ANN)
        for position in range(1, 5):
            viewer.tell(News(position, ANN, "created", "t"))
        assert (await viewer.next()) == News(4, None, "stale")

    asyncio.run(scene())


def test_the_store_is_read_as_often_for_two_hundred_viewers_as_for_two(story, monkeypatch):
    select = story.recorder.select_notifications
    reads = []

    def noted(*given, **more):
        reads.append(select(*given, **more))
        return reads[-1]

    monkeypatch.setattr(story.recorder, "select_notifications", noted)

    async def scene(viewers: int) -> int:
        watcher = Watcher(story.journal)
        with Views(watcher, viewers) as found:
            await begun(watcher)
            reads.clear()
            task = story.create()
            for viewer in found:
                assert await heard(viewer, 1) == [("created", task.task_id)]
            return sum(1 for read in reads if read)  # those before the create found nothing

    assert asyncio.run(scene(200)) == asyncio.run(scene(2)) == 1


class Views:
    """So many viewers of one owner."""

    def __init__(self, watcher: Watcher, count: int) -> None:
        self._views = [watcher.viewing(ANN) for _ in range(count)]

    def __enter__(self) -> list[Viewer]:
        return [view.__enter__() for view in self._views]

    def __exit__(self, *_: object) -> None:
        for view in self._views:
            view.__exit__(None, None, None)


def test_while_nobody_looks_nothing_is_read(story):
    async def scene() -> None:
        watcher = Watcher(story.journal)
        with watcher.viewing(ANN):
            await begun(watcher)
        async with asyncio.timeout(SOON):
            while watcher._watching:
                await asyncio.sleep(0.01)
        with watcher.viewing(ANN) as viewer:
            await begun(watcher)
            task = story.create()
            assert await heard(viewer, 1) == [("created", task.task_id)]

    asyncio.run(scene())


def test_a_store_that_was_away_is_read_on(story, monkeypatch):
    from eventsourcing.persistence import OperationalError

    async def scene() -> None:
        watcher = Watcher(story.journal)
        with watcher.viewing(ANN) as viewer:
            await begun(watcher)
            with monkeypatch.context() as away:
                failed = asyncio.Event()
                loop = asyncio.get_running_loop()

                def fails(*_, **__):
                    loop.call_soon_threadsafe(failed.set)
                    raise OperationalError("away")

                away.setattr(story.recorder, "select_notifications", fails)
                async with asyncio.timeout(SOON):
                    await failed.wait()
            task = story.create()
            assert await heard(viewer, 1) == [("created", task.task_id)]

    asyncio.run(scene())


# The stream itself


class Stream:
    """`/live` as a browser reads it."""

    def __init__(self, service, cookie: str, after: int) -> None:
        self._sent: asyncio.Queue[bytes] = asyncio.Queue()
        self._left = asyncio.Event()
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self._text = ""
        self.scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/live",
            "raw_path": b"/live",
            "query_string": f"after={after}".encode(),
            "headers": [(b"host", b"localhost"), (b"cookie", f"{COOKIE}={cookie}".encode())],
            "client": ("127.0.0.1", 1),
            "server": ("localhost", 80),
            "state": {"house": service.house},
        }

    async def receive(self):
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], dict(message["headers"])
        self._sent.put_nowait(message.get("body", b""))

    async def event(self) -> dict[str, str]:
        """The next one; comments and waiting times are passed over."""
        async with asyncio.timeout(SOON):
            while True:
                head, found, self._text = self._text.partition("\r\n\r\n")
                if not found:
                    self._text = head + (await self._sent.get()).decode()
                    continue
                lines = dict(line.split(": ", 1) for line in head.split("\r\n"))
                if "event" in lines:
                    return lines


@asynccontextmanager
async def streaming(service, cookie: str, after: int):
    stream = Stream(service, cookie, after)
    task = asyncio.create_task(service.http.app(stream.scope, stream.receive, stream.send))
    try:
        yield stream
    finally:
        stream._left.set()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def test_a_stream_tells_what_came_since_the_page_and_then_what_comes(service, ann, page):
    position, first = service.story.head(), ann.create("aaa")

    async def scene() -> None:
        async with streaming(service, page.cookie, position) as stream:
            event = await stream.event()
            assert stream.headers[b"content-type"].startswith(b"text/event-stream")
            assert b"default-src 'none'" in stream.headers[b"content-security-policy"]
            assert event["event"] == "news"
            assert json.loads(event["data"])["task"] == first
            owner = OwnerId("p1", ann.user_id)
            second = service.story.create(owner, "bbb")
            event = await stream.event()
            assert json.loads(event["data"])["task"] == second.task_id
            assert int(event["id"]) == service.story.head()

    asyncio.run(scene())


@pytest.mark.parametrize("end", ["password", "removed", "withdrawn"])
def test_a_stream_ends_with_its_session(service, page, end):
    people = service.household.people
    ends = {
        "password": lambda: people.set_password("Ann", "another horse", OPERATOR),
        "removed": lambda: people.remove_user("Ann", OPERATOR),
        "withdrawn": lambda: people.withdraw("Ann", "p1", OPERATOR),
    }

    async def scene() -> None:
        async with streaming(service, page.cookie, service.story.head()) as stream:
            await begun(service.house.watcher)
            ends[end]()
            found = [await stream.event()]
            while found[-1]["event"] == "news":
                found.append(await stream.event())
            assert found[-1]["event"] == "ended"

    asyncio.run(scene())


def test_a_stream_ends_with_its_session_where_that_was_among_more_news_than_wait(
    service, ann, page, monkeypatch
):
    monkeypatch.setattr(watching, "UNREAD_MOST", 2)

    async def scene() -> None:
        async with streaming(service, page.cookie, service.story.head()) as stream:
            await begun(service.house.watcher)
            service.household.people.set_password("Ann", "another horse", OPERATOR)
            for batch in ("aaa", "bbb", "ccc"):
                service.story.create(OwnerId("p1", ann.user_id), batch)
            assert (await stream.event())["event"] == "ended"

    asyncio.run(scene())


def test_a_stream_ends_when_the_sessions_time_is_over(service, page):
    service.story.clock.now += SESSION_LIVES - SESSION_LIVES / 1e6

    async def scene() -> None:
        async with streaming(service, page.cookie, service.story.head()) as stream:
            assert (await stream.event())["event"] == "ended"

    asyncio.run(scene())


def test_another_users_change_ends_nobodys_stream(service, ann, page):
    async def scene() -> None:
        async with streaming(service, page.cookie, service.story.head()) as stream:
            await begun(service.house.watcher)
            service.client("Ben")
            task = service.story.create(OwnerId("p1", ann.user_id))
            assert json.loads((await stream.event())["data"])["task"] == task.task_id

    asyncio.run(scene())


def test_an_owner_has_so_many_streams_and_no_more(service, page, monkeypatch):
    monkeypatch.setattr(streams, "STREAMS_OF_ONE", 1)

    async def scene() -> None:
        async with streaming(service, page.cookie, service.story.head()):
            await begun(service.house.watcher)
            async with streaming(service, page.cookie, service.story.head()) as one_too_many:
                async with asyncio.timeout(SOON):
                    while not one_too_many.status:
                        await asyncio.sleep(0.01)
                assert one_too_many.status == 503

    asyncio.run(scene())


@pytest.mark.parametrize("after", ["x", "-1", "1" * 19, "²"])
def test_a_position_that_is_none_is_refused(page, after):
    assert page.get(f"/live?after={after}").status_code == 400


def test_a_stream_is_for_who_is_signed_in(service, visitor):
    assert visitor.get("/live?after=0").status_code == 303


def test_two_who_sign_in_on_one_browser_share_no_stream(service, page):
    def stream(visitor) -> str:
        return visitor.get().text.partition('data-stream="')[2][:16]

    service.client("Ben", password=PASSWORD)
    assert stream(page) == stream(page) != stream(signed_in(service, "Ben"))
