//! Every resource type through its whole life on the embedded AWS, with the example that its file shows.

use crate::environment::TestEnvironment;
use cutover::aws::types::ALL;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Applies, plans empty, finds no drift, destroys, and leaves nothing.
fn live(type_name: &str, example: &str) -> Result<(), String> {
    let env = TestEnvironment::with_root(example);
    let step = |name: &str, args: &[&str], code: i32| {
        let ran = env.run(args);
        if ran.code == code { Ok(ran) } else { Err(format!("{type_name}: {name}: {}", ran.all())) }
    };
    step("apply", &["apply", "root", "--auto-approve"], 0)?;
    let listed = step("state list", &["state", "list", "root"], 0)?;
    if !listed.stdout.contains(&format!("{type_name}.")) {
        return Err(format!("{type_name}: its example does not make one:\n{}", listed.all()));
    }
    step("second plan", &["plan", "root", "--detailed-exitcode"], 0)?;
    step("drift", &["drift", "root", "--detailed-exitcode"], 0)?;
    step("destroy", &["destroy", "root", "--auto-approve"], 0)?;
    let left = step("state list", &["state", "list", "root"], 0)?;
    if left.stdout.is_empty() { Ok(()) } else { Err(format!("{type_name}: left over:\n{}", left.stdout)) }
}

#[test]
fn every_type_lives_and_dies() {
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(one) = ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let schema = one.schema();
                    if let Err(problem) = live(schema.name, schema.example) {
                        failed.lock().expect("not poisoned").push(problem);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("not poisoned");
    println!("counted: {} resource types through create, read, drift and delete", ALL.len());
    assert!(failed.is_empty(), "{} of {} failed:\n{}", failed.len(), ALL.len(), failed.join("\n\n"));
}
