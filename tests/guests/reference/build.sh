#!/bin/sh
# Builds the reference tool in one language: sh build.sh LANG OUT
#
# LANG is rust, python, js, js-http (JavaScript by StarlingMonkey, with the tool `http`) or c. OUT is the component
# without a manifest; for c it is the core module, which `pi-host plugin pack` makes a component. The toolchains are
# pinned, and kept with what was built in PI_HOST_TOOLCHAINS: where nothing changed OUT is a copy.
set -eu

case ${1:-} in
rust | python | js | js-http | c) ;;
*) echo "usage: sh build.sh rust|python|js|js-http|c OUT" >&2 && exit 2 ;;
esac
[ $# = 2 ] || { echo "usage: sh build.sh rust|python|js|js-http|c OUT" >&2 && exit 2; }

language=$1
out=$(realpath -m "$2")
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
scaffold=$root/host/scaffold
cache=${PI_HOST_TOOLCHAINS:-${XDG_CACHE_HOME:-$HOME/.cache}/pi-host/toolchains}
mkdir -p "$cache/built" "$(dirname "$out")"

missing() {
  echo "build.sh: $1" >&2
  echo "hint: $2" >&2
  exit 1
}

# Two builds at a time would install over each other.
if command -v flock >/dev/null; then
  exec 9>"$cache/$language.lock"
  flock 9
fi

# What a build depends on: sources, interfaces, the pins of the toolchain.
source_folder=$here/${language%-http}
digest=$(
  {
    echo "$language"
    cd "$root"
    find "$source_folder" "$here/wit" "$here/build.sh" wit plugins/sdk host/scaffold/c host/scaffold/js/package-lock.json \
      host/scaffold/python/requirements.txt -type f ! -path '*/target/*' | LC_ALL=C sort | xargs sha256sum
    [ "$language" != rust ] || rustc --version
  } | sha256sum | cut -c1-32
)
built=$cache/built/$language-$digest.wasm
if [ -f "$built" ]; then
  cp "$built" "$out"
  exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The packages of the host beside the guest's own world.
interfaces() {
  mkdir -p "$work/wit"
  cp -R "$root/wit/." "$work/wit/"
  rm "$work/wit/host.wit"
  cp "$here/wit/world.wit" "$work/wit/"
}

# A virtual environment with what a file of requirements pins.
environment() {
  command -v python3 >/dev/null || missing "there is no python3 here" "install Python 3.10 or later"
  if ! cmp -s "$2" "$1/installed.txt"; then
    rm -rf "$1"
    python3 -m venv "$1" || missing "python3 has no module venv" "on Debian and Ubuntu: apt-get install python3-venv"
    "$1/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$2"
    cp "$2" "$1/installed.txt"
  fi
}

case $language in
rust)
  command -v cargo >/dev/null || missing "there is no Rust here" "install it with rustup: https://rustup.rs"
  if ! [ -d "$(rustc --print sysroot)/lib/rustlib/wasm32-wasip2" ]; then
    rustup target add wasm32-wasip2
  fi
  cargo build --locked --release --target wasm32-wasip2 --manifest-path "$here/rust/Cargo.toml" --target-dir "$cache/rust"
  cp "$cache/rust/wasm32-wasip2/release/reference.wasm" "$work/out.wasm"
  ;;
python)
  environment "$cache/python" "$scaffold/python/requirements.txt"
  interfaces
  mkdir "$work/source"
  cp "$here/python/app.py" "$work/source/"
  "$cache/python/bin/componentize-py" --quiet --wit-path "$work/wit" --world plugin \
    --import-interface-name pi:tool/types@0.1.0=tool_types --import-interface-name wasi:http/types@0.2.12=http_types \
    --import-interface-name wasi:keyvalue/store@0.2.0-draft=keyvalue --import-interface-name wasi:config/store@0.2.0-rc.1=config \
    componentize app \
    --python-path "$work/source" --output "$work/out.wasm"
  ;;
js | js-http)
  command -v npm >/dev/null || missing "there is no npm here" "install Node.js 20 or later"
  if ! cmp -s "$scaffold/js/package-lock.json" "$cache/js/node_modules/installed.json"; then
    mkdir -p "$cache/js"
    cp "$scaffold/js/package.json" "$scaffold/js/package-lock.json" "$cache/js/"
    (cd "$cache/js" && npm install --no-save --no-audit --no-fund)
    cp "$scaffold/js/package-lock.json" "$cache/js/node_modules/installed.json"
  fi
  interfaces
  cp "$here"/js/*.js "$work/"
  if [ "$language" = js ]; then
    (cd "$work" && "$cache/js/node_modules/.bin/jco" componentize app.js --wit wit --world-name plugin-without-http \
      --backend quickjs --backend-qjs-disable-async --out out.wasm)
  else
    cp "$here"/js/starlingmonkey/*.js "$work/"
    cp "$here/js/build.mjs" "$work/"
    ln -s "$cache/js/node_modules" "$work/node_modules"
    (cd "$work" && node build.mjs app.js wit out.wasm)
  fi
  ;;
c)
  environment "$cache/c" "$scaffold/c/requirements.txt"
  mkdir "$work/bindings"
  cp "$scaffold"/c/bindings-tool/* "$work/bindings/"
  cp "$scaffold/c/json.c" "$scaffold/c/json.h" "$scaffold/c/memory.h" "$here"/c/*.[cho] "$work/"
  (cd "$work" && "$cache/c/bin/python" -m ziglang cc -target wasm32-wasi -mexec-model=reactor -Os -s -Wall -I. -o out.wasm \
    plugin.c sockets.c json.c bindings/plugin.c bindings/plugin_component_type.o sockets_component_type.o)
  ;;
esac

# Whole, or not at all: a build that was interrupted is none.
mv "$work/out.wasm" "$built.part"
mv "$built.part" "$built"
cp "$built" "$out"
