"""A cursor that reads what is no text all the same, and passes on whatever else goes wrong."""

from __future__ import annotations

import sqlite3

import pytest

from projections.stores.any_text import AnyText, read

TWO_ROWS = "SELECT {0} UNION ALL SELECT {1}"
"""The first row is read when the statement is run, the second when rows are asked for."""


@pytest.fixture
def cursor():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    yield AnyText(connection.cursor())
    connection.close()


def test_bytes_that_are_no_text_are_read_as_halves_of_surrogate_pairs(cursor):
    cursor.execute(TWO_ROWS.format("'a'", "CAST(x'62ff' AS TEXT)"))

    assert cursor.fetchall() == [("a",), ("b\udcff",)]


def test_what_is_read_afterwards_is_read_as_ever(cursor):
    cursor.execute(TWO_ROWS.format("'a'", "CAST(x'ff' AS TEXT)"))
    cursor.fetchall()
    cursor.execute("SELECT ?", ("é",))

    assert cursor.fetchall() == [("é",)]


@pytest.fixture
def asked(cursor):
    """What the SQL function `busy`, which fails, was asked."""
    heard = []

    def busy(row):
        heard.append(row)
        raise RuntimeError

    cursor.sqlite_cursor.connection.create_function("busy", 1, busy)
    return heard


def test_another_error_while_rows_are_read_is_raised_and_the_statement_not_run_again(cursor, asked):
    cursor.execute(TWO_ROWS.format("1", "busy(2)"))

    with pytest.raises(sqlite3.OperationalError, match="user-defined function raised"):
        cursor.fetchall()
    assert asked == [2]


def test_what_a_statement_reads_is_read_anyhow_at_once(cursor):
    query = TWO_ROWS.format("?", "CAST(x'62ff' AS TEXT)")

    assert read(cursor.sqlite_cursor, query, ("a",)) == [("a",), ("b\udcff",)]
    assert read(cursor.sqlite_cursor, "SELECT ?", ("é",)) == [("é",)]


def test_another_error_is_raised_at_once_and_the_statement_not_run_again(cursor, asked):
    with pytest.raises(sqlite3.OperationalError, match="user-defined function raised"):
        read(cursor.sqlite_cursor, TWO_ROWS.format("1", "busy(2)"), ())
    assert asked == [2]
