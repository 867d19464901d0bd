#!/bin/sh
# Builds {{name}}.wasm. It installs what it needs into this folder, and may be run again at any time.
# PI_HOST names the program pi-host where it is not on the PATH.
set -eu
cd "$(dirname "$0")"
pi_host=${PI_HOST:-pi-host}

missing() {
  echo "build.sh: $1" >&2
  echo "hint: $2" >&2
  exit 1
}

command -v "$pi_host" >/dev/null || missing "there is no program \`$pi_host\`" "put pi-host on the PATH, or say PI_HOST=/path/to/pi-host sh build.sh"
