"""Every domain test runs over every store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from eventsourcing.popo import POPOApplicationRecorder

from projections.log import open_log
from tests.facts import Story

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def story(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Story]:
    """A ledger over an empty store."""
    if request.param == "memory":
        yield Story(POPOApplicationRecorder())
        return
    if request.param == "sqlite":
        log = open_log(f"sqlite:///{tmp_path}/events.sqlite")
    else:
        log = open_log(request.getfixturevalue("database").fresh())
    yield Story(log.recorder)
    log.close()
