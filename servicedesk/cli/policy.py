"""`servicedesk policy …`"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from servicedesk.cli.common import OPERATOR, emit, opened


@click.group()
def policy() -> None:
    """The effective policy; solo mode."""


@policy.command()
@click.argument("key", default="")
def show(key: str) -> None:
    """Print the effective policy, or the part below KEY (such as alerts.quiet_window)."""
    import msgspec

    from servicedesk.services.settings import solo_mode

    with opened() as desk, desk.read() as tx:
        whole = msgspec.to_builtins(desk.policy, str_keys=True, enc_hook=str)
        whole["solo_mode"] = solo_mode(tx, desk)
    lines = [(name, value) for name, value in _flat(whole) if not key or name == key or name.startswith(key + ".")]
    if not lines:
        raise click.UsageError(f"there is no {key!r} in the policy")
    emit(dict(lines) if key else whole, [f"{name}: {_text(value)}" for name, value in lines])


@policy.command("solo-mode")
@click.argument("state", type=click.Choice(["on", "off"]))
def solo_mode_(state: str) -> None:
    """Let one person do what needs two; what it touched is shown as self-reviewed. Kept in the administration log."""
    from servicedesk.services.settings import set_solo_mode

    with opened() as desk:
        on = set_solo_mode(desk, OPERATOR, state == "on")
    told = f"solo mode is {'on' if on else 'off'}"
    if on and state == "off":
        told += ": the policy file holds it on"
    emit({"solo_mode": on}, told)


def _text(value: Any) -> str:
    return ", ".join(str(part) for part in value) if isinstance(value, list | tuple) else str(value)


def _flat(node: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict) and node:
        for name, value in node.items():
            yield from _flat(value, f"{prefix}.{name}" if prefix else str(name))
    else:
        yield prefix, node
