"""The checks that the desk has: one line each. Whoever wants one asks here by name."""

from __future__ import annotations

from servicedesk.checks import alertmanager, command, dns, http, loki, ping, promql, sql, tcp, tls
from servicedesk.checks.check import Check

CHECKS: dict[str, Check] = {
    promql.CHECK.name: promql.CHECK,
    alertmanager.CHECK.name: alertmanager.CHECK,
    loki.CHECK.name: loki.CHECK,
    http.CHECK.name: http.CHECK,
    tcp.CHECK.name: tcp.CHECK,
    dns.CHECK.name: dns.CHECK,
    tls.CHECK.name: tls.CHECK,
    ping.CHECK.name: ping.CHECK,
    sql.CHECK.name: sql.CHECK,
    command.CHECK.name: command.CHECK,
}
