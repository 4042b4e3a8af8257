#!/usr/bin/env bash
# Installs the real programs that the tests talk to, when it may (root or sudo without a password, Debian's apt).
# What it cannot install it names: those tests are skipped. With CI=true nothing is skipped: then it fails.
set -uo pipefail

declare -A package_of=(
  [prometheus-alertmanager]=prometheus-alertmanager
  [prometheus]=prometheus
  [chromium]=chromium
  [rsyslogd]=rsyslog
  [logger]=bsdutils
)
# Parts of rsyslog that are no programs: their package, and the file that tells that it is there.
declare -A part_of=(
  [lmnsd_gtls.so]=rsyslog-gnutls
  [lmnsd_ossl.so]=rsyslog-openssl
  [omrelp.so]=rsyslog-relp
)
# Debian lets only one of rsyslog and syslog-ng be installed: the second is unpacked, with its libraries, where
# tests/support/syslog_programs.py looks for it.
unpacked=${SERVICEDESK_TEST_PROGRAMS:-${HOME:-/root}/.cache/servicedesk-tests}/syslog-ng
syslog_ng=(syslog-ng-core libivykis0 libnet1 libwrap0 libpcre3 libjson-c5 libglib2.0-0)
# What playbooks are tried against: their tests are skipped where these cannot be had, in CI too.
declare -A optional_of=(
  [dnsmasq]=dnsmasq-base
  [haproxy]=haproxy
  [nginx]=nginx-light
  [prometheus-blackbox-exporter]=prometheus-blackbox-exporter
  [prometheus-node-exporter]=prometheus-node-exporter
  [prometheus-postgres-exporter]=prometheus-postgres-exporter
  [prometheus-redis-exporter]=prometheus-redis-exporter
  [redis-server]=redis-server
)
PATH=$PATH:/usr/sbin:/sbin
wished() { for p in "${!optional_of[@]}"; do command -v "$p" >/dev/null 2>&1 || echo "$p"; done; }
missing() {
  for p in "${!package_of[@]}"; do command -v "$p" >/dev/null 2>&1 || echo "$p"; done
  for p in "${!part_of[@]}"; do compgen -G "${RSYSLOG_MODDIR:-/usr/lib/*/rsyslog}/$p" >/dev/null || echo "$p"; done
  command -v syslog-ng >/dev/null 2>&1 || [ -x "$unpacked/usr/sbin/syslog-ng" ] || echo syslog-ng
}
package() { echo "${package_of[$1]:-${part_of[$1]:-}}"; }
unpack_syslog_ng() {
  local folder
  folder=$(mktemp -d)
  chmod 755 "$folder"
  (cd "$folder" && apt-get -q download "${syslog_ng[@]}") &&
    for file in "$folder"/*.deb; do dpkg -x "$file" "$folder/root"; done &&
    mkdir -p "$(dirname "$unpacked")" && rm -rf "$unpacked" && mv "$folder/root" "$unpacked"
  rm -rf "$folder"
}

wanted=$(missing)
[ -z "$wanted$(wished)" ] && exit 0

sudo=""
[ "$(id -u)" = 0 ] || sudo="sudo -n"
if command -v apt-get >/dev/null 2>&1 && { [ -z "$sudo" ] || $sudo true 2>/dev/null; }; then
  packages=$(for p in $wanted; do package "$p"; done; for p in $(wished); do echo "${optional_of[$p]}"; done)
  echo "Installing for the tests:" $packages
  # The packages would start their services; the tests start their own.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' | $sudo tee $policy >/dev/null && $sudo chmod +x $policy
    trap '$sudo rm -f $policy' EXIT
  fi
  options=(-o DPkg::Lock::Timeout=300 -y --no-install-recommends --no-remove)
  $sudo apt-get -o DPkg::Lock::Timeout=300 -q update </dev/null
  # one by one, so that one that cannot be had does not keep the others away
  for package in $packages; do
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get -q "${options[@]}" install "$package" </dev/null || true
  done
  case " $(echo $wanted) " in *" syslog-ng "*) unpack_syslog_ng ;; esac
fi

wanted=$(missing)
[ -z "$wanted" ] && exit 0
for program in $wanted; do
  name=$(package "$program")
  echo "MISSING: $program (Debian package ${name:-syslog-ng-core}): the tests that need it are skipped" >&2
done
case ${CI:-} in
  1 | true | yes) echo "In CI nothing is skipped: install the packages above" >&2; exit 1 ;;
esac
exit 0
