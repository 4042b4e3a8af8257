"""The `servicedesk` command: a table of commands, imported only when asked for; errors and exit codes in one place.

Exit code 0: done; 1: refused or failed, one sentence on stderr; 2: bad usage. A traceback only with --debug.
`--config FILE`, `--json` and `--debug` may stand anywhere on the line.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import NamedTuple

import click

from servicedesk import __version__
from servicedesk.cli.common import State, complain
from servicedesk.errors import BadInput, DeskError


class Entry(NamedTuple):
    where: str  # "module:attribute" of a click command
    help: str


COMMANDS: dict[str, Entry] = {
    "up": Entry("servicedesk.cli.run:up", "Everything in one process: pages, API, receivers, syslog, workers"),
    "web": Entry("servicedesk.cli.run:web", "Pages, API and receivers only"),
    "syslog": Entry("servicedesk.cli.run:syslog", "Syslog only: receive lines and store them"),
    "worker": Entry("servicedesk.cli.run:worker", "Workers only"),
    "incident": Entry("servicedesk.cli.incident:incident", "List, show and work on tickets"),
    "delivery": Entry("servicedesk.cli.delivery:delivery", "Raw deliveries and dead letters: list, show, replay"),
    "alert": Entry("servicedesk.cli.alert:alert", "Alerts: list, what is to be checked, make a ticket of one"),
    "playbook": Entry("servicedesk.cli.playbook:playbook", "Lint, list and match playbooks"),
    "rules": Entry("servicedesk.cli.rules:rules", "Lint, list and try correlation and syslog rules"),
    "user": Entry("servicedesk.cli.user:user", "People: add, change, disable, sign-in links"),
    "team": Entry("servicedesk.cli.team:team", "Teams and their members"),
    "service": Entry("servicedesk.cli.service:service", "Services, their teams and criticality"),
    "oncall": Entry("servicedesk.cli.oncall:oncall", "Who is on call now and next; overrides, absences, calendars"),
    "token": Entry("servicedesk.cli.token:token", "Tokens for senders and scripts"),
    "mapping": Entry("servicedesk.cli.mapping:mapping", "Receivers and mappings; what a body becomes"),
    "sender": Entry("servicedesk.cli.sender:sender", "Who sends alerts; a test of the whole way"),
    "heartbeat": Entry("servicedesk.cli.heartbeat:heartbeat", "Who must be heard from"),
    "maintenance": Entry("servicedesk.cli.maintenance:maintenance", "Maintenance windows and suppressions"),
    "notification": Entry("servicedesk.cli.notification:notification", "Who was told what; a test of the channels"),
    "message": Entry("servicedesk.cli.message:message", "The words of the messages that people get"),
    "policy": Entry("servicedesk.cli.policy:policy", "The effective policy; solo mode"),
    "config": Entry("servicedesk.cli.config:config", "The effective configuration"),
    "audit": Entry("servicedesk.cli.audit:audit", "Verify and export the timeline"),
    "db": Entry("servicedesk.cli.db:db", "Upgrade, check and back up the database"),
}
_GLOBAL_FLAGS = ("--json", "--debug")


class Registry(click.Group):
    """Commands by table: `--help` imports none of them, a call imports one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module, _, attribute = entry.where.partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])


@click.group(cls=Registry, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--config", "config_file", metavar="FILE", help="Configuration file; default ./servicedesk.yaml.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@click.option("--debug", is_flag=True, help="Show a traceback when something fails.")
@click.version_option(__version__, prog_name="servicedesk")
@click.pass_context
def cli(ctx: click.Context, config_file: str | None, as_json: bool, debug: bool) -> None:
    """The service desk: from monitoring alert to honestly closed ticket.

    --config, --json and --debug may stand anywhere on the line.
    """
    ctx.obj = State(config_file, as_json, debug)


def run(arguments: Sequence[str]) -> int:
    """Run one command line; answers the exit code."""
    line = hoist(arguments)
    as_json, debug = "--json" in line, "--debug" in line
    try:
        code = cli.main(args=line, prog_name="servicedesk", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BadInput as error:
        complain(error, as_json)
        return 2
    except (KeyboardInterrupt, click.Abort):
        return 130
    except BrokenPipeError:  # the reader of a pipe went away; that is no failure of ours
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if debug:
            raise
        complain(error if isinstance(error, DeskError) else _unexpected(error), as_json)
        return 1


def hoist(arguments: Sequence[str]) -> list[str]:
    """Move the options of the whole program to the front, so that they may stand anywhere (up to `--`)."""
    front: list[str] = []
    rest: list[str] = []
    words = iter(arguments)
    for word in words:
        if word == "--":
            return [*front, *rest, word, *words]
        if word in _GLOBAL_FLAGS or word.startswith("--config="):
            front.append(word)
        elif word == "--config":
            front += [word, *[value for value in [next(words, None)] if value is not None]]
        else:
            rest.append(word)
    return front + rest


def _unexpected(error: Exception) -> DeskError:
    detail = " ".join(str(error).split())[:300]
    return DeskError(f"unexpected {type(error).__name__}: {detail} (run again with --debug for the details)")
