# The everyday commands. Each is a plain command that works without just.

# Break real services in ./pi-demo and watch them heal.
demo:
    cargo run -- run --demo

# All tests.
test:
    cargo test

# What has to hold before a change lands.
ci:
    .ci/run

# The figures of BENCHMARKS.md.
bench:
    cargo bench

fmt:
    cargo fmt --all
