"""The measurements run, and say what they are to say; how fast it is, no test tells."""

import json
import re
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
from scripts.benchmarks.figures import LIMIT, PEAK, Figure, Sample, at_least, at_most, limited
from scripts.benchmarks.report import COLUMNS, verdict

QUICK = ("--quick", "--runs", "1")


@pytest.mark.parametrize("subject", SUBJECTS)
def test_each_subject_prints_its_figures_beside_a_peer(subject, tmp_path):
    to = tmp_path / "figures.json"
    arguments = (*QUICK, "--only", subject, "--json", str(to), "--folder", str(tmp_path))
    result = CliRunner().invoke(bench, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    head, *lines, verdict = result.stdout.splitlines()
    assert re.split("  +", head) == list(COLUMNS)
    written = json.loads(to.read_text())
    assert len(lines) == len(written["figures"]) > 0
    for figure in written["figures"]:
        for rounds in (figure["ours"], figure["theirs"], figure["ratios"]):
            assert len(rounds) == written["runs"] == 1
            assert all(0 < value < inf for value in rounds)
        assert (figure["bar"] is None) == (figure["met"] is None) == (figure["margin"] is None)
    bars = [figure["met"] for figure in written["figures"] if figure["bar"]]
    assert verdict.split(";")[0] == f"{sum(bars)} of {len(bars)} bars met"


@pytest.mark.parametrize(
    ("bar", "ratio", "met"),
    [
        (at_least(0.5), 0.51, True),
        (at_least(0.5), 0.5, True),
        (at_least(0.5), 0.49, False),
        (at_most(2.5), 2.49, True),
        (at_most(2.5), 2.5, True),
        (at_most(2.5), 2.51, False),
    ],
)
def test_a_bar_is_met_from_its_own_side_by_the_median_of_the_rounds(bar, ratio, met):
    figure = Figure("this", "seconds", "that", (ratio, 0.01, 100), (1, 1, 1), bar)
    assert figure.met is met


def test_a_figure_without_a_bar_is_neither_met_nor_missed():
    figure = Figure("this", "seconds", "that", (1,), (1,))
    assert (figure.met, figure.margin, verdict([figure])) == (None, None, "0 of 0 bars met")


def test_what_is_to_stay_below_a_limit_stands_beside_it():
    rounds = [{"ours": Sample(1, 1.0, peak=value * 1e6)} for value in (60, 61, 70)]
    figure = limited("a book", PEAK, rounds, 64, "under 64 MB")
    assert (figure.peer, figure.ours, figure.theirs) == (LIMIT, (60, 61, 70), (64, 64, 64))
    assert figure.met is True


def test_the_last_line_names_the_bars_that_are_missed():
    figures = [
        Figure("this", "seconds", "that", (3,), (1,), at_most(2)),
        Figure("this", "MB", "that", (1,), (1,), at_most(2)),
        Figure("these", "per second", "those", (1,), (3,), at_least(0.5)),
    ]
    names = "this (seconds, that); these (per second, those)"
    assert verdict(figures) == f"1 of 3 bars met; missed: {names}"


def test_all_is_every_subject_and_so_goes_with_no_other(tmp_path):
    result = CliRunner().invoke(bench, ("--all", "--only", "access"))
    assert result.exit_code == 2
    assert "exclude" in result.stderr


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
