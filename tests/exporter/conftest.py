"""What tests of exporters work with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    """An installation without a task."""
    shop = Workshop(tmp_path)
    yield shop
    shop.close()
