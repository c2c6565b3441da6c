//! How the binary is linked.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target = |name: &str| std::env::var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
    // At a fixed address nothing needs to be relocated when the program starts: in one with all of the SDK that
    // is most of a short run's time, and more memory than a plan of a thousand resources takes.
    if target("OS") == "linux" && target("ENV") == "gnu" {
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
    // What a usual run calls stands side by side: `benches/link_by_use.py` writes the list, and says why. Names
    // that are not there any more do no harm.
    println!("cargo:rerun-if-changed={ORDER}");
    if std::env::var("PROFILE").is_ok_and(|profile| profile == "release") && links_with_lld(&target) {
        let root = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
        println!("cargo:rustc-link-arg-bins=-Wl,--no-warn-symbol-ordering");
        println!("cargo:rustc-link-arg-bins=-Wl,--symbol-ordering-file={root}/{ORDER}");
    }
}

const ORDER: &str = "benches/link-order.txt";

/// Rust does so on this target, unless it is told otherwise.
fn links_with_lld(target: &dyn Fn(&str) -> String) -> bool {
    let usual = ("x86_64", "linux", "gnu");
    let told = |name: &str| std::env::var(name).is_ok_and(|value| value.contains("link"));
    (&*target("ARCH"), &*target("OS"), &*target("ENV")) == usual
        && std::env::var_os("RUSTC_LINKER").is_none()
        && !told("CARGO_ENCODED_RUSTFLAGS")
}
