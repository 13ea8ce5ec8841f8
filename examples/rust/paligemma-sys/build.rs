// SPDX-License-Identifier: BSD-2-Clause
//! Finds the installed libpaligemma. `pkg-config` is called as a program, so that no other crate is needed.
//! `PKG_CONFIG` names another one; `PALIGEMMA_STATIC=1` links the static library and what it needs.
use std::env;
use std::process::{exit, Command};

fn main() {
    for name in
        ["PKG_CONFIG", "PKG_CONFIG_PATH", "PKG_CONFIG_LIBDIR", "PKG_CONFIG_SYSROOT_DIR", "PALIGEMMA_STATIC"]
    {
        println!("cargo:rerun-if-env-changed={name}");
    }
    let wants_static = env::var("PALIGEMMA_STATIC").map_or(false, |value| value == "1");
    let mut arguments = vec!["--libs", "--print-errors", "paligemma >= 0.1"];
    if wants_static {
        arguments.push("--static");
    }
    let output = pkg_config(&arguments);
    let mut libraries_are_private = false;
    for word in output.split_whitespace() {
        if let Some(folder) = word.strip_prefix("-L") {
            println!("cargo:rustc-link-search=native={folder}");
        } else if let Some(library) = word.strip_prefix("-l") {
            // Only the library itself is linked statically; what it needs comes as the system has it.
            let kind = if wants_static && !libraries_are_private { "static=" } else { "" };
            println!("cargo:rustc-link-lib={kind}{library}");
            libraries_are_private = true;
        } else {
            println!("cargo:rustc-link-arg={word}"); // -fopenmp, -pthread
        }
    }
    println!("cargo:include={}", pkg_config(&["--variable=includedir", "paligemma"]).trim());
}

/// What `pkg-config` prints; when it fails, the build ends with its words and a hint.
fn pkg_config(arguments: &[&str]) -> String {
    let program = env::var("PKG_CONFIG").unwrap_or_else(|_| "pkg-config".to_owned());
    match Command::new(&program).args(arguments).output() {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).into_owned(),
        Ok(output) => {
            eprintln!("{}", String::from_utf8_lossy(&output.stderr).trim());
            eprintln!(
                "libpaligemma is not installed, or PKG_CONFIG_PATH lacks the folder of its paligemma.pc"
            );
            exit(1);
        }
        Err(error) => {
            eprintln!("{program} cannot be run ({error}); it is needed to find libpaligemma");
            exit(1);
        }
    }
}
