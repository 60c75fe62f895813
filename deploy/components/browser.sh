#!/bin/sh
# What the console's tests need on a Debian machine: Chromium, and a font with Chinese; elsewhere says what to install.
set -eu
missing=""
command -v chromium > /dev/null || missing="$missing chromium"
fc-list :lang=zh 2> /dev/null | grep -q . || missing="$missing fonts-noto-cjk fontconfig"
. "$(dirname "$0")/packages.sh"
