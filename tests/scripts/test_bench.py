"""The measurements run, and say what they are to say; how fast it is, no test tells."""

import json
import re
from contextlib import closing
from math import inf
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from api.settings import Settings
from domain.conditions import OwnerId
from domain.journal import Journal
from domain.ledger import Ledger
from domain.owner import Owner, owner_stream
from projections.follower import Follower
from projections.log import open_log
from projections.schema import TABLES
from projections.tables import ReadTables, connect
from scripts.benchmarks import copies, history, homes, raw, runner, tasks
from scripts.benchmarks.__main__ import SUBJECTS, bench
from scripts.benchmarks.figures import LIMIT, PEAK, Figure, Sample, at_least, at_most, limited
from scripts.benchmarks.pacing import Due, paced
from scripts.benchmarks.page import BEGIN, END, PAGE, PICTURES, write_page
from scripts.benchmarks.picture import NAME, picture
from scripts.benchmarks.report import COLUMNS, document, verdict
from scripts.benchmarks.wire import Unexpected

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


MACHINE = {
    "processors": 2,
    "memory_gb": 8,
    "python": "3.11",
    "sqlite": "3.40",
    "system": "Linux",
}
MET = Figure("a <hot> owner", "per second", "raw", (2,), (4,), at_least(0.35))
MISSED = Figure("a create", "µs CPU each", LIMIT, (700,), (350,), at_most(1, "at most 350 µs"))
UNBARRED = Figure("a list", "seconds", "another", (1,), (1,))


def shapes(svg):
    rectangles = ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}rect")
    return [each.attrib for each in rectangles]


def test_the_picture_has_a_bar_for_each_figure_with_one_met_ones_right_of_the_line():
    _, met, missed = shapes(picture([MET, UNBARRED, MISSED]))
    assert (met["class"], missed["class"]) == ("met", "missed")
    line = float(met["x"])
    assert float(missed["x"]) + float(missed["width"]) == pytest.approx(line, abs=0.11)


def test_twice_as_good_is_as_far_from_the_line_as_half_as_good():
    twice, half = (Figure("it", "s", "that", (n,), (1,), at_least(1)) for n in (2, 0.5))
    _, right, left = shapes(picture([twice, half]))
    assert float(right["width"]) == pytest.approx(float(left["width"]), abs=0.11)


@pytest.mark.parametrize("ratio", [1, 1e-9, 1e9])
def test_however_far_a_figure_is_it_stays_on_the_picture(ratio):
    back, bar = shapes(picture([Figure("it", "s", "that", (ratio,), (1,), at_least(1))]))
    assert 0 < float(bar["x"]) < float(bar["x"]) + float(bar["width"]) < float(back["width"])


def test_the_page_is_written_between_its_marks_and_the_picture_beside_it(tmp_path):
    page, pictures = tmp_path / "page.md", tmp_path / "pictures"
    page.write_text(f"before\n{BEGIN}\nof another run\n{END}\nafter\n")
    found = {**document([MET, MISSED, UNBARRED], 1, False, 60), "machine": MACHINE}
    for _ in range(2):
        write_page(json.loads(json.dumps(found)), page, pictures)
    before, body, after = re.split(f"{BEGIN}|{END}", page.read_text())
    assert (before, after) == ("before\n", "\nafter\n")
    assert "1 of 2 bars met; missed: a create (µs CPU each, the limit)" in body
    table = [line for line in body.splitlines() if line.startswith("|")]
    cells = ("a <hot> owner", "per second", "2", "raw", "4", "0.5", "0.5", "0.5", "at least 0.35")
    assert table[2] == f"| {' | '.join(cells)} | met |"
    assert len(table) == 2 + 3
    assert (pictures / NAME).read_text() == picture([MET, MISSED])


def test_a_page_without_its_marks_is_left_alone(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("mine\n")
    with pytest.raises(ValueError, match="must have this mark once"):
        write_page(document([MET], 1, False, 1), page, tmp_path)
    assert page.read_text() == "mine\n"


def test_a_run_draws_its_picture_where_it_is_told(tmp_path):
    arguments = (*QUICK, "--only", "creates", "--svg", str(tmp_path / "pictures"))
    CliRunner().invoke(bench, arguments, catch_exceptions=False)
    assert len(shapes((tmp_path / "pictures" / NAME).read_text())) == 1 + 2


def test_the_page_that_is_committed_can_be_written_anew():
    page = PAGE.read_text()
    assert (page.count(BEGIN), page.count(END)) == (1, 1)
    assert page.index(BEGIN) < page.index(END)
    ElementTree.parse(PICTURES / NAME)


def test_copies_of_a_history_are_events_that_the_tables_take(tmp_path):
    path = tmp_path / "events.sqlite"
    with closing(open_log(f"sqlite:///{path}")):
        pass
    stored = copies.fill(path, 3, 45)
    with (
        closing(open_log(f"sqlite:///{path}")) as log,
        closing(ReadTables(tmp_path / "read")) as tables,
        Follower(log.recorder, tables).caught_up() as database,
    ):
        assert Follower(log.recorder, tables).position().count == stored >= 3 * 45
        assert rows(database, "quarantine") == []
        assert {row["kept"] for row in database.query("SELECT * FROM quotas")} == {3}
        owners = {row["user_id"] for row in database.query("SELECT * FROM tasks")}
        assert len(owners) == 3
        ledger = Ledger(Journal(log.recorder))
        task = ledger.create(tasks.creating(OwnerId(tasks.PROJECT, min(owners))))
        assert len(ledger.journal.latest(Owner, owner_stream(task.owner)).kept) == 4


def test_the_peer_of_a_catch_up_leaves_the_same_rows(tmp_path):
    path = tmp_path / "events.sqlite"
    with closing(open_log(f"sqlite:///{path}")) as log:
        history.fill(log.recorder, 300)
        with (
            closing(ReadTables(tmp_path / "read")) as tables,
            Follower(log.recorder, tables).caught_up() as ours,
        ):
            raw.copy_rows_of(path, ours, tmp_path / "copy.sqlite")
            copy = connect(tmp_path / "copy.sqlite")
            for table in TABLES:
                assert rows(ours, table) == rows(copy, table)
            copy.conn.close()


def test_what_is_due_is_sent_once_and_an_answer_of_another_status_ends_it(tmp_path):
    content = tmp_path / "document.json"
    content.write_text("{}")
    settings = Settings.read({}, home=tmp_path)
    request = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with homes.bare(settings, content) as server:
        due = [Due(number / 1000, "a", request, 200) for number in range(20)]
        taken = paced(server, [*due, Due(0, "b", request, 200)])
        assert {kind: len(seconds) for kind, seconds in taken.items()} == {"a": 20, "b": 1}
        with pytest.raises(Unexpected):
            paced(server, [Due(0, "a", request, 201)])


@pytest.mark.parametrize("subject", SUBJECTS)
def test_each_subject_is_described_and_stands_among_what_the_rows_mean(subject):
    docs = PAGE.parent
    assert f"**{subject}**" in (docs / "benchmarks.md").read_text()
    assert f"`{subject}`" in PAGE.read_text().split(END)[1]
