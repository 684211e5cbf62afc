"""A result store that takes requests and answers none keeps nobody waiting who wants no file."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from api.installation import REQUEST_THREADS
from tests.web_service import TASKS, Service
from tests.workshop import until

MANY = REQUEST_THREADS["sqlite"]


@pytest.fixture
def service(tmp_path, bucket_url):
    """One whose files are in a bucket."""
    service = Service(tmp_path, results=bucket_url)
    yield service
    service.close()


@pytest.mark.parametrize("path", ["/file", "readyz"])
def test_while_the_store_hangs_the_others_are_answered(service, object_store, path):
    ann = service.client("Ann")
    task = ann.finished()
    asked = "/readyz" if path == "readyz" else f"{TASKS}/{task}{path}"
    object_store.pause()
    try:
        with ThreadPoolExecutor(MANY) as waiting:
            files = [waiting.submit(ann.get, asked) for _ in range(MANY)]
            until(lambda: in_threads(service) == MANY, "they wait for the store")
            assert ann.get(f"{TASKS}/{task}/events").status_code == 200
            assert not any(each.done() for each in files)
            object_store.resume()
            assert {each.result().status_code for each in files} <= {200, 403}
    finally:
        object_store.resume()


def in_threads(service):
    """How many requests are under way off the event loop."""
    return service.house.requests.borrowed_tokens + service.house.downloads.borrowed_tokens
