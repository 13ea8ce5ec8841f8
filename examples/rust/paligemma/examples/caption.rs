// SPDX-License-Identifier: BSD-2-Clause
//! A picture and a prompt in, the answer out:  caption CHECKPOINT_DIR PICTURE [PROMPT]
use paligemma::{Detections, Image, Model, Processor};
use std::{env, process};

fn answer(checkpoint: &str, picture: &str, prompt: &str) -> paligemma::Result<()> {
    let model = Model::load(checkpoint)?;
    let processor = Processor::load(checkpoint)?;
    let image = Image::open(picture)?;
    let inputs = processor.apply(&[&image], prompt)?;
    let answer = model.generate(&inputs).run()?;
    let text = answer.text(0).unwrap_or("");
    println!("{text}");

    let (width, height) = (f64::from(image.width()), f64::from(image.height()));
    for object in Detections::parse(text)?.iter() {
        println!(
            "{}: {:.0} {:.0} {:.0} {:.0}",
            object.label,
            object.x_min * width,
            object.y_min * height,
            object.x_max * width,
            object.y_max * height
        );
    }
    Ok(())
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (checkpoint, picture, prompt) = match &arguments[..] {
        [checkpoint, picture] => (checkpoint, picture, "caption en"),
        [checkpoint, picture, prompt] => (checkpoint, picture, prompt.as_str()),
        _ => {
            eprintln!("usage: caption CHECKPOINT_DIR PICTURE [PROMPT]");
            process::exit(2);
        }
    };
    if let Err(error) = answer(checkpoint, picture, prompt) {
        eprintln!("caption: {error}");
        process::exit(1);
    }
}
