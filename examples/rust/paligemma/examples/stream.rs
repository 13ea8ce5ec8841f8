// SPDX-License-Identifier: BSD-2-Clause
//! Answers about one picture, token by token, a prompt a line of standard input:  stream CHECKPOINT_DIR PICTURE
//! The picture goes through the tower once.
use paligemma::{Image, ImageFeatures, Model, ModelOptions, Processor};
use std::error::Error;
use std::io::{self, BufRead, Write};
use std::{env, process, thread};

fn answer(
    model: &Model,
    processor: &Processor,
    image: &Image,
    features: &ImageFeatures,
    prompt: &str,
) -> Result<(), Box<dyn Error>> {
    let inputs = processor.apply(&[image], prompt)?;
    thread::scope(|scope| {
        for token in model.generate(&inputs).features(features).max_new_tokens(100).stream(scope) {
            print!("{}", token?);
            io::stdout().flush()?;
        }
        println!();
        Ok(())
    })
}

fn run(checkpoint: &str, picture: &str) -> Result<(), Box<dyn Error>> {
    let progress = |_: &str, fraction: f64| eprint!("\rloading {:3.0} %", 100.0 * fraction);
    let model = ModelOptions::new().progress(progress).load(checkpoint)?;
    eprintln!();
    let processor = Processor::load(checkpoint)?;
    let image = Image::open(picture)?;
    let inputs = processor.apply(&[&image], "")?;
    let pixels = inputs.get("pixel_values").ok_or("the processor returned no pixels")?;
    let features = model.image_features(pixels).run()?;
    for prompt in io::stdin().lock().lines() {
        answer(&model, &processor, &image, &features, &prompt?)?;
    }
    Ok(())
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [checkpoint, picture] = match <[String; 2]>::try_from(arguments) {
        Ok(arguments) => arguments,
        Err(_) => {
            eprintln!("usage: stream CHECKPOINT_DIR PICTURE <PROMPTS");
            process::exit(2);
        }
    };
    if let Err(error) = run(&checkpoint, &picture) {
        eprintln!("stream: {error}");
        process::exit(1);
    }
}
