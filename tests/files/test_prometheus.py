"""Labels as a Prometheus shows them become labels as it sends them."""

import pytest

from servicedesk.files.prometheus import outgoing

pytestmark = pytest.mark.feature("I10")

SHOWN = {"__name__": "ALERTS", "alertstate": "firing", "alertname": "Roof", "host": "Db1.example.org", "tmp_x": "1"}


def sent(relabel: str, external: str = "{}") -> dict[str, str] | None:
    text = f"global: {{external_labels: {external}}}\nalerting: {{alert_relabel_configs: {relabel}}}"
    read = outgoing(text)
    assert read.exact
    return read.labels({k: v for k, v in SHOWN.items() if k != "tmp_x"})


PLAIN = {"alertname": "Roof", "host": "Db1.example.org"}


@pytest.mark.parametrize(
    ("relabel", "expected"),
    [
        ("[]", PLAIN),
        ("[{source_labels: [host], regex: '([^.]+)\\..*', target_label: short}]", PLAIN | {"short": "Db1"}),
        ("[{source_labels: [host], regex: nothing, target_label: short}]", PLAIN),
        ("[{source_labels: [alertname, host], target_label: both}]", PLAIN | {"both": "Roof;Db1.example.org"}),
        ("[{source_labels: [host], regex: '(.*)\\.org', target_label: x, replacement: '${1}-$$-$9'}]",
         PLAIN | {"x": "Db1.example-$-"}),
        ("[{action: replace, target_label: host, replacement: ''}]", {"alertname": "Roof"}),
        ("[{action: keep, source_labels: [alertname], regex: Ro.*}]", PLAIN),
        ("[{action: keep, source_labels: [alertname], regex: oo}]", None),
        ("[{action: drop, source_labels: [alertname], regex: Roof}]", None),
        ("[{action: drop, source_labels: [alertname], regex: Wall}]", PLAIN),
        ("[{action: keepequal, source_labels: [alertname], target_label: host}]", None),
        ("[{action: dropequal, source_labels: [alertname], target_label: host}]", PLAIN),
        ("[{action: labeldrop, regex: ho.*}]", {"alertname": "Roof"}),
        ("[{action: labelkeep, regex: alertname}]", {"alertname": "Roof"}),
        ("[{action: labelmap, regex: (ho)st, replacement: my_$1}]", PLAIN | {"my_ho": "Db1.example.org"}),
        ("[{action: lowercase, source_labels: [host], target_label: host}]", PLAIN | {"host": "db1.example.org"}),
        ("[{action: uppercase, source_labels: [alertname], target_label: up}]", PLAIN | {"up": "ROOF"}),
        ("[{action: hashmod, source_labels: [alertname], target_label: shard, modulus: 1}]", PLAIN | {"shard": "0"}),
    ],
)  # fmt: skip
def test_relabelling(relabel: str, expected: dict[str, str] | None) -> None:
    assert sent(relabel) == expected


def test_external_labels_stand_back_behind_the_alerts_own() -> None:
    assert sent("[]", "{cluster: eu, host: none}") == PLAIN | {"cluster": "eu"}


@pytest.mark.parametrize(
    "text",
    [
        "alerting: {alert_relabel_configs: [{action: newest}]}",
        "alerting: {alert_relabel_configs: [{regex: '('}]}",
        "alerting: {alertmanagers: [{alert_relabel_configs: [{action: labeldrop, regex: a}]}]}",
        "global: {external_labels: {host: '${HOST}'}}",
        "global: [",
        "[1]",
    ],
)
def test_what_cannot_be_applied_is_said(text: str) -> None:
    assert not outgoing(text).exact
