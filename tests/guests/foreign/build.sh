#!/bin/sh
# Builds weather.js by componentize-js with StarlingMonkey: sh build.sh OUT
#
# The toolchain is that of the reference tool, kept in PI_HOST_TOOLCHAINS with what was built: where nothing changed
# OUT is a copy.
set -eu
[ $# = 1 ] || { echo "usage: sh build.sh OUT" >&2 && exit 2; }

out=$(realpath -m "$1")
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
cache=${PI_HOST_TOOLCHAINS:-${XDG_CACHE_HOME:-$HOME/.cache}/pi-host/toolchains}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# It installs what is missing.
sh "$here/../reference/build.sh" js-http "$work/reference.wasm"

digest=$(cd "$root" && sha256sum tests/guests/foreign/weather.js tests/guests/foreign/wit/world.wit tests/guests/foreign/build.sh \
  wit/deps/config.wit host/scaffold/js/package-lock.json | sha256sum | cut -c1-32)
built=$cache/built/weather-$digest.wasm
if ! [ -f "$built" ]; then
  mkdir -p "$work/wit/deps"
  cp "$here/wit/world.wit" "$work/wit/"
  cp "$root/wit/deps/config.wit" "$work/wit/deps/"
  cp "$here/weather.js" "$work/"
  ln -s "$cache/js/node_modules" "$work/node_modules"
  cat >"$work/build.mjs" <<'END'
import { writeFileSync } from "node:fs";
import { componentize } from "@bytecodealliance/componentize-js";
const { component } = await componentize({ sourcePath: "weather.js", witPath: "wit", worldName: "weather" });
writeFileSync("out.wasm", component);
END
  (cd "$work" && node build.mjs)
  # Whole, or not at all.
  mv "$work/out.wasm" "$built.part"
  mv "$built.part" "$built"
fi
cp "$built" "$out"
