"""What tests of exporters work with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.places import Folder
from tests.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.places import Place


@pytest.fixture
def shop(request: pytest.FixtureRequest, tmp_path: Path, place: Place) -> Iterator[Workshop]:
    """An installation without a task: over files of its own, or over a database and a bucket."""
    shared = not isinstance(place, Folder)
    events_url = request.getfixturevalue("database").fresh() if shared else None
    shop = Workshop(tmp_path, events_url, place.url)
    yield shop
    shop.close()
