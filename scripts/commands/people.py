"""`user`: who may use the service, and what it may do."""

from __future__ import annotations

import sys
from dataclasses import asdict
from getpass import GetPassWarning
from typing import TYPE_CHECKING, Any, TextIO
from warnings import catch_warnings, simplefilter

import click

from domain.access.rules import OPERATE, VIEW
from scripts.commands.keys import without_nothing
from scripts.commands.policies import document_of, policy_group, text_of
from scripts.commands.projects import project_option
from scripts.consent import Consent, destroys, no_input
from scripts.talk import as_json, done, example, say, show, show_all

if TYPE_CHECKING:
    from api.access.people import Person
    from api.parts import Parts
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


user.add_command(policy_group)


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
    from scripts.store import existing

    rights = _rights(admin, policy)
    password = _password_from_stdin() if password_stdin else None
    with existing() as parts:
        made = parts.people.add_user(name, project, *rights, password, parts.operator())
    say("The secret key is shown this once: keep it.")
    show(without_nothing(asdict(made)), as_json)


@user.command("list", epilog=example("user list --json"))
@as_json
def list_users(as_json: bool) -> None:
    """List the users, by name."""
    from scripts.store import existing

    with existing() as parts:
        columns = ("user_id", "name", "added_at", "operator", "projects")
        show_all(columns, map(_document, parts.people.list_users()), as_json)


@user.command("show", epilog=example("user show ada"))
@click.argument("name")
@as_json
def show_user(name: str, as_json: bool) -> None:
    """Show a user, its projects and its access keys."""
    from msgspec import structs

    from scripts.store import existing

    with existing() as parts:
        user_id = parts.people.user_id_of(name)
        (person,) = [each for each in parts.people.list_users() if each.user_id == user_id]
        keys = [structs.asdict(key) for key in parts.queries.keys(user_id)]
        show(_document(person) | {"keys": keys}, as_json)


@user.command("grant", epilog=example("user grant ada --project plant-2 --admin"))
@click.argument("name")
@project_option
@admin_option
@policy_option
@as_json
def grant(name: str, project: str, admin: bool, policy: TextIO | None, as_json: bool) -> None:
    """Say what a user may do in a project, to which it belongs from here on."""
    from scripts.store import existing

    rights = _rights(admin, policy)
    with existing() as parts:
        parts.people.grant(name, project, *rights, parts.operator())
        member = parts.people.membership(name, project)
    line = f"{name} may do that in {project}, from the next request on."
    done(line, document_of(member), as_json)


@user.command("withdraw", epilog=example("user withdraw ada --project plant-2"))
@click.argument("name")
@project_option
@as_json
def withdraw(name: str, project: str, as_json: bool) -> None:
    """Let a user do nothing in a project any more, from the next request on."""
    from scripts.store import existing

    with existing() as parts:
        parts.people.withdraw(name, project, parts.operator())
    gone = {"name": name, "project_id": project, "withdrawn": True}
    done(f"{name} may do nothing in {project} any more.", gone, as_json)


@user.command("operator", epilog=example("user operator ada operate", "user operator ada none"))
@click.argument("name")
@click.argument("role", type=click.Choice([VIEW, OPERATE, "none"]))
@as_json
def operator(name: str, role: str, as_json: bool) -> None:
    """Make a user an operator of the whole installation, whose pages are at /operator.

    'view' shows everybody's tasks there; 'operate' deletes and retries them too; 'none' ends it.
    """
    from scripts.store import existing

    given = None if role == "none" else role
    with existing() as parts:
        parts.people.set_operator(name, given, parts.operator())
    line = f"{name} may {given} at /operator." if given else f"{name} is no operator."
    done(line, {"name": name, "operator": given}, as_json)


@user.command(
    "password",
    epilog=example("user password ada", "user password ada --password-stdin < password.txt"),
)
@click.argument("name")
@password_stdin
@no_input
@as_json
def password(name: str, password_stdin: bool, no_input: bool, as_json: bool) -> None:
    """Give a user a password, or another one; it is asked for, hidden."""
    from scripts.store import existing

    if no_input and not password_stdin:
        raise click.UsageError("--no-input goes with --password-stdin.")
    with existing() as parts:
        parts.people.user_id_of(name)  # before anybody types a password for nobody
        given = _password_from_stdin() if password_stdin else _password_asked()
        parts.people.set_password(name, given, parts.operator())
    changed = {"name": name, "password": "changed"}
    done(f"{name} has another password; earlier tokens are void.", changed, as_json)


@user.command("remove", epilog=example("user remove ada", "user remove ada --dry-run"))
@click.argument("name")
@destroys
def remove_user(name: str, consent: Consent) -> None:
    """Remove a user: keys, tokens, tasks and files go, running exports stop, events stay.

    Who it was cannot be told afterwards. On a terminal the name is asked for once more; elsewhere
    the last admin of a project goes with --no-input alone.
    """
    from scripts.store import existing

    with existing() as parts:
        lost = _of_user(parts, name)
        alone = ", ".join(lost["last_admin_of"])
        warning = f"{name} is the last admin of {alone}." if alone else None
        question = f"Remove the user {name}, and forget who it was?"
        if consent.to(question, lost, typed=name, warning=warning):
            parts.people.remove_user(name, parts.operator())
            consent.done(f"The user {name} is removed.", name=name)


def _rights(admin: bool, policy: TextIO | None) -> tuple[bool, str | None]:
    if admin == (policy is not None):
        raise click.UsageError("Give either --admin or --policy FILE.")
    return admin, text_of(policy) if policy else None


def _password_from_stdin() -> str:
    """One line, without its end; so that no password stands in an argument or a history."""
    return sys.stdin.readline(PASSWORD_MOST).rstrip("\r\n")


def _password_asked() -> str:
    """Typed twice, hidden; wrong usage where there is no terminal that could hide it."""
    with catch_warnings():
        simplefilter("error", GetPassWarning)
        try:
            asked = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        except GetPassWarning as error:
            raise click.UsageError(
                "There is no terminal to ask at: use --password-stdin."
            ) from error
    return str(asked)


def _of_user(parts: Parts, name: str) -> dict[str, Any]:
    """What goes with a user."""
    user_id = parts.people.user_id_of(name)
    return {
        "user_id": user_id,
        "projects": [each.project_id for each in parts.queries.memberships(user_id)],
        "access_keys": len(parts.queries.keys(user_id)),
        "export_tasks": len(parts.queries.all_tasks(user_id=user_id)),
        "last_admin_of": _last_admin_of(parts, user_id),
    }


def _last_admin_of(parts: Parts, user_id: str) -> list[str]:
    """The projects that have no other admin."""
    admins = [each for each in parts.queries.memberships() if each.admin]
    others = {each.project_id for each in admins if each.user_id != user_id}
    its = {each.project_id for each in admins if each.user_id == user_id}
    return sorted(its - others)


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
