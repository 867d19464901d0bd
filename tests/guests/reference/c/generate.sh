#!/bin/sh
# Makes sockets_component_type.o again, after a change of sockets.wit: sh tests/guests/reference/c/generate.sh
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../../.." && pwd)
tools=${PI_HOST_TOOLCHAINS:-${XDG_CACHE_HOME:-$HOME/.cache}/pi-host/toolchains}/wit-bindgen-0.61.1
[ -x "$tools/bin/wit-bindgen" ] ||
  cargo install wit-bindgen-cli --version 0.61.1 --locked --no-default-features --features c --root "$tools"

work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
mkdir "$work/wit"
cp -R "$root/wit/." "$work/wit/"
rm "$work/wit/host.wit"
cp "$here/sockets.wit" "$work/wit/world.wit"
"$tools/bin/wit-bindgen" c "$work/wit" --world attempts --out-dir "$work/out"
cp "$work/out/attempts_component_type.o" "$here/sockets_component_type.o"
