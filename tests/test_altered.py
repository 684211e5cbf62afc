"""What tests say to SQLite is said to PostgreSQL rightly."""

from __future__ import annotations

import pytest

from tests.altered import in_postgres


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("SET topic = 'x' WHERE rowid = 2", "SET topic = 'x' WHERE notification_id = 2"),
        ("SET state = x'00ff'", r"SET state = '\x00ff'"),
        ("SET state = CAST('{}' AS BLOB)", "SET state = '{}'"),
    ],
)
def test_bytes_become_bytes_and_letters_stay_letters(said: str, meant: str) -> None:
    assert in_postgres(said) == meant
