"""The alerts that everybody gets find their playbook."""

import pytest

from servicedesk.files import playbooks

SHIPPED = playbooks.load([])

# names and labels as kube-prometheus, the node mixin, blackbox, cert-manager and PostgreSQL rules send them
ALERTS = [
    ("KubePodCrashLooping", {"namespace": "shop", "reason": "CrashLoopBackOff"}, "kubernetes-pod-crash-looping"),
    ("KubeContainerWaiting", {"reason": "CrashLoopBackOff"}, "kubernetes-pod-crash-looping"),
    ("KubeContainerWaiting", {"reason": "ImagePullBackOff"}, "kubernetes-pod-not-ready"),
    ("KubePodNotReady", {"namespace": "shop"}, "kubernetes-pod-not-ready"),
    ("KubeDeploymentReplicasMismatch", {}, "kubernetes-replicas-mismatch"),
    ("KubeStatefulSetReplicasMismatch", {}, "kubernetes-replicas-mismatch"),
    ("KubeJobFailed", {}, "kubernetes-job-failed"),
    ("KubeNodeNotReady", {"node": "n1"}, "kubernetes-node-not-ready"),
    ("KubeNodeUnreachable", {}, "kubernetes-node-not-ready"),
    ("KubePersistentVolumeFillingUp", {}, "kubernetes-persistent-volume-filling-up"),
    ("TargetDown", {"job": "node"}, "prometheus-target-down"),
    ("InstanceDown", {}, "prometheus-target-down"),
    ("NodeFilesystemAlmostOutOfSpace", {"mountpoint": "/"}, "node-filesystem-space"),
    ("NodeFilesystemSpaceFillingUp", {}, "node-filesystem-space"),
    ("HostOutOfDiskSpace", {}, "node-filesystem-space"),
    ("NodeFilesystemAlmostOutOfFiles", {}, "node-filesystem-files"),
    ("NodeMemoryHighUtilization", {}, "node-memory-pressure"),
    ("HostOutOfMemory", {}, "node-memory-pressure"),
    ("NodeClockSkewDetected", {}, "node-clock-skew"),
    ("NodeClockNotSynchronising", {}, "node-clock-skew"),
    ("NodeSystemdServiceFailed", {"name": "nginx.service"}, "node-systemd-service-failed"),
    ("BlackboxProbeFailed", {}, "blackbox-probe-failed"),
    ("BlackboxSslCertificateWillExpireSoon", {}, "tls-certificate-expiring"),
    ("CertManagerCertExpirySoon", {}, "tls-certificate-expiring"),
    ("KubeClientCertificateExpiration", {}, "tls-certificate-expiring"),
    ("PostgresqlDown", {}, "postgresql-down"),
    ("PostgreSQLDown", {}, "postgresql-down"),
]  # fmt: skip


@pytest.mark.feature("P1", "P7")
@pytest.mark.parametrize(("name", "labels", "playbook"), ALERTS, ids=[f"{a[0]}-{i}" for i, a in enumerate(ALERTS)])
def test_a_known_alert_gets_exactly_its_playbook(name: str, labels: dict[str, str], playbook: str) -> None:
    found = SHIPPED.match({"alertname": name, "severity": "warning"} | labels, "incident", "infrastructure", "node")
    assert [p.id for p in found] == [playbook]


def test_others_get_none() -> None:
    assert SHIPPED.match({"alertname": "SomethingElse"}) == ()
    assert SHIPPED.match({}, "incident", "infrastructure", "unknown") == ()


@pytest.mark.feature("P1")
def test_a_request_for_access_gets_one_by_type_and_category() -> None:
    assert [p.id for p in SHIPPED.match({}, "request", "access")] == ["desk-access-request"]
    assert SHIPPED.match({}, "question", "access") == ()


def test_every_playbook_is_reached_by_a_known_alert_or_ticket() -> None:
    assert {p.id for p in SHIPPED.all} == {playbook for _, _, playbook in ALERTS} | {"desk-access-request"}
