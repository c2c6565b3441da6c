//! Writes what fixtures/ has of the language into the corpus of each target.

use serde_json::Value as Json;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

static COUNT: AtomicUsize = AtomicUsize::new(0);

fn keep(target: &str, text: &str) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    std::fs::create_dir_all(&dir).expect("the corpus can be made");
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    std::fs::write(dir.join(format!("seed-{number:05}")), text).expect("a seed can be written");
}

fn main() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
    for entry in walkdir::WalkDir::new(&fixtures).sort_by_file_name().into_iter().filter_map(Result::ok) {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Ok(text) = std::fs::read_to_string(entry.path()) else { continue };
        if text.len() > 64 << 10 && !name.ends_with(".jsonl") {
            continue;
        }
        if name.ends_with(".tf.json") {
            keep("json", &text);
        } else if name.ends_with(".tf") || name.ends_with(".hcl") {
            keep("parse", &text);
            keep("fmt", &text);
        } else if name.ends_with(".jsonl") {
            for case in text.lines().filter_map(|line| serde_json::from_str::<Json>(line).ok()) {
                if let Some(expr) = case["expr"].as_str() {
                    keep("eval", expr);
                    keep("fmt", &format!("a = {expr}\n"));
                    keep("json", &Json::from(expr).to_string());
                }
                for file in case["files"].as_object().into_iter().flat_map(|files| files.values()) {
                    keep("parse", file.as_str().unwrap_or_default());
                }
                if let Some(input) = case["input"].as_str() {
                    keep("fmt", input);
                }
            }
        }
    }
}
