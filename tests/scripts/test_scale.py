"""The simulation of very many users: hashing is even and stable, and a queue is a queue."""

from __future__ import annotations

import json
import subprocess
import sys
from math import log
from pathlib import Path
from xml.etree import ElementTree

import pytest

from scripts.benchmarks.scale.chart import chart
from scripts.benchmarks.scale.population import SLOTS, TASKS_A_YEAR, populate, slot_of
from scripts.benchmarks.scale.stores import Measured, Waits, outcomes, store_of
from scripts.benchmarks.scale.year import HOURS, weights

ROOT = Path(__file__).parents[2]
MEASURED = Measured(100.0, 4, 10, 900.0, 45_000.0)


def test_a_slot_is_the_same_for_ever():
    assert [slot_of(name) for name in ("", "ada", "plant-1/ada")] == [0xE3B, 0xFDE, 0xC82]


def test_twice_as_many_stores_take_half_of_each_and_nothing_else_moves():
    for slot in range(SLOTS):
        assert store_of(slot, 8) // 2 == store_of(slot, 4)
    assert {store_of(slot, 16) for slot in range(SLOTS)} == set(range(16))


def test_a_population_asks_for_what_its_users_ask_for_by_owner_and_by_project():
    people = populate(50_000, seed=3)
    assert sum(people.by_owner) == pytest.approx(sum(people.by_project))
    assert sum(people.by_owner) / 50_000 == pytest.approx(TASKS_A_YEAR, rel=0.1)
    assert sum(people.largest_slots) == people.largest > 1000


def test_a_year_has_its_mean_hour_and_its_worst_on_a_monday_at_a_months_end():
    hours = weights()
    assert sum(hours) == pytest.approx(HOURS)
    worst = hours.index(max(hours))
    assert worst // 24 % 7 == 0
    assert worst // 24 % 30 >= 28


def test_a_queue_at_half_load_waits_as_theory_says():
    rate = 50.0
    waited = Waits(MEASURED, seed=5).p99(rate, 0)
    service = MEASURED.service
    assert waited == pytest.approx(log(0.5 / 0.01) * service / 0.5, rel=0.15)


def test_in_a_storm_owners_spread_and_a_project_does_not():
    people = populate(300_000, seed=1)
    by_owner, by_project = outcomes(people, MEASURED, [16], seed=1)
    assert by_owner.share < by_project.share
    assert by_owner.storm_p99 < by_project.storm_p99


def test_the_chart_has_a_line_for_each_and_is_well_formed():
    found = list(outcomes(populate(20_000, seed=1), MEASURED, [1, 4], seed=1))
    root = ElementTree.fromstring(chart(found, "so <many> users"))
    assert len(root.findall("{*}polyline")) == 4


def test_the_command_prints_every_outcome():
    command = [sys.executable, "-m", "scripts.benchmarks.scale", "--users", "20000", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert [(each["stores"], each["by"]) for each in json.loads(done.stdout)] == [
        (count, by) for count in (1, 2, 4, 8, 16, 32) for by in ("owner", "project")
    ]
