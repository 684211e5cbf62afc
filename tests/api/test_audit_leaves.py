"""Leaves: by rank, in memory and in tiles; roots and proofs are those of RFC 6962."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.audit.given import tile_name, tiles_of
from api.audit.leaves import Leaves, path_length
from api.audit.verifier import root_by_path
from projections.seal import Seal, node


def hashes(count: int) -> list[bytes]:
    return [sha256(number.to_bytes(4, "big")).digest() for number in range(count)]


def leaves(count: int) -> Leaves:
    return Leaves.joined(bytearray(b"".join(hashes(count))))


def path_by_definition(rank: int, found: list[bytes]) -> list[bytes]:
    """As RFC 6962 defines it, in section 2.1.1."""
    if len(found) == 1:
        return []
    half = 1 << (len(found) - 1).bit_length() - 1
    if rank < half:
        return [*path_by_definition(rank, found[:half]), Seal().grown(found[half:]).root]
    return [*path_by_definition(rank - half, found[half:]), Seal().grown(found[:half]).root]


@pytest.mark.parametrize("count", [1, 2, 3, 7, 255, 256, 257, 600])
def test_every_leaf_has_the_path_of_the_standard_and_it_leads_to_the_root(count):
    found, tree = hashes(count), leaves(count)
    for rank in {0, count // 2, count - 1}:
        path = tree.path(rank, count)
        assert path == path_by_definition(rank, found)
        assert len(path) == path_length(rank, count)
        assert root_by_path(found[rank], rank, count, path) == tree.root()


@given(st.integers(1, 600), st.data())
def test_a_path_proves_its_leaf_its_rank_and_its_size_alone(count, data):
    rank = data.draw(st.integers(0, count - 1))
    tree, found = leaves(count), hashes(count)[rank]
    path, root = tree.path(rank, count), tree.root()
    assert root_by_path(found, rank, count, path) == root
    for other in {rank + 1, rank - 1, rank + count, -1} - {rank}:
        assert root_by_path(found, other, count, path) != root
    assert root_by_path(node(found, found), rank, count, path) != root
    assert root_by_path(found, rank, count, path[:-1]) != root or not path
    assert root_by_path(found, rank, count, [*path, found]) != root


def test_the_roots_of_any_sizes_are_those_of_the_seal_and_none_is_of_what_is_not_there():
    tree, found = leaves(700), hashes(700)
    roots = tree.roots([0, 1, 255, 256, 257, 511, 700, 701])
    assert roots == {
        size: Seal().grown(found[:size]).root for size in (0, 1, 255, 256, 257, 511, 700)
    }


@pytest.mark.parametrize("rank", [0, 1, 255, 256, 299])
def test_a_leaf_is_found_again_at_its_rank(rank):
    tree = leaves(300)
    assert tree[rank] == tree.get(rank) == hashes(300)[rank]
    assert tree.rank_of(hashes(300)[rank]) == rank


def test_what_is_not_there_is_not_found():
    tree = leaves(300)
    assert tree.get(300) is None
    assert tree.rank_of(hashes(301)[300]) is None
    assert tree.first(299).rank_of(hashes(300)[299]) is None


def test_bytes_between_two_leaves_are_no_leaf():
    joined = b"".join(hashes(4))
    tree = leaves(4)
    assert tree.rank_of(joined[16:48]) is None
    # The same bytes twice: first askew, then at their place.
    twice = Leaves.joined(bytearray(bytes(16) + bytes([1]) * 48 + bytes([1]) * 32))
    assert twice.rank_of(bytes([1]) * 32) == 1


@pytest.mark.parametrize("at", [0, 255, 256, 299])
def test_the_first_difference_is_found(at):
    changed = bytearray(b"".join(hashes(300)))
    changed[at * 32] ^= 1
    assert leaves(300).differs_at(Leaves.joined(changed)) == at


def test_one_that_ends_earlier_differs_at_its_end_and_the_same_does_not():
    assert leaves(300).differs_at(leaves(299)) == 299
    assert leaves(0).differs_at(leaves(1)) == 0
    assert leaves(300).differs_at(leaves(300)) is None


@pytest.mark.parametrize(
    ("number", "name"),
    [(0, "000"), (67, "067"), (999, "999"), (1000, "x001/000"), (1234067, "x001/x234/067")],
)
def test_tiles_are_named_as_c2sp_names_them(number, name):
    assert tile_name(number) == name


def lay(place, number, content, width=256):
    partial = "" if width == 256 else f".p/{width}"
    path = place / "tiles" / "i" / "tile" / "0" / f"{tile_name(number)}{partial}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_stored_tiles_give_their_leaves_and_of_partial_ones_the_widest_whole_one(tmp_path):
    joined = b"".join(hashes(300))
    lay(tmp_path, 0, joined[:8192])
    for width in (7, 44):
        lay(tmp_path, 1, joined[8192 : 8192 + width * 32], width)
    lay(tmp_path, 1, b"half written", 60)
    (tmp_path / "tiles/i/tile/0/001.p/nonsense").touch()
    found = tiles_of(tmp_path, "i")
    assert found.count == 300
    assert found.root() == leaves(300).root()


def test_tiles_end_where_one_is_missing_or_not_whole(tmp_path):
    joined = b"".join(hashes(1024))
    for number in (0, 1, 3):
        lay(tmp_path, number, joined[number * 8192 : (number + 1) * 8192])
    assert tiles_of(tmp_path, "i").count == 512
    lay(tmp_path, 1, joined[:8191])
    assert tiles_of(tmp_path, "i").count == 256
    assert tiles_of(tmp_path, "other").count == 0
