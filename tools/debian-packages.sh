#!/bin/sh
# Programs of Debian that some tests run against (as root on Debian or Ubuntu; elsewhere those tests are skipped).
set -eu
packages="ffmpeg dcmtk dicom3tools"
[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 || exit 0
missing=""
for p in $packages; do dpkg -s "$p" >/dev/null 2>&1 || missing="$missing $p"; done
[ -z "$missing" ] && exit 0
apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
