"""What tests of exporters work with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.places import Place


@pytest.fixture
def shop(tmp_path: Path, place: Place) -> Iterator[Workshop]:
    """An installation without a task, once for each place of results."""
    shop = Workshop(tmp_path, place.url)
    yield shop
    shop.close()
