"""The policy: the shipped defaults, and a folder of the operator's own files laid over them."""

from __future__ import annotations

from pathlib import Path

from servicedesk.domain.policy import Policy, decode
from servicedesk.domain.policy_problems import problems
from servicedesk.errors import FileError
from servicedesk.files import typed, yaml

DEFAULT = Path(__file__).parent / "defaults" / "policy.yaml"


def load(where: Path | None) -> Policy:
    """The policy: defaults, then the operator's file, or every *.yaml of the folder in the order of their names.

    Raises FileError that names file, line and key, and says what to do.
    """
    if where is None:
        return read([])
    if where.is_dir():
        return read(sorted(p for p in where.iterdir() if p.suffix in {".yaml", ".yml"}))
    if not where.exists():
        raise FileError("does not exist: create it, or correct `policies` in the configuration", str(where))
    return read([where])


def read(files: list[Path]) -> Policy:
    """The defaults with these files laid over them, in this order. Raises FileError."""
    document = yaml.load(DEFAULT)
    for file in files:
        document = yaml.merge(document, _own(file))
    policy = typed.convert(document, Policy, decode)
    for keys, message in problems(policy):
        raise document.error(keys, message)
    return policy


def _own(file: Path) -> yaml.Document:
    own = yaml.load(file)
    if own.data is None:
        return yaml.Document({}, own.text, own.file, own.places)
    if not isinstance(own.data, dict):
        raise own.error((), "must be a mapping of keys, as in the default policy")
    if "schema" not in own.data:
        raise own.error((), "says no schema: write `schema: 1` in its first line")
    return own
