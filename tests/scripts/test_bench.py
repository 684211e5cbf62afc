"""The measurements run, and say what they are to say; how fast it is, no test tells."""

import json
from contextlib import closing
from math import inf

import pytest
from click.testing import CliRunner

from projections.follower import Follower
from projections.log import open_log
from projections.schema import TABLES
from projections.tables import ReadTables, connect
from scripts.benchmarks import history, runner
from scripts.benchmarks.__main__ import SUBJECTS, bench

QUICK = ("--quick", "--runs", "1")


@pytest.mark.parametrize("subject", SUBJECTS)
def test_each_subject_prints_its_figures_beside_a_peer(subject, tmp_path):
    to = tmp_path / "figures.json"
    arguments = (*QUICK, "--only", subject, "--json", str(to), "--folder", str(tmp_path))
    result = CliRunner().invoke(bench, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    head, *lines = result.stdout.splitlines()
    assert head.split() == ["what", "unit", "ours", "peer", "its", "ratio", "from", "to"]
    written = json.loads(to.read_text())
    assert len(lines) == len(written["figures"]) > 0
    for figure in written["figures"]:
        for rounds in (figure["ours"], figure["theirs"], figure["ratios"]):
            assert len(rounds) == written["runs"] == 1
            assert all(0 < value < inf for value in rounds)


def test_it_leaves_nothing_behind(tmp_path):
    arguments = (*QUICK, "--only", "creates", "--folder", str(tmp_path))
    CliRunner().invoke(bench, arguments, catch_exceptions=False)
    assert list(tmp_path.iterdir()) == []


def test_the_library_s_runner_leaves_the_same_rows_as_the_follower(tmp_path):
    path = tmp_path / "events.sqlite"
    with closing(open_log(f"sqlite:///{path}")) as log:
        events = history.fill(log.recorder, 1_000)
        runner.project_all(path, tmp_path / "view.sqlite", events)
        with (
            closing(ReadTables(tmp_path / "read")) as tables,
            Follower(log.recorder, tables).caught_up() as ours,
        ):
            theirs = connect(tmp_path / "view.sqlite")
            for table in set(TABLES) - {"position", "moments"}:
                assert rows(ours, table) == rows(theirs, table)
            assert rows(ours, "tasks")
            theirs.conn.close()


def rows(database, table):
    return sorted(tuple(row) for row in database.execute(f"SELECT * FROM {table}"))
