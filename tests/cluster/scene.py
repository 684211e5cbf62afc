"""Scene: three machines over one PostgreSQL and one S3 server, as `scripts/cluster` starts them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Literal, Self

from tests.cluster.mirror import mirror
from tests.cluster.node import Node
from tests.torture import started

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import TypeVar

    from tests.cluster.node import CommandLine
    from tests.cluster.servers import Servers
    from tests.service import Home

    T = TypeVar("T")

Source = Literal["embedded", "postgresql"]


def shared(servers: Servers, secret: str) -> dict[str, str]:
    """The settings in which the nodes agree, without the prefix; batch tasks aside."""
    return {"events": servers.events, "results": servers.results, "secret_key": secret}


class Scene:
    """Nodes that are started together and end together; the first is number 1.

    `home` is the operator's: no service runs there. With `source` embedded all nodes read its
    file, as they can since they are on one machine; with postgresql they read the database's.
    To be struck, nodes have a disk of so many megabytes each, where one can be mounted, and reach
    the store by a wire that may be slow. `first` is what the first one begins with, if it is
    another program: the others come when it is up, as an upgrade finds a log that has begun.
    """

    def __init__(
        self,
        folder: Path,
        servers: Servers,
        home: Home,
        count: int,
        source: Source,
        command_line: CommandLine = started.command_line,
        *,
        disk: int = 0,
        first: CommandLine | None = None,
    ) -> None:
        self.servers, self.home, self._source = servers, home, source
        environment = home.environment | (
            servers.by_wire() if disk else servers.store.environment()
        )
        environment["EXPORT_TASKS_SOURCE"] = (
            servers.batches if source == "postgresql" else f"sqlite:///{self.batches}"
        )
        self.tell_batches()
        self.nodes = [
            Node(folder, f"node-{number + 1}", environment, command_line, disk)
            for number in range(count)
        ]
        self._alone = 0
        if first:
            self.nodes[0].running.command_line, self._alone = first, 1

    def __enter__(self) -> Self:
        for nodes in (self.nodes[: self._alone], self.nodes[self._alone :]):
            self._each(lambda node: node.running.up(), nodes)
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._each(Node.end, self.nodes)
        finally:
            for node in self.nodes:
                node.running.kill_all()
                node.close()

    @property
    def batches(self) -> Path:
        """The embedded file in which batch tasks are made."""
        return self.home.folder / "home" / "source.sqlite"

    def tell_batches(self) -> None:
        """Lets all nodes see what batch tasks there are now."""
        if self._source == "postgresql":
            mirror(self.batches, self.servers.batches)

    def up(self) -> None:
        """Starts all nodes, at once as after a power cut."""
        self._each(lambda node: node.running.up(), self.nodes)

    def stop(self) -> list[int]:
        """Stops all nodes in order; their exit codes."""
        return self._each(lambda node: node.running.stop(), self.nodes)

    def _each(self, work: Callable[[Node], T], nodes: list[Node]) -> list[T]:
        with ThreadPoolExecutor(len(self.nodes)) as hands:
            return list(hands.map(work, nodes))
