//! stub
use bashkit::Bash;
pub fn f() { let _ = Bash::new(); }
