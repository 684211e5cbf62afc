"""A rebuild that is killed anywhere leaves the tables right, and nothing for ever."""

from __future__ import annotations

from tests.killed_rebuild import kill


def test_a_rebuild_that_is_killed_at_random_moments_is_put_right_by_the_next(tmp_path):
    kill(6, 1, tmp_path)
