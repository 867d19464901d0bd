//! A component that was not written for any host: it exports plain functions over every type, and has
//! no manifest.

use std::cell::Cell;
use std::hint::black_box;

wit_bindgen::generate!({ path: "wit", world: "test:plain/plain", generate_all });

use exports::test::plain::counters::{self, Counter, CounterBorrow, GuestCounter};
use exports::test::plain::ends::{self, Reason};
use exports::test::plain::types::{self, Everything};

struct Plain;

export!(Plain);

impl Guest for Plain {
    fn greet(name: String) -> String {
        format!("Hello, {name}!")
    }
}

impl types::Guest for Plain {
    fn echo(value: Everything) -> Everything {
        value
    }
    fn echo_fixed(value: [u16; 3]) -> [u16; 3] {
        value
    }
    fn echo_map(value: std::collections::BTreeMap<String, u32>) -> std::collections::BTreeMap<String, u32> {
        value
    }
}

impl ends::Guest for Plain {
    fn add(a: u32, b: u32) -> u32 {
        a.wrapping_add(b)
    }
    fn shout(text: String, times: Option<u32>) -> String {
        text.to_uppercase().repeat(usize::try_from(times.unwrap_or(1)).unwrap_or(1))
    }
    fn nothing() {}
    fn divide(a: f64, b: f64) -> Result<f64, String> {
        if b == 0.0 { Err("nothing can be divided by 0".into()) } else { Ok(a / b) }
    }
    fn check(code: u32) -> Result<(), Reason> {
        if code == 0 { Ok(()) } else { Err(Reason { code, text: "it is not 0".into() }) }
    }
    fn refuse() -> Result<(), ()> {
        Err(())
    }
    fn trap() {
        panic!("the guest panics as it was told");
    }
    fn loop_forever() {
        loop {
            black_box(());
        }
    }
    fn many(count: u32) -> Vec<u32> {
        (0..count).collect()
    }
    fn long(bytes: u32) -> String {
        "x".repeat(usize::try_from(bytes).unwrap_or(usize::MAX))
    }
    fn read_a_file(path: String) -> Result<String, String> {
        std::fs::read_to_string(path).map_err(|error| error.to_string())
    }
}

struct Count(Cell<u32>);

impl GuestCounter for Count {
    fn new(start: u32) -> Self {
        Self(Cell::new(start))
    }
    fn next(&self) -> u32 {
        self.0.set(self.0.get().wrapping_add(1));
        self.0.get()
    }
}

impl counters::Guest for Plain {
    type Counter = Count;
    fn make() -> Counter {
        Counter::new(Count(Cell::new(0)))
    }
    fn look(it: CounterBorrow<'_>) -> u32 {
        it.get::<Count>().0.get()
    }
    fn version() -> String {
        "1".into()
    }
}
