//! Command lines of interpreters.

use super::super::{Reads, read_line};
use crate::gate::argv::Word;
use crate::gate::glob::UNKNOWN;

fn read(line: &[&str], input: Option<&str>) -> Option<Reads> {
    let words: Vec<Word> = line.iter().map(|text| Word::plain(*text)).collect();
    read_line(&words, input)
}

#[test]
fn flags_that_load_nothing_are_read() {
    for line in [
        &["python3", "-c", "print(1)"][..],
        &["/usr/bin/python3.12", "-I", "-S", "-c", "print(1)", "--x"],
        &["node", "-p", "process.version"],
        &["node", "-e", "console.log(1)", "a"],
        &["node", "--eval=console.log(1)"],
        &["perl", "-lane", "print $F[0]", "x.txt"],
        &["perl", "-F:", "-lane", "print $F[0]"],
        &["perl", "-MList::Util=sum", "-e", "print sum(1, 2)"],
    ] {
        assert!(read(line, None).is_some(), "{line:?}");
    }
    assert!(read(&["python3", "-"], Some("print(1)")).is_some());
    assert!(read(&["python3"], Some("print(1)")).is_some());
}

#[test]
fn other_flags_ask() {
    let unknown = format!("print('{UNKNOWN}')");
    for line in [
        &["python3", "-i", "-c", "print(1)"][..],
        &["python3", "-x", "-c", "print(1)"],
        &["python3", "-m", "http.server"],
        &["python3", "x.py"],
        &["python3", "-c"],
        &["python3", "-c", &unknown],
        &["node", "-r", "./x.js", "-e", "console.log(1)"],
        &["node", "--import", "./x.js", "-e", "console.log(1)"],
        &["node", "-e", "console.log(1)", "--require=./x.js"],
        &["node", "-i", "-e", "console.log(1)"],
        &["deno", "eval", "console.log(1)"],
        &["perl", "-i", "-pe", "s/a/b/", "x"],
        &["perl", "-pi", "-e", "s/a/b/", "x"],
        &["perl", "-pi.bak", "-e", "s/a/b/", "x"],
        &["perl", "-s", "-e", "print 1"],
        &["perl", "-x", "-e", "print 1"],
        &["perl", "-Ix", "-e", "print 1"],
        &["perl", "-MEvil", "-e", "print 1"],
        &["perl", "-mEvil", "-e", "print 1"],
        &["perl", "-MList::Util=sum;system(1)", "-e", "print 1"],
        &["perl", "-d", "-e", "print 1"],
        &["perl", "-F(?{x})", "-ane", "print 1"],
        &["perl", "-ne", "print", "id|"],
        &["perl", "-ne", "print", ">x"],
        &["perl", "-ne", "print", " x"],
        &["perl", "x.pl"],
        &["perl"],
    ] {
        assert!(read(line, Some("print(1)")).is_none(), "{line:?}");
    }
    assert!(read(&["python3"], None).is_none());
}

#[test]
fn operands_that_are_opened_are_told() {
    let code = "import sys; print(open(sys.argv[1]).read())";
    let reads = read(&["python3", "-c", code, "/etc/passwd", "b"], None).expect("it is harmless");
    assert_eq!(reads.files, ["/etc/passwd"]);
    let code = "console.log(fs.readFileSync(process.argv[2], 'utf8'))";
    assert_eq!(read(&["node", "-e", code, "a", "b"], None).expect("it is harmless").files, ["b"]);
    assert_eq!(read(&["node", "-", "c"], Some(code)).expect("it is harmless").files, ["c"]);
    let code = "import sys; print(open(sys.argv[0]).read())";
    assert!(read(&["python3", "-c", code], None).is_none());
    assert_eq!(read(&["perl", "-ne", "print", "a", "b"], None).expect("it is harmless").files, ["a", "b"]);
}
