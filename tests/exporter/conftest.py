"""What tests of exporters work with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def shop(events_url: str, tmp_path: Path) -> Iterator[Workshop]:
    """An installation without a task, over each kind of event store."""
    shop = Workshop(tmp_path, events_url)
    yield shop
    shop.close()
