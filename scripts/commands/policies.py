"""`user policy`: what a user who is no admin may do in a project."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TextIO

import click

from domain.access.policy import LENGTH
from domain.refusals import Invalid
from scripts.commands.projects import project_option
from scripts.exits import FINDING
from scripts.talk import as_json, done, example, say, show

if TYPE_CHECKING:
    from projections.rows import MemberRow


@click.group("policy", epilog=example("user policy show ada --project plant-1"))
def policy_group() -> None:
    """What a user who is no admin may do in a project."""


@policy_group.command("set", epilog=example("user policy set ada read-only.json --project plant-1"))
@click.argument("name")
@click.argument("policy", type=click.File(encoding="utf-8"), metavar="FILE")
@project_option
@as_json
def set_policy(name: str, policy: TextIO, project: str, as_json: bool) -> None:
    """Give a user a policy in a project, instead of what it could do there before.

    FILE holds JSON; '-' is stdin.
    """
    from scripts.store import existing

    with existing() as parts:
        parts.people.grant(name, project, False, text_of(policy), parts.operator())
        member = parts.people.membership(name, project)
    line = f"{name} may do what the policy allows, from the next request on."
    done(line, document_of(member), as_json)


@policy_group.command("show", epilog=example("user policy show ada --project plant-1"))
@click.argument("name")
@project_option
@as_json
def show_policy(name: str, project: str, as_json: bool) -> None:
    """Print a user's policy as it was given; nothing where it is an admin, or has none."""
    from scripts.store import existing

    with existing() as parts:
        member = parts.people.membership(name, project)
    if as_json:
        return show(document_of(member), as_json)
    if member.policy is not None:
        return click.echo(member.policy)
    return say("It is an admin, and needs none." if member.admin else "It has none.")


@policy_group.command(
    "check", epilog=example("user policy check ada iotda:exporttasks:create --project plant-1")
)
@click.argument("name")
@click.argument("action")
@project_option
@as_json
@click.pass_context
def check_policy(
    context: click.Context, name: str, action: str, project: str, as_json: bool
) -> None:
    """May a user do ACTION in a project, and which statement of its policy says so?

    Statements are counted from 0, as in the messages about faulty policies. Exit: 0 it may, 3 it
    may not.
    """
    from api.access.permissions import permission
    from domain.access.actions import check_action
    from scripts.store import existing

    check_action(action)
    with existing() as parts:
        member = parts.people.membership(name, project)
        judgement = permission(parts.queries, member, action)
    because = {"admin": member.admin, "statement": judgement.statement}
    show({"action": action, "allowed": judgement.allowed, **because}, as_json)
    context.exit(0 if judgement.allowed else FINDING)


def text_of(policy: TextIO) -> str:
    """A policy's text; no more of it than tells that it is too long."""
    try:
        return policy.read(LENGTH + 1)
    except UnicodeDecodeError:
        raise Invalid("policy", "must be text in UTF-8") from None


def document_of(member: MemberRow) -> dict[str, Any]:
    """What a user may do in a project, its policy as what it says."""
    from msgspec.structs import asdict

    return asdict(member) | {"policy": member.policy and json.loads(member.policy)}
