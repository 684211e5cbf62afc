"""A running service and its first client."""

from __future__ import annotations

from contextlib import closing

import pytest

from tests.browser import running_browser
from tests.bundled import House
from tests.household import Household
from tests.web_service import Client, Service


@pytest.fixture(scope="module")
def browser():
    with running_browser() as browser:
        yield browser


@pytest.fixture
def service(tmp_path):
    service = Service(tmp_path)
    yield service
    service.close()


@pytest.fixture
def any_service(tmp_path, events_url):
    """A running service over each kind of event store."""
    service = Service(tmp_path, events=events_url)
    yield service
    service.close()


@pytest.fixture
def ann(service) -> Client:
    """An admin of the first project."""
    return service.client("Ann")


@pytest.fixture
def house(tmp_path, events_url):
    """A household over each kind of event store."""
    with closing(Household(tmp_path, events_url)) as house:
        yield house


@pytest.fixture
def sealed(tmp_path, events_url):
    """A sealed log of two owners, over each kind of event store."""
    sealed = House(tmp_path, events_url)
    with closing(sealed.log):
        yield sealed
