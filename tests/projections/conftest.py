"""A node over an empty log, and a story to tell to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.node import Node

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.facts import Story


@pytest.fixture
def node(events_url: str, tmp_path: Path) -> Iterator[Node]:
    """A node over an empty log, of each kind."""
    node = Node(events_url, tmp_path / "read")
    yield node
    node.close()


@pytest.fixture
def story(node: Node) -> Story:
    """What happens on the node."""
    return node.story
