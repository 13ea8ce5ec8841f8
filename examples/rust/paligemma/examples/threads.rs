// SPDX-License-Identifier: BSD-2-Clause
//! Many threads, one model: captions of all pictures given, a thread for each processor:
//! threads CHECKPOINT_DIR PICTURE…
use paligemma::{Image, Model, ModelOptions, Processor};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, process, thread};

fn caption(model: &Model, processor: &Processor, picture: &str) -> paligemma::Result<String> {
    let image = Image::open(picture)?;
    let inputs = processor.apply(&[&image], "caption en")?;
    let answer = model.generate(&inputs).run()?;
    Ok(answer.text(0).unwrap_or("").to_owned())
}

fn run(checkpoint: &str, pictures: &[String]) -> paligemma::Result<usize> {
    let n_threads = thread::available_parallelism().map_or(1, usize::from).min(pictures.len());
    // The threads share the machine: each call takes one.
    let model = ModelOptions::new().threads(1).load(checkpoint)?;
    let processor = Processor::load(checkpoint)?;
    let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..n_threads {
            scope.spawn(|| {
                while let Some(picture) = pictures.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match caption(&model, &processor, picture) {
                        Ok(text) => println!("{picture}: {text}"),
                        Err(error) => {
                            eprintln!("{picture}: {error}");
                            failed.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    Ok(failed.into_inner())
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (checkpoint, pictures) = match arguments.split_first() {
        Some((checkpoint, pictures)) if !pictures.is_empty() => (checkpoint, pictures),
        _ => {
            eprintln!("usage: threads CHECKPOINT_DIR PICTURE…");
            process::exit(2);
        }
    };
    match run(checkpoint, pictures) {
        Ok(0) => {}
        Ok(_) => process::exit(1),
        Err(error) => {
            eprintln!("threads: {error}");
            process::exit(1);
        }
    }
}
