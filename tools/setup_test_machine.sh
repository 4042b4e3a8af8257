#!/usr/bin/env bash
# Installs the real programs that the tests talk to, when it may (root or sudo without a password, Debian's apt).
# What it cannot install it names: those tests are skipped. With CI=true nothing is skipped: then it fails.
set -uo pipefail

declare -A package_of=(
  [prometheus-alertmanager]=prometheus-alertmanager
  [prometheus]=prometheus
  [chromium]=chromium
)
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
missing() { for p in "${!package_of[@]}"; do command -v "$p" >/dev/null 2>&1 || echo "$p"; done; }

wanted=$(missing)
[ -z "$wanted$(wished)" ] && exit 0

sudo=""
[ "$(id -u)" = 0 ] || sudo="sudo -n"
if command -v apt-get >/dev/null 2>&1 && { [ -z "$sudo" ] || $sudo true 2>/dev/null; }; then
  packages=$(for p in $wanted; do echo "${package_of[$p]}"; done; for p in $(wished); do echo "${optional_of[$p]}"; done)
  echo "Installing for the tests:" $packages
  # The packages would start their services; the tests start their own.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' | $sudo tee $policy >/dev/null && $sudo chmod +x $policy
    trap '$sudo rm -f $policy' EXIT
  fi
  options=(-o DPkg::Lock::Timeout=300 -y --no-install-recommends)
  $sudo apt-get -o DPkg::Lock::Timeout=300 -q update </dev/null
  # one by one, so that one that cannot be had does not keep the others away
  for package in $packages; do
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get -q "${options[@]}" install "$package" </dev/null || true
  done
fi

wanted=$(missing)
[ -z "$wanted" ] && exit 0
for program in $wanted; do
  echo "MISSING: $program (Debian package ${package_of[$program]}): the tests that need it are skipped" >&2
done
case ${CI:-} in
  1 | true | yes) echo "In CI nothing is skipped: install the packages above" >&2; exit 1 ;;
esac
exit 0
