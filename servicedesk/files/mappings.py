"""Reading mappings: one YAML file a sender, `schema: 1`. The format is described in docs/sources.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import alert_receivers
from alert_receivers import mapped
from alert_receivers.event import Receiver
from alert_receivers.mapping import Mapping as SenderMapping
from alert_receivers.mapping import problems
from alert_receivers.registry import RECEIVERS
from servicedesk.errors import FileError
from servicedesk.files import typed, yaml

SHIPPED = Path(alert_receivers.__file__).parent / "mappings"


DRAFT = ({"title": "none yet", "body": "{}", "gives": []},)


def parse(text: str, file: str) -> SenderMapping:
    """The mapping of one file, its samples tried. Raises FileError with file, line and key."""
    mapping, document = _read(text, file)
    for sample, message in mapped.check_samples(mapping):
        raise document.error(("samples", sample), f"the sample {mapping.samples[sample].title!r}: {message}")
    return mapping


def draft(text: str, file: str = "mapping") -> SenderMapping:
    """A mapping that is being written: its samples are not tried, and may be absent. Raises FileError."""
    return _read(text, file, {"samples": list(DRAFT)})[0]


def _read(text: str, file: str, absent: Mapping[str, Any] | None = None) -> tuple[SenderMapping, yaml.Document]:
    """absent: what stands for keys that are not there."""
    document = yaml.parse(text, file)
    if not isinstance(document.data, dict):
        raise document.error((), "must be a mapping that starts with `schema: 1`")
    document = replace(document, data={**(absent or {}), **document.data})
    mapping = typed.convert(document, SenderMapping)
    for place, message in problems(mapping):
        raise document.error(place, message)
    return mapping, document


def read(path: Path) -> SenderMapping:
    """Raises FileError."""
    return parse(yaml.read_text(path), str(path))


def find(folder: Path) -> list[Path]:
    """The mapping files of a folder. Raises FileError."""
    if not folder.is_dir():
        raise FileError("is not a folder: create it, or correct `mappings` in the configuration", str(folder))
    return sorted(p for p in folder.rglob("*") if p.suffix in {".yaml", ".yml"} and p.is_file())


def load(own: Path | None) -> dict[str, SenderMapping]:
    """The shipped mappings and those of the operator's folder, by name; one's own takes the place of a shipped one.

    Raises FileError.
    """
    found = {mapping.name: mapping for mapping in map(read, find(SHIPPED))}
    files: dict[str, Path] = {}
    for path in find(own) if own else ():
        mapping = read(path)
        if mapping.name in files:
            why = f"the name {mapping.name!r} is taken by {files[mapping.name]}: give one of them another name"
            raise FileError(why, str(path), None, "name")
        if mapping.name in RECEIVERS:
            why = f"the name {mapping.name!r} is taken by a receiver of the desk: give it another name"
            raise FileError(why, str(path), None, "name")
        files[mapping.name] = path
        found[mapping.name] = mapping
    return found


def receivers(mappings: Iterable[SenderMapping]) -> Mapping[str, Receiver]:
    """Every receiver by the last part of its address: those that are written, and those that are described."""
    described = {mapping.name: mapped.receiver(mapping) for mapping in mappings}
    return MappingProxyType({**RECEIVERS, **dict(sorted(described.items()))})
