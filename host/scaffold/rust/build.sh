command -v cargo >/dev/null || missing "there is no Rust here" "install it with rustup: https://rustup.rs"
if ! [ -d "$(rustc --print sysroot)/lib/rustlib/wasm32-wasip2" ]; then
  command -v rustup >/dev/null || missing "this Rust cannot build for wasm32-wasip2" "install Rust with rustup: https://rustup.rs"
  rustup target add wasm32-wasip2
fi

cargo build --locked --release --target wasm32-wasip2 --target-dir target
"$pi_host" plugin pack target/wasm32-wasip2/release/plugin.wasm --manifest plugin.json --output {{name}}.wasm
