"""Somebody who is signed in to the console, and somebody who is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.visitor import PASSWORD, Visitor, signed_in

if TYPE_CHECKING:
    from tests.web_service import Client


@pytest.fixture
def visitor(service) -> Visitor:
    """Somebody who has not signed in."""
    return Visitor(service)


@pytest.fixture
def ann(service) -> Client:
    """An admin of the first project, with a password, and with a key to sign by."""
    return service.client("Ann", password=PASSWORD)


@pytest.fixture
def page(service, ann) -> Visitor:
    """Ann, signed in."""
    return signed_in(service, "Ann")
