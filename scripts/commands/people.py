"""`user` and `key`: who may use the service, and with what."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TextIO

import click
from msgspec import structs

from domain.access.policy import LENGTH
from domain.access.rules import OPERATE, VIEW
from domain.refusals import Invalid
from scripts.commands.projects import project_option
from scripts.options import DURATION
from scripts.talk import as_json, example, say, show, show_all

if TYPE_CHECKING:
    from api.access.people import Person
    from projections.rows import MemberRow

PASSWORD_MOST = 4096
"""Characters of stdin that are read as a password."""

admin_option = click.option("--admin", is_flag=True, help="May do everything in the project.")
policy_option = click.option(
    "--policy", type=click.File(encoding="utf-8"), help="What it may do: a JSON file."
)
password_stdin = click.option(
    "--password-stdin", is_flag=True, help="Read the password from stdin; one line."
)


@click.group(epilog=example("user list"))
def user() -> None:
    """Users and what they may do."""


@user.command("add", epilog=example("user add ada --project plant-1 --admin"))
@click.argument("name")
@project_option
@admin_option
@policy_option
@password_stdin
@as_json
def add_user(
    name: str,
    project: str,
    admin: bool,
    policy: TextIO | None,
    password_stdin: bool,
    as_json: bool,
) -> None:
    """Add a user; its first key is printed, this once."""
    from api.parts import Parts

    rights = _rights(admin, policy)
    password = _password_from_stdin() if password_stdin else None
    with Parts() as parts:
        made = parts.people.add_user(name, project, *rights, password, parts.operator())
    say("The secret key is shown this once: keep it.")
    show(_without_nothing(asdict(made)), as_json)


@user.command("list", epilog=example("user list --json"))
@as_json
def list_users(as_json: bool) -> None:
    """List the users, by name."""
    from api.parts import Parts

    with Parts() as parts:
        columns = ("user_id", "name", "added_at", "operator", "projects")
        show_all(columns, map(_document, parts.people.list_users()), as_json)


@user.command("show", epilog=example("user show ada"))
@click.argument("name")
@as_json
def show_user(name: str, as_json: bool) -> None:
    """Show a user, its projects and its access keys."""
    from api.parts import Parts

    with Parts() as parts:
        user_id = parts.people.user_id_of(name)
        (person,) = [each for each in parts.people.list_users() if each.user_id == user_id]
        keys = [structs.asdict(key) for key in parts.queries.keys(user_id)]
        show(_document(person) | {"keys": keys}, as_json)


@user.command("grant", epilog=example("user grant ada --project plant-2 --admin"))
@click.argument("name")
@project_option
@admin_option
@policy_option
def grant(name: str, project: str, admin: bool, policy: TextIO | None) -> None:
    """Say what a user may do in a project, to which it belongs from here on."""
    from api.parts import Parts

    rights = _rights(admin, policy)
    with Parts() as parts:
        parts.people.grant(name, project, *rights, parts.operator())


@user.command("withdraw", epilog=example("user withdraw ada --project plant-2"))
@click.argument("name")
@project_option
def withdraw(name: str, project: str) -> None:
    """Let a user do nothing in a project any more, from the next request on."""
    from api.parts import Parts

    with Parts() as parts:
        parts.people.withdraw(name, project, parts.operator())


@user.group("policy", epilog=example("user policy show ada --project plant-1"))
def policy_group() -> None:
    """What a user who is no admin may do in a project."""


@policy_group.command("set", epilog=example("user policy set ada read-only.json --project plant-1"))
@click.argument("name")
@click.argument("policy", type=click.File(encoding="utf-8"), metavar="FILE")
@project_option
def set_policy(name: str, policy: TextIO, project: str) -> None:
    """Give a user a policy in a project, instead of what it could do there before.

    FILE holds JSON; '-' is stdin.
    """
    from api.parts import Parts

    with Parts() as parts:
        parts.people.grant(name, project, False, _text(policy), parts.operator())


@policy_group.command("show", epilog=example("user policy show ada --project plant-1"))
@click.argument("name")
@project_option
def show_policy(name: str, project: str) -> None:
    """Print a user's policy as it was given; nothing where it is an admin, or has none."""
    from api.parts import Parts

    with Parts() as parts:
        member = parts.people.membership(name, project)
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
    from api.parts import Parts

    with Parts() as parts:
        member = parts.people.membership(name, project)
        judgement = permission(parts.queries, member, action)
    because = {"admin": member.admin, "statement": judgement.statement}
    show({"action": action, "allowed": judgement.allowed, **because}, as_json)
    context.exit(0 if judgement.allowed else 3)


@user.command("operator", epilog=example("user operator ada operate", "user operator ada none"))
@click.argument("name")
@click.argument("role", type=click.Choice([VIEW, OPERATE, "none"]))
def operator(name: str, role: str) -> None:
    """Make a user an operator of the whole installation, whose pages are at /operator.

    'view' shows everybody's tasks there; 'operate' deletes and retries them too; 'none' ends it.
    """
    from api.parts import Parts

    with Parts() as parts:
        parts.people.set_operator(name, None if role == "none" else role, parts.operator())
    say(f"{name} is no operator." if role == "none" else f"{name} may {role} at /operator.")


@user.command("password", epilog=example("user password ada"))
@click.argument("name")
@password_stdin
def password(name: str, password_stdin: bool) -> None:
    """Give a user a password, or another one; it is asked for, hidden."""
    from api.parts import Parts

    given = _password_from_stdin() if password_stdin else _password_asked()
    with Parts() as parts:
        parts.people.set_password(name, given, parts.operator())


@user.command("remove", epilog=example("user remove ada"))
@click.argument("name")
def remove_user(name: str) -> None:
    """Remove a user: keys, tokens, tasks and files go, running exports stop, events stay."""
    from api.parts import Parts

    with Parts() as parts:
        parts.people.remove_user(name, parts.operator())


@click.group(epilog=example("key add ada"))
def key() -> None:
    """Access keys of users."""


@key.command("add", epilog=example("key add ada", "key add ada --expires 1h"))
@click.argument("name")
@click.option("--expires", type=DURATION, help="A temporary key, with a security token.")
@as_json
def add_key(name: str, expires: float | None, as_json: bool) -> None:
    """Give a user one more access key; it is printed, this once."""
    from api.parts import Parts

    lives = None if expires is None else timedelta(seconds=expires)
    with Parts() as parts:
        made = parts.people.add_key(name, lives, parts.operator())
    say("The secret key is shown this once: keep it.")
    show(_without_nothing(asdict(made)), as_json)


@key.command("revoke", epilog=example("key revoke HPUAT4QG7L9K2M8XW5ZC"))
@click.argument("access_key")
def revoke(access_key: str) -> None:
    """Take an access key away, at once."""
    from api.parts import Parts

    with Parts() as parts:
        parts.people.revoke_key(access_key, parts.operator())


def _rights(admin: bool, policy: TextIO | None) -> tuple[bool, str | None]:
    if admin == (policy is not None):
        raise click.UsageError("Give either --admin or --policy FILE.")
    return admin, _text(policy) if policy else None


def _text(policy: TextIO) -> str:
    """A policy's text; no more of it than tells that it is too long."""
    try:
        return policy.read(LENGTH + 1)
    except UnicodeDecodeError:
        raise Invalid("policy", "must be text in UTF-8") from None


def _password_from_stdin() -> str:
    """One line, without its end; so that no password stands in an argument or a history."""
    return sys.stdin.readline(PASSWORD_MOST).rstrip("\r\n")


def _password_asked() -> str:
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))


def _document(person: Person) -> dict[str, Any]:
    return {
        "user_id": person.user_id,
        "name": person.name,
        "added_at": person.added_at,
        "operator": person.operator,
        "projects": {each.project_id: _right(each) for each in person.memberships},
    }


def _right(member: MemberRow) -> str:
    return "admin" if member.admin else member.policy or "nothing"


def _without_nothing(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if value is not None}
