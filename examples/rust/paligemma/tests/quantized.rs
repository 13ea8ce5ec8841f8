// SPDX-License-Identifier: BSD-2-Clause
//! Quantized checkpoints, the head and caches in int8, and the memory that is forecast.
mod common;
use common::{prompt, scratch, source, tiny};
use paligemma::*;
use std::fs;
use std::path::PathBuf;

const TINY: &str = "examples/tiny/model";

/// A folder that is not there yet.
fn fresh(name: &str) -> PathBuf {
    let path = scratch(name);
    let _ = fs::remove_dir_all(&path);
    path
}

fn logits(model: &Model, inputs: &Inputs) -> Vec<f32> {
    let outputs = model.forward(inputs).run().unwrap();
    outputs.get("logits").unwrap().as_slice::<f32>().unwrap().to_vec()
}

fn far(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn int8_answers_as_the_model_does() {
    let (model, processor) = tiny();
    let inputs = prompt(&processor, "answer en how many shapes are there?");
    let to = fresh("int8");
    let mut last = 0.0;
    let write = Quantize::new().progress(|stage, fraction| {
        assert!(stage == "quantize" && last <= fraction && fraction <= 1.0, "{stage} {fraction}");
        last = fraction;
    });
    write.run(source(TINY), &to).unwrap();
    assert_eq!(last, 1.0);
    let quantized = Model::load(&to).unwrap();
    let (got, want) = (quantized.generate(&inputs).run().unwrap(), model.generate(&inputs).run().unwrap());
    assert_eq!(got.text(0), want.text(0));
    assert!(matches!(Quantize::new().run(source(TINY), &to), Err(Error::Argument(_))));
    assert!(matches!(Quantize::new().run(&to, fresh("twice")), Err(Error::Unsupported(_))));
    fs::remove_dir_all(to).unwrap();
}

#[test]
fn int4_with_options() {
    let (_, processor) = tiny();
    let inputs = [prompt(&processor, "caption en"), prompt(&processor, "detect circle")];
    let to = fresh("int4");
    let mut stages: Vec<String> = Vec::new();
    Quantize::new()
        .scheme(QuantizationScheme::Int4WeightOnly)
        .group_size(32)
        .zero_points(true)
        .parts([QuantizationPart::Decoder, QuantizationPart::Vision])
        .calibration(&inputs)
        .threads(1)
        .progress(|stage, _| {
            if stages.last().map(String::as_str) != Some(stage) {
                stages.push(stage.to_owned());
            }
        })
        .run(source(TINY), &to)
        .unwrap();
    assert_eq!(stages, ["calibrate", "quantize"]);
    let checkpoint = Checkpoint::open(&to).unwrap();
    assert!(checkpoint.iter().any(|(name, _)| name.ends_with(".weight_zero_point")));
    assert!(checkpoint.iter().any(|(name, _)| name.contains("vision") && name.ends_with(".weight_scale")));
    let answer = Model::load(&to).unwrap().generate(&inputs[0]).run().unwrap();
    assert!(!answer.text(0).unwrap().is_empty());
    fs::remove_dir_all(to).unwrap();
    assert_eq!(QuantizationScheme::Int8Dynamic.to_string(), "int8_dynamic_activation_int8_weight");
}

#[test]
fn wrong_options() {
    let to = fresh("wrong");
    let int4 = || Quantize::new().scheme(QuantizationScheme::Int4WeightOnly);
    for wrong in [
        int4().group_size(0),
        int4().group_size(7),
        Quantize::new().parts([]),
        Quantize::new().max_shard_size(0),
    ] {
        assert!(matches!(wrong.run(source(TINY), &to), Err(Error::Argument(_))));
    }
    assert!(!to.exists());
}

#[test]
fn cancelled() {
    let to = fresh("cancelled").join("out");
    fs::create_dir(to.parent().unwrap()).unwrap();
    let token = CancelToken::new();
    let write = Quantize::new().cancel(&token).progress(|_, _| token.cancel());
    assert!(matches!(write.run(source(TINY), &to), Err(Error::Cancelled(_))));
    assert_eq!(fs::read_dir(to.parent().unwrap()).unwrap().count(), 0);
}

#[test]
fn head_in_int8() {
    let (model, processor) = tiny();
    let inputs = prompt(&processor, "caption en");
    let want = logits(&model, &inputs);
    let load = |head| ModelOptions::new().int8_head(head).ignore_memory(true).load(source(TINY)).unwrap();
    let off = far(&logits(&load(true), &inputs), &want);
    assert!(off > 0.0 && off < 1.0, "{off}");
    assert_eq!(logits(&load(false), &inputs), want);
}

#[test]
fn cache_in_int8() {
    let (model, processor) = tiny();
    let inputs = prompt(&processor, "caption en");
    let whole = model.generate(&inputs).run().unwrap();
    let mut sizes = Vec::new();
    for dtype in [Dtype::Float32, Dtype::Int8] {
        let mut cache = CacheOptions::new().dtype(dtype).create(&model).unwrap();
        let answer = model.generate(&inputs).cache(&mut cache).run().unwrap();
        assert_eq!(answer.text(0), whole.text(0));
        sizes.push(cache.size_bytes());
    }
    assert!(5 * sizes[1] < 2 * sizes[0], "{sizes:?}");
}

#[test]
fn memory_is_forecast() {
    let forecast = |options: ModelOptions<'_>, tokens| options.forecast_memory(source(TINY), tokens).unwrap();
    let (short, long) = (forecast(ModelOptions::new(), 10), forecast(ModelOptions::new(), 1010));
    assert!(short.cache_per_token > 0);
    assert_eq!(long.cache - short.cache, 1000 * short.cache_per_token);
    let weights = short.weights_mapped + short.weights_copied;
    assert_eq!(short.total, weights + short.cache + short.vision.max(short.activations));
    assert!(forecast(ModelOptions::new().copy_weights(true), 10).weights_copied > short.weights_copied);
    assert!(forecast(ModelOptions::new().int8_head(true), 10).weights_copied > short.weights_copied);
    assert_ne!(short.available, Some(0));
    assert!(matches!(ModelOptions::new().forecast_memory("/nowhere", 1), Err(Error::Io(_))));
    assert!(matches!(ModelOptions::new().forecast_memory(source(TINY), usize::MAX), Err(Error::Argument(_))));
}
