// SPDX-License-Identifier: BSD-2-Clause
//! What the tests share: the demonstration model and its pictures.
#![allow(dead_code)] // no test uses all of it
use paligemma::{Image, Inputs, Model, ModelOptions, Processor};
use std::env;
use std::path::{Path, PathBuf};

/// A path of the repository.
pub fn source(path: &str) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    env::var_os("PALI_SOURCE").map_or_else(|| here.join("../../.."), PathBuf::from).join(path)
}

/// A place for a file that a test writes.
pub fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

pub fn load(checkpoint: &str) -> (Model, Processor) {
    let path = source(checkpoint);
    (ModelOptions::new().threads(1).load(&path).unwrap(), Processor::load(&path).unwrap())
}

/// The demonstration model.
pub fn tiny() -> (Model, Processor) {
    load("examples/tiny/model")
}

pub fn shapes() -> Image {
    Image::open(source("examples/pictures/shapes.png")).unwrap()
}

pub fn prompt(processor: &Processor, text: &str) -> Inputs {
    processor.apply(&[&shapes()], text).unwrap()
}
