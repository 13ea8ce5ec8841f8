// SPDX-License-Identifier: BSD-2-Clause
//! Errors have the library's kind and sentence; what would not be safe is refused before the library sees it.
mod common;
use common::{prompt, scratch, source, tiny};
use paligemma::*;
use std::fs;

#[test]
fn kinds_and_sentences() {
    let error = Model::load("/nowhere/at/all").unwrap_err();
    assert!(matches!(&error, Error::Io(_)), "{error:?}");
    assert!(error.message().contains("/nowhere/at/all") && error.to_string() == error.message());
    assert_eq!(error.code(), -3);
    let _: Box<dyn std::error::Error + Send + Sync> = error.into();

    let broken = scratch("broken");
    fs::create_dir_all(&broken).unwrap();
    fs::write(broken.join("config.json"), "{").unwrap();
    assert!(matches!(Config::load(&broken), Err(Error::Format(_))));
    fs::write(broken.join("config.json"), "{\"model_type\": \"gpt2\"}").unwrap();
    assert!(matches!(Config::load(&broken), Err(Error::Unsupported(_))));
    assert!(matches!(Image::decode(b"GIF89a"), Err(Error::Unsupported(_))));
    assert!(matches!(Image::decode(b""), Err(Error::Format(_) | Error::Unsupported(_))));
    let picture = source("examples/pictures/shapes.png");
    assert!(matches!(ImageOptions::new().max_pixels(10).open(picture), Err(Error::Limit(_))));
    assert!(matches!(hub_path("no such/thing at all", None), Err(Error::Argument(_))));

    let (model, processor) = tiny();
    let inputs = prompt(&processor, "caption en");
    assert!(matches!(model.generate(&inputs).logit_bias(1 << 40, 1.0).run(), Err(Error::Argument(_))));
    assert!(matches!(
        processor.apply(&[&common::shapes(), &common::shapes()], "<image> caption"),
        Err(Error::Shape(_))
    ));
    assert!(matches!(processor.decode(&[-1], true), Err(Error::Argument(_))));
    assert!(matches!(model.config().int("no_such_field"), Err(Error::Argument(_))));
    let mut cache = CacheOptions::new().capacity(10).fixed(true).create(&model).unwrap();
    assert!(matches!(model.generate(&inputs).cache(&mut cache).run(), Err(Error::Limit(_))));
}

#[test]
fn nul_in_texts() {
    let (model, processor) = tiny();
    let inputs = prompt(&processor, "caption en");
    assert!(matches!(Model::load("a\0b"), Err(Error::Argument(_))));
    assert!(matches!(processor.apply(&[], "a\0b"), Err(Error::Argument(_))));
    assert!(matches!(model.generate(&inputs).stop_string("\0").run(), Err(Error::Argument(_))));
    assert!(matches!(model.score(&inputs, &["\0"]).run(), Err(Error::Argument(_))));
    assert!(matches!(Detections::parse("\0"), Err(Error::Argument(_))));
    assert!(matches!(ModelOptions::new().adapter("\0", 1.0).load("x"), Err(Error::Argument(_))));
    assert!(inputs.get("input_ids\0").is_none());
}

#[test]
fn arrays_of_the_wrong_length() {
    let (_, processor) = tiny();
    let wrong = |outcome: Result<()>| assert!(matches!(outcome, Err(Error::Shape(_) | Error::Argument(_))));
    wrong(Image::from_rgb(&[0; 11], 2, 2).map(drop));
    wrong(Image::from_rgb(&[0; 12], u32::MAX, u32::MAX).map(drop));
    wrong(Image::from_rgb_rows(&[0; 12], 2, 2, 5).map(drop));
    wrong(Image::from_rgb_rows(&[0; 12], 2, 2, usize::MAX).map(drop));
    wrong(Image::from_rgb(&[], 0, 0).map(drop));
    let mut image = Image::from_rgb(&[0; 12], 2, 2).unwrap();
    wrong(image.blend(&[0; 3], 0.5, [0; 3]));
    wrong(image.draw_map(&[0.0; 3], 2, 0.5));
    wrong(image.draw_map(&[], 0, 0.5));
    wrong(image.draw_text(0, 0, "x", 0, [0; 3]));
    wrong(Tensor::new(&[2, 2], &[1i64; 3]).map(drop));
    wrong(Tensor::new(&[1; 9], &[1i64]).map(drop));
    wrong(Tensor::new(&[usize::MAX, 2], &[1i64; 2]).map(drop));
    wrong(rle_encode(&[0; 3], 2, 2).map(drop));
    wrong(rle_decode(&[4], 0, 4).map(drop));
    wrong(rle_decode(&[4], 70_000, 4).map(drop));
    wrong(SegmentMask::from_values(vec![0.0; 5]).map(drop));
    wrong(SegmentMask::crop(&[0; 3], 2, 2, &Detection::default()).map(drop));
    wrong(
        max_sim(Tensor::new(&[4], &[0f32; 4]).unwrap(), Tensor::new(&[2, 2], &[0f32; 4]).unwrap()).map(drop),
    );
    wrong(
        max_sim(Tensor::new(&[2, 2], &[0f64; 4]).unwrap(), Tensor::new(&[2, 2], &[0f32; 4]).unwrap())
            .map(drop),
    );
    wrong(processor.batch_decode(&[1, 2, 3], 2, true).map(drop));
    wrong(processor.apply_with(&[], "x", &ApplyOptions::new().suffixes(["a", "b"])).map(drop));
    wrong(processor.apply_with(&[], "x", &ApplyOptions::new().images_per_text([])).map(drop));
    let found = Detections::parse("<loc0000><loc0000><loc0512><loc0512> cat").unwrap();
    wrong(found.draw(&mut image, &DrawOptions::new().confidences(&[])));
    wrong(found.to_coco(9, 9, &CocoOptions::new().confidences(&[Confidence::default(); 2])).map(drop));
}

/// 0 is not taken for "not set": it is none where that means something, else an error.
#[test]
fn zero() {
    let (model, processor) = tiny();
    let inputs = prompt(&processor, "caption en");
    let request = || model.generate(&inputs);
    for (name, request) in [
        ("max_new_tokens", request().max_new_tokens(0)),
        ("num_beams", request().num_beams(0)),
        ("num_return_sequences", request().num_return_sequences(0)),
        ("best_of", request().temperature(1.0).best_of(0)),
        ("temperature", request().temperature(0.0)),
        ("top_k", request().temperature(1.0).top_k(0)),
        ("top_p", request().temperature(1.0).top_p(0.0)),
        ("typical_p", request().temperature(1.0).typical_p(0.0)),
        ("repetition_penalty", request().repetition_penalty(0.0)),
    ] {
        match request.run() {
            Err(Error::Argument(message)) => assert_eq!(message, format!("{name} is 0")),
            outcome => panic!("{name}: {outcome:?}"),
        }
    }
    std::thread::scope(|scope| {
        let tokens: Vec<_> = request().max_new_tokens(0).stream(scope).collect();
        assert!(matches!(tokens[..], [Err(Error::Argument(_))]), "{tokens:?}");
    });
    let none = request().min_new_tokens(0).no_repeat_ngram_size(0).prompt_lookup_num_tokens(0);
    let none = none.top_logprobs(0).presence_penalty(0.0).frequency_penalty(0.0).threads(0).run().unwrap();
    assert_eq!(none.token_ids(0), request().run().unwrap().token_ids(0));
    request().temperature(1.0).min_p(0.0).run().unwrap();

    let wrong = |outcome: Result<()>| assert!(matches!(outcome, Err(Error::Argument(_))), "{outcome:?}");
    let to = scratch("zero");
    wrong(Save::new().max_shard_size(0).run(source("examples/tiny/model"), to));
    wrong(CacheOptions::new().rows(0).create(&model).map(drop));
    let picture = source("examples/pictures/shapes.png");
    wrong(ImageOptions::new().max_pixels(0).open(picture).map(drop));
    wrong(Constraint::detect(&processor, &ConstraintOptions::new().max_label_tokens(0)).map(drop));
    let found = Detections::parse("<loc0000><loc0000><loc0512><loc0512> cat").unwrap();
    let mut image = Image::from_rgb(&[0; 12], 2, 2).unwrap();
    wrong(found.draw(&mut image, &DrawOptions::new().thickness(0)));
    wrong(found.draw(&mut image, &DrawOptions::new().text_scale(0)));
}
