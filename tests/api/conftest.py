"""A running service and its first client."""

from __future__ import annotations

import pytest

from tests.web_service import Client, Service


@pytest.fixture
def service(tmp_path):
    service = Service(tmp_path)
    yield service
    service.close()


@pytest.fixture
def ann(service) -> Client:
    """An admin of the first project."""
    return service.client("Ann")
