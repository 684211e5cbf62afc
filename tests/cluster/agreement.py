"""Agreement: whether all nodes' read tables and seals are one another's, and the event log's.

The log's side is made here anew from the stored events, with nothing of the product.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from hashlib import sha256
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.cluster.node import Node
    from tests.torture.stored import Stored
    from tests.torture.story import Story

TAG = b"export-tasks/event/1"
Tables = dict[str, list[tuple[Any, ...]]]

SHOWN = "SELECT task_id, project_id, user_id, status, rows, progress, error_code FROM tasks"
CURRENT = "SELECT current FROM results WHERE current IS NOT NULL"


def disagreements(nodes: Sequence[Node], story: Story, stored: Sequence[Stored]) -> Iterator[str]:
    """What is wrong; the nodes have been stopped, and each command here catches up first."""
    for node in nodes:
        yield from _rebuilt(node)
        yield from _of_log(node, story)
        yield from _sealed(node, stored)
    first = tables(nodes[0].home)
    for node in nodes[1:]:
        own = tables(node.home)
        yield from (
            f"{node.name}: the table {name} is not that of {nodes[0].name}"
            for name in first.keys() | own.keys()
            if first.get(name) != own.get(name)
        )


def tables(home: Path) -> Tables:
    """All rows of a node's read tables, but for those that tell how it was read, page by page."""
    with closing(_read(home)) as read:
        names = read.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        return {
            name: sorted(read.execute(f"SELECT * FROM {name}").fetchall(), key=repr)
            for (name,) in names
            if name != "moments"
        }


def root(leaves: Sequence[bytes]) -> bytes:
    """The Merkle tree hash of RFC 6962, section 2.1, over hashes of leaves."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256().digest()
    middle = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\1" + root(leaves[:middle]) + root(leaves[middle:])).digest()


def leaf(event: Stored) -> bytes:
    """Of one event, as docs/audit.md says."""
    stream = event.originator_id
    name = bytes.fromhex(stream.replace("-", "")) if isinstance(stream, str) else stream.bytes
    version, state = event.originator_version.to_bytes(8, "big"), sha256(event.state).digest()
    parts = (TAG, name, version, event.topic.encode(), state)
    return sha256(b"\0" + b"".join(len(each).to_bytes(2, "big") + each for each in parts)).digest()


def _rebuilt(node: Node) -> Iterator[str]:
    code, told, errors = node.command("rebuild", "--compare", "--json")
    if code != 0:
        yield f"{node.name}: rebuild --compare: {code}: {told} {errors[-500:]}"


def _of_log(node: Node, story: Story) -> Iterator[str]:
    judge = story.judge
    kept = {
        (
            task.task_id,
            *task.owner,
            task.status,
            task.rows,
            task.percent,
            task.code,
        )
        for task in judge.tasks.values()
        if task.evicted is None
    }
    with closing(_read(node.home)) as read:
        shown = set(read.execute(SHOWN).fetchall())
        current = {key for (key,) in read.execute(CURRENT).fetchall()}
    for each in sorted(kept ^ shown, key=repr):
        where = "the log" if each in kept else "its tables"
        yield f"{node.name}: of a task, in {where} alone: {each}"
    if (expected := {file.key for file in judge.current.values()}) != current:
        yield f"{node.name}: current files: {sorted(expected ^ current)}"


def _sealed(node: Node, stored: Sequence[Stored]) -> Iterator[str]:
    code, told, errors = node.command("audit", "checkpoint", "--now", "--json")
    if code != 0:
        yield f"{node.name}: audit checkpoint: {code}: {told} {errors[-500:]}"
        return
    if told["size"] != len(stored) or told["root"] != root([leaf(each) for each in stored]).hex():
        yield f"{node.name}: the checkpoint is not of the {len(stored)} events: {told}"
    code, told, errors = node.command("audit", "verify", "--json")
    if code != 0:
        yield f"{node.name}: audit verify: {code}: {told} {errors[-500:]}"


def _read(home: Path) -> sqlite3.Connection:
    """Of a node that was upgraded the newer tables: the others are its earlier program's."""
    pointers = (home / "read").glob("current-v*")
    pointer = max(pointers, key=lambda path: int(path.name.removeprefix("current-v")))
    return sqlite3.connect(f"file:{home / 'read' / pointer.read_text().strip()}?mode=ro", uri=True)
