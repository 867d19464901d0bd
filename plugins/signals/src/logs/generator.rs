//! Makes logs whose templates are known, from `styles.txt`, and measures grouping accuracy with them.
//!
//! Grouping accuracy is that of Zhu et al. 2019 (*Tools and Benchmarks for Automated Log Parsing*): a line counts as right if the lines that were put into its group are exactly the lines of its template.

use std::collections::HashMap;

const STYLES: &str = include_str!("styles.txt");

pub(crate) struct Style {
    pub(crate) name: &'static str,
    pub(crate) is_held: bool,
    header: &'static str,
    templates: Vec<(u32, &'static str)>,
}

pub(crate) fn styles() -> Vec<Style> {
    let mut styles: Vec<Style> = Vec::new();
    for line in STYLES.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(rest) = line.strip_prefix("= ") {
            let (kind, name) = rest.split_once(' ').unwrap();
            styles.push(Style { name, is_held: kind == "held", header: "", templates: Vec::new() });
        } else if let Some(header) = line.strip_prefix("^ ") {
            styles.last_mut().unwrap().header = header;
        } else {
            let (often, text) = line.split_once(' ').unwrap();
            styles.last_mut().unwrap().templates.push((often.parse().unwrap(), text));
        }
    }
    styles
}

/// A small generator of numbers, the same each time.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (value ^ (value >> 31)) % bound.max(1)
    }

    fn of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len() as u64) as usize]
    }
}

/// Lines of a style with the index of their template; with or without header.
pub(crate) fn lines(style: &Style, count: usize, seed: u64, with_header: bool) -> Vec<(usize, String)> {
    let mut dice = Dice(seed);
    let total: u32 = style.templates.iter().map(|(often, _)| often).sum();
    (0..count)
        .map(|_| {
            let mut at = dice.below(u64::from(total)) as u32;
            let template = style
                .templates
                .iter()
                .position(|(often, _)| {
                    at.checked_sub(*often).is_none_or(|rest| {
                        at = rest;
                        false
                    })
                })
                .unwrap();
            let mut text = String::new();
            if with_header {
                fill(style.header, &mut dice, &mut text);
            }
            fill(style.templates[template].1, &mut dice, &mut text);
            (template, text)
        })
        .collect()
}

fn fill(text: &str, dice: &mut Dice, out: &mut String) {
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        out.push_str(&rest[..open]);
        let inside = &rest[open + 1..];
        // A brace that is not followed by a name of a parameter is text, and an alternative may hold one pair of braces.
        let close = inside
            .char_indices()
            .scan(0i32, |depth, (at, one)| {
                match one {
                    '{' => *depth += 1,
                    '}' => *depth -= 1,
                    _ => {}
                }
                Some((at, *depth))
            })
            .find(|(_, depth)| *depth < 0)
            .map(|(at, _)| at);
        let Some(close) = close else {
            out.push('{');
            rest = inside;
            continue;
        };
        let name = &inside[..close];
        if name.contains('|') && !name.contains("{i") {
            let options: Vec<&str> = name.split('|').collect();
            out.push_str(dice.of(&options));
            rest = &inside[close + 1..];
        } else if let Some(value) = value(name, dice) {
            out.push_str(&value);
            rest = &inside[close + 1..];
        } else {
            out.push('{');
            rest = inside;
        }
    }
    out.push_str(rest);
}

const USERS: &[&str] = &[
    "root",
    "root",
    "root",
    "alice",
    "cyrus",
    "news",
    "test",
    "guest",
    "admin",
    "webmaster",
    "oracle",
    "fztu",
    "user1",
    "support",
    "pgsql",
    "ftp",
    "backup",
    "mysql",
    "info",
    "0",
];
const HOSTS: &[&str] = &[
    "ns.marry.example.com",
    "lns-vlq-45-tou.adsl.proxad.net",
    "www.google.com",
    "d211-116-254-214.rev.krline.net",
    "mail.example.org",
    "clients6.google.com",
    "ip-10-0-1-42.us-east-1.compute.internal",
    "n219076184117.netvigator.com",
];
const SHORT: &[&str] = &["dn228", "an731", "tbird-admin1", "mesos-master-1", "msra-sa-41", "aadmin1", "bn513", "en74"];
const FILES: &[&str] = &["pjhe", "logs", "sa1", "httpd", "notes", "data7", "upload", "mesh"];
const NAMES: &[&str] = &[
    "payments-api",
    "orders",
    "cart",
    "checkout",
    "billing-worker",
    "users",
    "search",
    "auth-svc",
    "ledger",
    "shop",
    "inventory-v2",
    "kube-proxy",
    "coredns",
];
const PACKAGES: &[&str] =
    &["com.android.systemui", "com.tencent.qq", "com.example.phone.HWMessageNameSpace", "android", "com.huawei.health"];

fn value(name: &str, dice: &mut Dice) -> Option<String> {
    let hex = |dice: &mut Dice, digits: usize| {
        (0..digits).map(|_| char::from(b"0123456789abcdef"[dice.below(16) as usize])).collect::<String>()
    };
    let byte = |dice: &mut Dice| 1 + dice.below(254);
    if let Some(digits) = name.strip_prefix("int").and_then(|digits| digits.parse::<u32>().ok()) {
        let length = 1 + dice.below(u64::from(digits)) as u32;
        return Some(dice.below(10u64.pow(length)).to_string());
    }
    Some(match name {
        "ip" => format!("10.{}.{}.{}", byte(dice), byte(dice), byte(dice)),
        "iplist" => (0..1 + dice.below(4))
            .map(|_| format!("10.{}.{}.{}:50010", byte(dice), byte(dice), byte(dice)))
            .collect::<Vec<_>>()
            .join(" "),
        "port" => (1024 + dice.below(60_000)).to_string(),
        "blk" => format!("blk_{}{}", if dice.below(2) == 0 { "-" } else { "" }, dice.below(u64::MAX)),
        "float" => format!("{}.{}", dice.below(500), dice.below(1000)),
        "hex" => format!("0x{}", {
            let digits = 1 + dice.below(16) as usize;
            hex(dice, digits)
        }),
        "hexid" => hex(dice, 16),
        "uuid" => format!("{}-{}-{}-{}-{}", hex(dice, 8), hex(dice, 4), hex(dice, 4), hex(dice, 4), hex(dice, 12)),
        "mac" => (0..6).map(|_| hex(dice, 2)).collect::<Vec<_>>().join(":"),
        "user" => dice.of(USERS).to_owned(),
        "host" => {
            if dice.below(4) == 0 {
                format!("10.{}.{}.{}", byte(dice), byte(dice), byte(dice))
            } else {
                dice.of(HOSTS).to_owned()
            }
        }
        "shost" => dice.of(SHORT).to_owned(),
        "file" => dice.of(FILES).to_owned(),
        "name" => dice.of(NAMES).to_owned(),
        "pkg" => dice.of(PACKAGES).to_owned(),
        "pod" => format!("{}-{}-{}", dice.of(NAMES), hex(dice, 9), hex(dice, 5)),
        "img" => format!("registry.example.com/{}:v{}", dice.of(NAMES), dice.below(99)),
        "path" => format!("/{}/{}/{}", dice.of(&["var", "mnt", "home", "usr", "data"]), dice.of(FILES), dice.below(90)),
        "url" => format!("http://{}:{}/{}", dice.of(HOSTS), dice.below(9000), dice.of(FILES)),
        "attempt" => {
            format!("attempt_{}_0001_m_{:06}_{}", 1_445_144_423_722 + dice.below(999), dice.below(20), dice.below(3))
        }
        "task" => format!("task_{}_0001_m_{:06}", 1_445_144_423_722 + dice.below(999), dice.below(20)),
        "job" => format!("job_{}_0001", 1_445_144_423_722 + dice.below(999)),
        "jvm" => format!("jvm_{}_0001_m_{:06}", 1_445_144_423_722 + dice.below(999), dice.below(20)),
        "container" => format!("container_{}_0001_01_{:06}", 1_445_144_423_722 + dice.below(999), dice.below(20)),
        "rdd" => format!("rdd_{}_{}", dice.below(50), dice.below(50)),
        "ver" => format!("6.1.7601.{}", dice.below(30_000)),
        "-" => "-".to_owned(),
        "ymd6" => "081109".to_owned(),
        "hms6" => format!("20{:02}{:02}", dice.below(60), dice.below(60)),
        "ymd8" => "20171223".to_owned(),
        "date" => format!("2015-10-{:02}", 1 + dice.below(28)),
        "time" => format!("{:02}:{:02}:{:02}", dice.below(24), dice.below(60), dice.below(60)),
        "yyyy/mm/dd" => "2026/11/23".to_owned(),
        "yy/mm/dd" => "17/06/09".to_owned(),
        "epoch" => (1_117_838_570 + dice.below(99_999)).to_string(),
        "epoch13" => (1_514_038_530_000 + dice.below(99_999)).to_string(),
        "ydot" => "2005.06.03".to_owned(),
        "bglstamp" => format!("2005-06-03-15.42.{:02}.{:06}", dice.below(60), dice.below(1_000_000)),
        "md" => "03-17".to_owned(),
        "mdot" => "10.30".to_owned(),
        "mmdd" => "1123".to_owned(),
        "syslog" => format!(
            "{} {:2} {:02}:{:02}:{:02}",
            dice.of(&["Jun", "Jul", "Dec", "Nov"]),
            1 + dice.below(28),
            dice.below(24),
            dice.below(60),
            dice.below(60)
        ),
        "ctime" => format!(
            "{} {} {:02} {:02}:{:02}:{:02} 2005",
            dice.of(&["Sun", "Mon", "Tue", "Sat"]),
            dice.of(&["Jun", "Dec"]),
            1 + dice.below(28),
            dice.below(24),
            dice.below(60),
            dice.below(60)
        ),
        _ => return None,
    })
}

/// The share of lines whose group is exactly their template's lines.
pub(crate) fn grouping_accuracy(truth: &[usize], found: &[u64]) -> f64 {
    let mut of_truth: HashMap<usize, Vec<usize>> = HashMap::new();
    let mut of_found: HashMap<u64, usize> = HashMap::new();
    for (line, (template, group)) in truth.iter().zip(found).enumerate() {
        of_truth.entry(*template).or_default().push(line);
        *of_found.entry(*group).or_default() += 1;
    }
    let right: usize = of_truth
        .values()
        .filter(|lines| {
            lines.iter().all(|line| found[*line] == found[lines[0]]) && of_found[&found[lines[0]]] == lines.len()
        })
        .map(Vec::len)
        .sum();
    right as f64 / truth.len() as f64
}
