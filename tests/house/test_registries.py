"""Only a registry names its plug-ins: whoever wants a channel, a check, a receiver or a report asks for it by name."""

from pathlib import Path

from tests.support import source

# room → modules of it that others may import besides the registry (what plug-ins share, not a plug-in)
ROOMS: dict[str, set[str]] = {
    "alert_receivers": {"event", "registry", "syslog", "mapping", "mapped"},
    "servicedesk.channels": {"registry", "channel", "posting"},
    "servicedesk.checks": {"registry", "check"},
    "servicedesk.reports": {"registry", "report"},
}


def named(root: Path) -> list[str]:
    found = []
    for name, tree in source.modules(root):
        module = name.removesuffix(".py").replace("/", ".")
        for line, imported in source.imports(tree):
            for room, shared in ROOMS.items():
                inside = module.startswith(room + ".")
                if inside and module.endswith(".registry"):
                    continue
                plugin = imported.removeprefix(room + ".").split(".")[0] if imported.startswith(room + ".") else ""
                if plugin and plugin not in shared and (root / room.replace(".", "/") / f"{plugin}.py").exists():
                    found.append(f"{name}:{line}: names {room}.{plugin}; ask the registry")
    return found


def test_only_a_registry_names_its_plugins() -> None:
    assert named(source.ROOT) == []


def test_it_sees_a_plugin_named_elsewhere(tmp_path: Path) -> None:
    source.plant(
        tmp_path,
        {
            "alert_receivers/registry.py": "from alert_receivers import zabbix\n",
            "alert_receivers/zabbix.py": "from alert_receivers.event import AlertEvent\n",
            "alert_receivers/event.py": "",
            "servicedesk/services/intake.py": "from alert_receivers.zabbix import parse\n",
        },
    )
    assert named(tmp_path) == ["servicedesk/services/intake.py:1: names alert_receivers.zabbix; ask the registry"]
