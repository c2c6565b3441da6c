//! What keeps the source as it is meant to be.

use crate::environment::repository;
use std::path::{Path, PathBuf};

fn sources() -> Vec<PathBuf> {
    let all = walkdir::WalkDir::new(repository().join("src")).sort_by_file_name();
    let files = all.into_iter().map(|e| e.expect("readable").into_path());
    files.filter(|p| p.extension().is_some_and(|e| e == "rs")).collect()
}

/// Top-level modules in the order that lib.rs declares them.
fn reading_order() -> Vec<String> {
    let lib = std::fs::read_to_string(repository().join("src/lib.rs")).expect("read");
    let name = |line: &str| line.strip_prefix("pub mod ")?.strip_suffix(';').map(str::to_owned);
    lib.lines().filter_map(name).collect()
}

fn module_of(path: &Path) -> String {
    let relative = path.strip_prefix(repository().join("src")).expect("inside");
    let first = relative.components().next().expect("not empty").as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

#[test]
fn parts_import_only_from_parts_above_them() {
    let order = reading_order();
    let place = |name: &str| order.iter().position(|m| m == name);
    let mut wrong = Vec::new();
    for path in sources() {
        let Some(own) = place(&module_of(&path)) else { continue };
        let text = std::fs::read_to_string(&path).expect("read");
        for (number, line) in text.lines().enumerate() {
            if line.trim_start().starts_with("//") {
                continue;
            }
            for used in line.split("crate::").skip(1) {
                let end = used.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(used.len());
                if place(&used[..end]).is_some_and(|p| p > own) {
                    wrong.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "these look down the reading order:\n{}", wrong.join("\n"));
}

#[test]
fn wall_time_is_asked_for_only_in_the_clock() {
    for path in sources()
        .into_iter()
        .filter(|p| !p.ends_with("src/sim/clock.rs"))
        // A benchmark measures what it takes here.
        .filter(|p| p.components().all(|part| part.as_os_str() != "benches"))
    {
        let text = std::fs::read_to_string(&path).expect("read");
        for call in ["SystemTime::now", "Instant::now", "Timestamp::now", "Zoned::now"] {
            assert!(!text.contains(call), "{} calls {call}; ask the clock", path.display());
        }
    }
}
