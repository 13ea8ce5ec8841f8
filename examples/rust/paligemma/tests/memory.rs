// SPDX-License-Identifier: BSD-2-Clause
//! Memory stays constant over 1,000 generations, from the picture to the answer, streamed and stopped ones among them.
mod common;
use common::{source, tiny};
use paligemma::{Detections, Image};
use std::{fs, thread};

/// Kilobytes in memory.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("/proc");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn constant_over_a_thousand_generations() {
    let (model, processor) = tiny();
    let file = fs::read(source("examples/pictures/shapes.png")).unwrap();
    // The tower takes most of the time: it runs in every tenth generation.
    let image = Image::decode(&file).unwrap();
    let inputs = processor.apply(&[&image], "").unwrap();
    let features = model.image_features(inputs.get("pixel_values").unwrap()).run().unwrap();
    let generate = |i: usize| {
        let image = Image::decode(&file).unwrap();
        let inputs = processor.apply(&[&image], "detect circle").unwrap();
        let request = model.generate(&inputs);
        if i % 10 == 0 {
            thread::scope(|scope| {
                assert_eq!(request.max_new_tokens(50).stream(scope).take(2).count(), 2);
            });
        } else {
            let answer = request.features(&features).max_new_tokens(5).run().unwrap();
            assert_eq!(Detections::parse(answer.text(0).unwrap()).unwrap().len(), 1);
        }
        assert!(model.generate(&inputs).top_k(3).greedy().run().is_err());
    };
    (0..100).for_each(generate);
    let before = resident();
    (0..1000).for_each(generate);
    let after = resident();
    println!("resident after 100 generations {before} KiB, after 1,100 {after} KiB");
    assert!(after < before + 2048, "{before} KiB, then {after} KiB");
}
