"""Policies: Deny before Allow, nothing said is denied, and every fault named by its place."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.access.actions import ACTIONS
from domain.access.policy import Judgement, Policy, _fits
from domain.access.rules import check_policy
from domain.refusals import Invalid
from tests.policies import policy as text
from tests.policies import said

CREATE, QUERY = "iotda:exporttasks:create", "iotda:exporttasks:query"


def judged(action, *statements, enterprise_project="0"):
    return Policy.read(text(*statements)).judge(action, enterprise_project)


NO = Judgement(False, None)


@pytest.mark.parametrize(
    ("statements", "judgement"),
    [
        ([], NO),
        ([said("Allow", CREATE)], Judgement(True, 0)),
        ([said("Allow", "iotda:exportTasks:CREATE")], Judgement(True, 0)),
        ([said("Allow", "*:*:*"), said("Deny", "IoTDA:ExportTasks:Cr*")], Judgement(False, 1)),
        ([said("Allow", "*:*:*"), said("Deny", "iotda:exporttasks:made-up")], Judgement(True, 0)),
        ([said("Allow", QUERY)], NO),
        ([said("Deny", QUERY)], NO),
        ([said("Deny", CREATE)], Judgement(False, 0)),
        ([said("Allow", QUERY, CREATE)], Judgement(True, 0)),
        ([said("Allow", QUERY), said("Allow", CREATE), said("Allow", CREATE)], Judgement(True, 1)),
        ([said("Allow", "*:*:*"), said("Deny", CREATE)], Judgement(False, 1)),
        ([said("Deny", "iotda:*:create"), said("Allow", CREATE)], Judgement(False, 0)),
        ([said("Allow", "iotda:exporttasks:*")], Judgement(True, 0)),
        ([said("Allow", "iotda:exporttasks:query*")], NO),
        ([said("Allow", "iotda:devices:*")], NO),
        ([said("Allow", CREATE, projects=["0"])], Judgement(True, 0)),
        ([said("Allow", CREATE, projects=["1", "0"])], Judgement(True, 0)),
        ([said("Allow", CREATE, projects=["1"])], NO),
        ([said("Allow", CREATE, projects=["*"])], NO),
        ([said("Allow", CREATE), said("Deny", CREATE, projects=["1"])], Judgement(True, 0)),
        ([said("Allow", CREATE), said("Deny", CREATE, projects=["0"])], Judgement(False, 1)),
    ],
)
def test_what_a_policy_says_of_an_action(statements, judgement):
    assert judged(CREATE, *statements) == judgement


def test_an_action_is_judged_however_its_letters_are_written():
    assert judged("iotda:exportTasks:CREATE", said("Allow", CREATE)) == Judgement(True, 0)


@pytest.mark.parametrize(
    "action",
    [
        "iotda:exporttasks:download",
        "iotda:exporttasks:querylists",
        "iotda:exportTasks:remove*",
        "IOTDA:BATCHTASKS:create",
        "iotda:batchtasks:*delete",
    ],
)
def test_an_action_of_ours_that_there_is_not_is_refused_when_a_policy_is_set(action):
    policy = text(said("Allow", "iotda:exporttasks:*"), said("Deny", QUERY, action))
    with pytest.raises(Invalid) as refused:
        check_policy(policy)
    assert refused.value.rule == f"at $.Statement[1].Action[1] must be one of {', '.join(ACTIONS)}"
    assert Policy.read(policy).judge(CREATE, "0").allowed, "one that is kept is judged on"


@pytest.mark.parametrize(
    "action",
    [
        *ACTIONS,
        *map(str.upper, ACTIONS),
        "iotda:exporttasks:*",
        "iotda:batchtasks:query*",
        "iotda:exporttasks:*l*t*",
        "iotda:devices:freeze",
        "iotda:exporttasksets:made-up",
        "iotda:*:made-up",
        "*:exporttasks:made-up",
        "obs:bucket:made-up",
    ],
)
def test_every_other_action_may_stand_in_a_policy(action):
    check_policy(text(said("Deny", action)))


@pytest.mark.parametrize(
    ("pattern", "action", "fits"),
    [
        ("a:b:c", "a:b:c", True),
        ("a:b:c", "a:b:cd", False),
        ("a:b:*", "a:b:", True),
        ("a:b:*", "a:b:c", True),
        ("a:*:c", "a:b:c", True),
        ("a:*:c", "a:c", False),
        ("a:bc*cd:e", "a:bcd:e", False),
        ("a:bcde*e:f", "a:bcde:f", False),
        ("a:b:*c*c", "a:b:c", False),
        ("a:b:*c*c", "a:b:cc", True),
        ("a:b:*cd*d", "a:b:cdd", True),
        ("*:*:*", "A:b:c", True),
        ("a:b:c", "A:b:c", False),
    ],
)
def test_a_star_stands_for_any_text(pattern, action, fits):
    assert _fits(pattern, action) is fits


@given(st.text("ab*", max_size=8), st.text("ab", max_size=8))
def test_stars_are_judged_as_a_regular_expression_would(pattern, action):
    expression = ".*".join(map(re.escape, pattern.split("*")))
    assert _fits(pattern, action) is bool(re.fullmatch(expression, action))


def test_many_stars_cost_no_more_than_their_length():
    stars = f"iotda:{'*e' * 2900}*:x"
    assert judged("iotda:" + "e" * 6000 + ":y", said("Allow", stars)) == NO


WRONG = [
    ("", "at $ must be JSON: Expecting value at line 1 column 1"),
    ('{"Version": "1.1",\n}', "at $ must be JSON: Expecting property name"),
    ("[]", "at $ must be an object"),
    ("[" * 6000, "at $ must be JSON, in Unicode, of a few levels"),
    ('{"Version": "\ud800"}', "at $ must be JSON, in Unicode, of a few levels"),
    ('{"Version": "1.1", "Version": "1.1"}', "at $ must not say anything twice in one object"),
    ('{"Version": "1.1"}', "at $ must have 'Statement'"),
    ('{"Statement": []}', "at $ must have 'Version'"),
    (text(Version="1.0"), "at $.Version must be '1.1'"),
    (text(Version=1.1), "at $.Version must be '1.1'"),
    (text(Id="mine"), "at $ must have nothing but Version, Statement"),
    (text(Statement={}), "at $.Statement must be a list"),
    (text("no"), "at $.Statement[0] must be an object"),
    (text({"Effect": "Allow"}), "at $.Statement[0] must have 'Action'"),
    (text({"Action": [CREATE]}), "at $.Statement[0] must have 'Effect'"),
    (text(said("allow", CREATE)), "at $.Statement[0].Effect must be 'Allow' or 'Deny'"),
    (text(said([], CREATE)), "at $.Statement[0].Effect must be 'Allow' or 'Deny'"),
    (text(said("Deny")), "at $.Statement[0].Action must not be empty"),
    (text({**said("Deny"), "Action": CREATE}), "at $.Statement[0].Action must be a list"),
    (text(said("Deny", CREATE, 7)), "at $.Statement[0].Action[1] must be text"),
    (text(said("Deny", CREATE), said("Deny", "*")), "at $.Statement[1].Action[0] must be 'service"),
    (text(said("Deny", "a:b")), "at $.Statement[0].Action[0] must be 'service:resource:operation'"),
    (text(said("Deny", "a:b:c:d")), "at $.Statement[0].Action[0] must be 'service"),
    (text(said("Deny", "a::c")), "at $.Statement[0].Action[0] must be 'service"),
    (text(said("Deny", "a:b:c\n")), "at $.Statement[0].Action[0] must be 'service"),
    (
        text({**said("Deny", CREATE), "Resource": ["*"]}),
        "at $.Statement[0] must have nothing but Effect, Action, Condition",
    ),
    (
        text({**said("Deny", CREATE), "Condition": {}}),
        "at $.Statement[0].Condition must have 'StringEquals'",
    ),
    (
        text({**said("Deny", CREATE), "Condition": {"StringLike": {}}}),
        "at $.Statement[0].Condition must have 'StringEquals'",
    ),
    (
        text({**said("Deny", CREATE), "Condition": {"StringEquals": {"g:UserName": ["ada"]}}}),
        "at $.Statement[0].Condition.StringEquals must have 'g:EnterpriseProjectId'",
    ),
    (
        text(said("Deny", CREATE, projects=[])),
        "at $.Statement[0].Condition.StringEquals.g:EnterpriseProjectId must not be empty",
    ),
    (
        text(said("Deny", CREATE, projects=["0", 0])),
        "at $.Statement[0].Condition.StringEquals.g:EnterpriseProjectId[1] must be text",
    ),
    (
        text(said("Deny", CREATE, projects="0")),
        "at $.Statement[0].Condition.StringEquals.g:EnterpriseProjectId must be a list",
    ),
]


@pytest.mark.parametrize(("policy", "rule"), WRONG)
def test_a_fault_is_named_by_its_place(policy, rule):
    with pytest.raises(Invalid) as told:
        Policy.read(policy)
    assert f"'policy' {rule}" in str(told.value)


def test_a_condition_of_null_is_no_condition():
    assert judged(CREATE, {**said("Allow", CREATE), "Condition": None}) == Judgement(True, 0)


def test_the_longest_policy_is_taken_and_no_longer_one():
    policy = text(said("Allow", CREATE))
    longest = policy + " " * (6144 - len(policy))
    assert Policy.read(longest).judge(CREATE, "0").allowed
    with pytest.raises(Invalid, match="must be at most 6144 characters"):
        Policy.read(longest + " ")
