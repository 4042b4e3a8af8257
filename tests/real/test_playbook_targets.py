"""The automatic steps and the proofs of shipped playbooks, asked of real programs that are well, and that are not.

Where the answer depends on the machine (how full, how hot) only that there is one is demanded.
"""

from collections.abc import Iterator

import pytest

from servicedesk.domain.checks import FAIL, INCONCLUSIVE, PASS
from tests.real.targets import Targets, running

pytestmark = [pytest.mark.feature("P4", "P6", "P7"), pytest.mark.real, pytest.mark.postgres]


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory, postgres_url: str) -> Iterator[Targets]:
    with running(tmp_path_factory.mktemp("targets"), postgres_url) as found:
        yield found


def at(target: str, /, **more: str) -> dict[str, str]:
    """Labels of an alert about one of the targets; a value in braces is its port."""
    return {"instance": f"127.0.0.1:{{{target}}}"} | more


# playbook, labels, what must pass, what must fail, what must only have an answer
ROWS: list[tuple[str, dict[str, str], str, str, str]] = [
    ("node-cpu-high", at("node"), "steal", "", "use load verify:use verify:load"),
    ("node-memory-pressure", at("node"), "verify:none-killed", "", "available killed swapping"),
    ("node-filesystem-space", at("node", mountpoint="/"),
     "writable", "", "left soon others verify:left verify:tomorrow"),
    ("node-filesystem-files", at("node", mountpoint="/"), "", "", "left space verify:left"),
    ("node-clock-skew", at("node"), "others", "", "offset kept verify:kept verify:offset"),
    ("node-disk-slow", at("node"), "", "", "busy latency amount verify:busy"),
    ("node-network-errors", at("node", device="eth0"), "others", "", "share"),
    ("node-network-interface", at("node", device="lo"), "bond verify:bond", "", "changes links"),
    ("node-network-saturated", at("node"), "share verify:share", "", "in out retransmits verify:retransmits"),
    ("node-file-descriptors", at("node"), "process verify:programs", "", "host sockets verify:host"),
    ("node-textfile-collector", at("node"), "error others verify:error", "", ""),
    ("linux-rebooted", at("node"), "uptime verify:once", "", "failed others"),
    ("linux-updates", at("node"), "kernels", "", "reboot pending verify:booted"),
    ("linux-kernel-fault", at("node"), "", "", "blocked booted verify:blocked"),
    ("security-scan-or-flood", at("node", port="{nginx}"), "served verify:served", "", "overflows cookies traffic"),
    ("security-scan-or-flood", at("node", port="{closed}"), "", "served verify:served", ""),
    ("postgresql-down", at("postgres_exporter", target_port="{closed}"),
     "exporter verify:up verify:steady", "port", "room"),
    ("postgresql-connections", at("postgres_exporter", target_port="{nginx}"),
     "used states who port verify:used", "", ""),
    ("postgresql-replication", at("postgres_exporter", target_port="{nginx}"),
     "slots network verify:primary", "", ""),
    ("postgresql-locks", at("postgres_exporter"), "oldest blocked verify:oldest", "", "deadlocks exclusive"),
    ("postgresql-vacuum", at("postgres_exporter"), "holder slots wraparound", "", "dead verify:dead"),
    ("postgresql-slow", at("postgres_exporter"), "active waits verify:active", "", "cache rollbacks temp"),
    ("postgresql-archiving", at("postgres_exporter"), "failures verify:failures", "", "room"),
    ("postgresql-damage", at("postgres_exporter"), "checksums verify:up verify:checksums", "", "room readonly"),
    ("redis-down", at("redis_exporter", target_port="{redis}"),
     "up port clients rejected verify:up verify:refused", "", ""),
    ("redis-down", at("redis_exporter", target_port="{closed}"), "up", "port", ""),
    ("redis-memory", at("redis_exporter"), "evicted", "", "used fragmentation verify:used"),
    ("redis-replication", at("redis_exporter", target_port="{redis}"),
     "masters cluster port verify:master", "replicas", ""),
    ("haproxy-servers-down", at("haproxy"), "up", "empty-backends down since verify:alive verify:down", ""),
    ("haproxy-errors-and-queues", at("haproxy"),
     "errors queue time sessions verify:errors verify:queue", "", "connection-errors"),
    ("nginx-broken", at("node", target_port="{nginx}", tls_port="{tls}"), "http https verify:http", "", "room"),
    ("nginx-broken", at("node", target_port="{closed}", tls_port="{closed}"), "", "http https verify:http", ""),
    ("blackbox-probe-failed", {"instance": "http://127.0.0.1:{nginx}/broken"},
     "stage", "ask since code verify:steady", ""),
    ("blackbox-probe-failed", {"instance": "http://127.0.0.1:{nginx}"}, "ask since code verify:steady", "others", ""),
    ("blackbox-slow", {"instance": "http://127.0.0.1:{nginx}"}, "ask phases course others verify:fast", "", ""),
    ("tls-certificate-expiring", {"instance": "https://127.0.0.1:{tls}"},
     "probed verify:probed", "served", "cert-manager"),
    ("prometheus-target-down", at("closed", job="away"), "elsewhere", "which since port verify:all-up", ""),
    ("prometheus-target-down", at("node", job="node"), "which since port verify:all-up", "elsewhere", ""),
    ("prometheus-configuration", at("prometheus"), "failed since reloaders verify:current", "", ""),
    ("prometheus-notifications", at("prometheus"), "dropped queue alertmanager", "found verify:found", ""),
    ("prometheus-rules", at("prometheus"), "failing slow missed load series", "", ""),
    ("prometheus-storage", at("prometheus"), "compactions wal verify:compactions verify:reloads", "", "room memory"),
    ("prometheus-ingestion", at("prometheus"), "ingesting refused limits discovery growth verify:ingesting", "", ""),
    ("prometheus-alertmanager", at("alertmanager"), "up reload same ask verify:up verify:config", "", ""),
    ("prometheus-alertmanager-delivery", at("alertmanager"), "failing latency all verify:delivered", "", ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("playbook", "labels", "good", "bad", "answered"), ROWS, ids=[f"{row[0]}-{i}" for i, row in enumerate(ROWS)]
)
def test_what_they_find(
    targets: Targets, playbook: str, labels: dict[str, str], good: str, bad: str, answered: str
) -> None:
    found = targets.results(playbook, **{name: text.format(**targets.ports) for name, text in labels.items()})
    told = {name: f"{r.verdict}: {r.summary}" for name, r in found.items()}
    wanted = dict.fromkeys(good.split(), PASS) | dict.fromkeys(bad.split(), FAIL)
    assert {name: told.get(name) for name, verdict in wanted.items() if found[name].verdict != verdict} == {}
    assert {name: told[name] for name in answered.split() if found[name].verdict == INCONCLUSIVE} == {}


def test_enough_of_them_are_tried() -> None:
    assert len({row[0] for row in ROWS}) >= 35


def test_a_plot_comes_with_what_is_asked_over_a_time(targets: Targets) -> None:
    found = targets.results("redis-down", instance=f"127.0.0.1:{targets.ports['redis_exporter']}")["up"]
    assert [point[1] for series in found.series for point in series.points][-1] == 1
