// SPDX-License-Identifier: BSD-2-Clause
//! What the contract says about threads: in the types, and by running many threads on one model.
mod common;
use common::{prompt, shapes, tiny};
use paligemma::*;
use std::sync::Arc;
use std::thread;

fn send_and_sync<T: Send + Sync>() {}
fn send<T: Send>() {}

#[test]
fn what_is_immutable_is_shared() {
    send_and_sync::<(Model, Processor, Config, Checkpoint, Adapter, Constraint, ImageFeatures)>();
    send_and_sync::<(Generation, Scores, Outputs, Detections, MaskDecoder, AttentionMask, Comparison)>();
    send_and_sync::<(Image, Inputs, Prefix, CancelToken, Error, Tensor<'static>)>();
    send::<(
        Cache,
        Tokens<'static>,
        Generate<'static>,
        Forward<'static>,
        Score<'static>,
        ModelOptions<'static>,
    )>();
}

/// Compiles only if the type is not `Sync`: else both implementations would fit, and which is meant would be open.
macro_rules! not_sync {
    ($($type:ty),*) => { $({
        trait Ambiguous<Which> {
            fn chosen() {}
        }
        struct Sharable;
        impl<T: ?Sized> Ambiguous<()> for T {}
        impl<T: ?Sized + Sync> Ambiguous<Sharable> for T {}
        <$type as Ambiguous<_>>::chosen();
    })* };
}

#[test]
fn what_belongs_to_one_thread_is_not() {
    not_sync!(Cache, Tokens<'static>, Generate<'static>, Forward<'static>);
}

#[test]
fn many_threads_one_model() {
    let (model, processor) = tiny();
    let (model, processor) = (Arc::new(model), Arc::new(processor));
    let texts = ["caption en", "detect circle", "answer en how many shapes are there?", "detect blue square"];
    let expected: Vec<Vec<i64>> = texts
        .iter()
        .map(|text| model.generate(&prompt(&processor, text)).run().unwrap().token_ids(0).to_vec())
        .collect();
    let threads: Vec<_> = (0..16)
        .map(|i| {
            let (model, processor) = (Arc::clone(&model), Arc::clone(&processor));
            thread::spawn(move || {
                let text = texts[i % texts.len()];
                (i % texts.len(), model.generate(&prompt(&processor, text)).run().unwrap())
            })
        })
        .collect();
    drop((model, processor)); // the threads have them
    for thread in threads {
        let (i, answer) = thread.join().unwrap();
        assert_eq!(answer.token_ids(0), expected[i]);
    }
}

#[test]
fn one_prefix_many_threads() {
    let (model, processor) = tiny();
    // The picture and the beginning of the prompt once; the rest of it in each thread.
    let inputs = prompt(&processor, "caption en");
    let mut cache = Cache::new(&model).unwrap();
    model.forward(&inputs).cache(&mut cache).logits_to_keep(1).run().unwrap();
    let length = cache.length(0);
    assert_eq!(length, 68);
    let prefix = cache.into_prefix(&model).unwrap();
    let follow = |text: &str| {
        let mut cache = CacheOptions::new().prefix(&prefix).create(&model).unwrap();
        assert_eq!(cache.length(0), length);
        let next = processor.apply_continuation(text).unwrap();
        let answer = model.generate(&next).cache(&mut cache).max_new_tokens(4).run().unwrap();
        assert!(matches!(cache.truncate(length - 1), Err(Error::Limit(_))));
        answer.token_ids(0).to_vec()
    };
    let expected = follow("a red");
    thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| follow("a red"))).collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), expected);
        }
    });
    assert_eq!(prefix.length(), length);
}

#[test]
fn handles_keep_what_they_need() {
    let (model, processor) = tiny();
    let inputs = processor.apply(&[&shapes()], "caption en").unwrap();
    drop(processor);
    let mut cache = Cache::new(&model).unwrap();
    let features = model.image_features(inputs.get("pixel_values").unwrap()).run().unwrap();
    let answer = model.generate(&inputs).features(&features).cache(&mut cache).run().unwrap();
    drop((model, inputs));
    // On another thread, after their parents.
    let shape = thread::spawn(move || {
        cache.truncate(10).unwrap();
        assert_eq!(cache.length(0), 10);
        assert!(answer.text(0).unwrap().contains("square"));
        features.tensor().shape().to_vec()
    });
    assert_eq!(shape.join().unwrap(), [1, 64, 128]);
}
