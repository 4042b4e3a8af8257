"""The receivers by name, as in the address that senders post to. A new one adds its line here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from . import alertmanager
from .event import Receiver

RECEIVERS: Mapping[str, Receiver] = MappingProxyType(
    {
        "alertmanager": alertmanager.RECEIVER,
    }
)
