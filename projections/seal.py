"""Seal: a Merkle tree over the event log (RFC 6962), as much of it as is needed to go on.

A leaf is an event as it is stored, by its rank in the order of commits. Neither the position nor
anything that a store may number anew is in it, so that the same history has the same root on every
store.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from eventsourcing.persistence import StoredEvent

TAG = b"export-tasks/event/1"
"""What every leaf begins with: another way to make leaves gets another tag."""

HASH_BYTES = 32
_LONGEST = 0xFFFF
_LEAF, _NODE = b"\x00", b"\x01"


@dataclass(frozen=True, slots=True)
class Seal:
    """A tree of the first `count` events: the roots of its perfect subtrees, the largest first."""

    count: int = 0
    frontier: tuple[bytes, ...] = ()

    @classmethod
    def of(cls, count: int, frontier: str) -> Seal:
        """As `text` wrote it.

        Raises:
            ValueError: there is no such tree.
        """
        joined = bytes.fromhex(frontier)
        hashes = tuple(
            joined[start : start + HASH_BYTES] for start in range(0, len(joined), HASH_BYTES)
        )
        if len(joined) != count.bit_count() * HASH_BYTES:
            raise ValueError(f"{len(joined)} bytes are not the frontier of {count} leaves")
        return cls(count, hashes)

    @property
    def text(self) -> str:
        """The frontier in hexadecimal digits."""
        return b"".join(self.frontier).hex()

    @property
    def root(self) -> bytes:
        """The tree's root; of no events, the hash of nothing."""
        if not self.frontier:
            return sha256().digest()
        *rest, root = self.frontier
        for left in reversed(rest):
            root = node(left, root)
        return root

    def grown(self, leaves: list[bytes]) -> Seal:
        """The tree with more leaves, in their order."""
        count, frontier = self.count, list(self.frontier)
        for added in leaves:
            root, height = added, count
            while height & 1:
                root, height = node(frontier.pop(), root), height >> 1
            frontier.append(root)
            count += 1
        return Seal(count, tuple(frontier))


def node(left: bytes, right: bytes) -> bytes:
    """What stands over two subtrees."""
    return sha256(_NODE + left + right).digest()


def leaf(event: StoredEvent) -> bytes:
    """An event's leaf: the hash of what its entry says."""
    return sha256(_LEAF + entry(event)).digest()


def entry(event: StoredEvent) -> bytes:
    """Where an event belongs, what it is, and the hash of its stored bytes; each after its length.

    The parts: `TAG`; the stream's 16 bytes; the version in 8 bytes, the largest first; the topic;
    the SHA-256 of the state. The lengths take 2 bytes. A store that was tampered with may hold
    anything: a part that cannot be what it must be is longer by a byte than a hash.
    """
    stream, version, state = event.originator_id, event.originator_version, event.state
    place = stream.bytes if isinstance(stream, UUID) else _strange(stream)
    digest = sha256(state).digest() if isinstance(state, bytes) else _strange(state)
    try:
        number = version.to_bytes(8, "big")
    except (AttributeError, OverflowError):
        number = _strange(version)
    return _BEGINNING + _part(place) + _part(number) + _topic(event.topic) + _part(digest)


def _part(part: bytes) -> bytes:
    return _LENGTHS[len(part)] + part


@lru_cache(maxsize=256)
def _topic(topic: str) -> bytes:
    name = topic.encode() if isinstance(topic, str) and topic.isascii() else _strange(topic)
    name = name[:_LONGEST]
    return len(name).to_bytes(2, "big") + name


def _strange(found: object) -> bytes:
    return sha256(str(found).encode(errors="surrogatepass")).digest() + b"?"


_LENGTHS = [length.to_bytes(2, "big") for length in range(HASH_BYTES + 2)]
_BEGINNING = _part(TAG)
