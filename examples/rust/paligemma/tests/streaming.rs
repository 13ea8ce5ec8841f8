// SPDX-License-Identifier: BSD-2-Clause
//! Tokens as they come: through closures and through the iterator; stopping, cancelling, panicking.
mod common;
use common::{prompt, source, tiny};
use paligemma::{CancelToken, Error, FinishReason, Model, ModelOptions, Next};
use std::ops::ControlFlow;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Long enough that it only ends in time if it is stopped.
const ENDLESS: usize = 100_000;

#[test]
fn closures_get_the_tokens() {
    let (model, processor) = tiny();
    let inputs = prompt(&processor, "caption en");
    let (mut ids, mut text, mut stages) = (Vec::new(), String::new(), Vec::new());
    let answer = model
        .generate(&inputs)
        .on_token(|token| {
            ids.push(token.id);
            text += &token.to_string();
        })
        .progress(|stage: &str, fraction: f64| {
            assert!((0.0..=1.0).contains(&fraction));
            if stages.last().map(String::as_str) != Some(stage) {
                stages.push(stage.to_owned());
            }
        })
        .run()
        .unwrap();
    assert_eq!(ids, answer.token_ids(0));
    assert_eq!(Some(text.as_str()), answer.text(0));
    assert_eq!(stages, ["image", "prefill"]);
}

#[test]
fn the_iterator_gives_the_same_tokens() {
    let (model, processor) = tiny();
    let inputs = prompt(&processor, "caption en");
    let expected = model.generate(&inputs).run().unwrap();
    let mut seen = 0;
    thread::scope(|scope| {
        let mut tokens = model.generate(&inputs).on_token(|_| seen += 1).stream(scope);
        let ids: Vec<i64> = tokens.by_ref().map(|token| token.unwrap().id).collect();
        assert_eq!(ids, expected.token_ids(0));
        assert!(tokens.next().is_none());
        assert_eq!(tokens.finish().unwrap().text(0), expected.text(0));
    });
    assert_eq!(seen, expected.token_ids(0).len());
    thread::scope(|scope| {
        let answer = model.generate(&inputs).stream(scope).finish().unwrap();
        assert_eq!(answer.token_ids(0), expected.token_ids(0));
        let texts = model.generate(&inputs).stream(scope).map(|token| token.unwrap().to_string());
        assert_eq!(Some(texts.collect::<String>().as_str()), expected.text(0));
    });
}

#[test]
fn a_dropped_iterator_stops_and_joins() {
    let (model, processor) = tiny();
    let inputs = prompt(&processor, "caption en");
    let ended = AtomicBool::new(false);
    struct Mark<'a>(&'a AtomicBool);
    impl Drop for Mark<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    thread::scope(|scope| {
        // The closure goes with the request, which the thread drops at its end.
        let mark = Mark(&ended);
        let request = model.generate(&inputs).max_new_tokens(ENDLESS).eos_token_ids(&[]);
        let tokens = request
            .on_token(move |_| {
                let mark = &mark; // all of it, not only the reference in it
                assert!(!mark.0.load(Ordering::SeqCst));
            })
            .stream(scope);
        assert_eq!(tokens.take(2).count(), 2);
        assert!(ended.load(Ordering::SeqCst), "the iterator has gone, its thread has not");
    });
}

#[test]
fn stop_keeps_what_there_is() {
    let (model, processor) = tiny();
    let inputs = prompt(&processor, "caption en");
    thread::scope(|scope| {
        let mut tokens = model.generate(&inputs).max_new_tokens(ENDLESS).eos_token_ids(&[]).stream(scope);
        let mut ids = vec![tokens.next().unwrap().unwrap().id];
        tokens.stop();
        ids.extend(tokens.by_ref().map(|token| token.unwrap().id));
        let answer = tokens.finish().unwrap();
        assert_eq!(answer.finish_reason(0), Some(FinishReason::Cancelled));
        assert_eq!(answer.token_ids(0), ids);
    });
}

#[test]
fn the_iterator_ends_with_the_error() {
    let (model, processor) = tiny();
    let inputs = prompt(&processor, "caption en");
    thread::scope(|scope| {
        let mut tokens = model.generate(&inputs).top_k(3).greedy().stream(scope);
        assert!(matches!(tokens.next(), Some(Err(Error::Argument(_)))));
        assert!(tokens.next().is_none() && tokens.next().is_none());
        assert!(matches!(tokens.finish(), Err(Error::Argument(_))));
    });
}

#[test]
fn break_stops() {
    let (model, processor) = tiny();
    let inputs = prompt(&processor, "caption en");
    let mut left = 3;
    let answer = model
        .generate(&inputs)
        .on_token(|_| {
            left -= 1;
            if left == 0 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })
        .run()
        .unwrap();
    assert_eq!(answer.token_ids(0).len(), 3);
    assert_eq!(answer.finish_reason(0), Some(FinishReason::Cancelled));

    let stopped = model.generate(&inputs).progress(|_, _| ControlFlow::Break(())).run();
    assert!(matches!(stopped, Err(Error::Cancelled(_))), "{stopped:?}");
    let stopped =
        ModelOptions::new().progress(|_, _| ControlFlow::Break(())).load(source("examples/tiny/model"));
    assert!(matches!(stopped, Err(Error::Cancelled(_))), "{stopped:?}");
    let stopped = model.forward(&inputs).progress(|_, _| ControlFlow::Break(())).run();
    assert!(matches!(stopped, Err(Error::Cancelled(_))), "{stopped:?}");
}

#[test]
fn one_answer_of_a_batch_ends() {
    let (model, processor) = tiny();
    let image = common::shapes();
    let texts = ["caption en", "caption en"];
    let inputs = processor.apply_batch(&[&image, &image], &texts, &Default::default()).unwrap();
    let whole = model.generate(&inputs).run().unwrap();
    let mut left = 3;
    let answers = model
        .generate(&inputs)
        .on_token(|token| {
            left -= i32::from(token.row == 0);
            if token.row == 0 && left == 0 {
                Next::EndAnswer
            } else {
                Next::Continue
            }
        })
        .run()
        .unwrap();
    assert_eq!(answers.token_ids(0), &whole.token_ids(0)[..3]);
    assert_eq!(answers.finish_reason(0), Some(FinishReason::Cancelled));
    assert_eq!(answers.token_ids(1), whole.token_ids(1));
    assert_eq!(answers.finish_reason(1), Some(FinishReason::Eos));
}

#[test]
fn another_thread_cancels() {
    let (model, processor) = tiny();
    let inputs = prompt(&processor, "caption en");
    let cancel = CancelToken::new();
    let begun = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !begun.load(Ordering::SeqCst) {
                thread::yield_now();
            }
            cancel.clone().cancel();
        });
        let request = model.generate(&inputs).max_new_tokens(ENDLESS).eos_token_ids(&[]).cancel(&cancel);
        let answer = request.on_token(|_| begun.store(true, Ordering::SeqCst)).run().unwrap();
        assert_eq!(answer.finish_reason(0), Some(FinishReason::Cancelled));
        assert!(answer.token_ids(0).len() < ENDLESS);
    });
    assert!(cancel.is_cancelled());
    assert!(matches!(model.generate(&inputs).cancel(&cancel).run(), Err(Error::Cancelled(_))));
    assert!(matches!(model.score(&inputs, &["yes"]).cancel(&cancel).run(), Err(Error::Cancelled(_))));
    assert!(matches!(model.embed(&inputs).cancel(&cancel).run(), Err(Error::Cancelled(_))));
    let pixels = inputs.get("pixel_values").unwrap();
    assert!(matches!(model.image_features(pixels).cancel(&cancel).run(), Err(Error::Cancelled(_))));
}

/// The panic's message, out of what the call panics with.
fn panic_of<T>(call: impl FnOnce() -> T) -> String {
    let panic = catch_unwind(AssertUnwindSafe(call)).err().expect("a panic");
    (*panic.downcast_ref::<&str>().expect("a message")).to_owned()
}

#[test]
#[allow(clippy::unused_unit)] // the closures never return, but their type must say what
fn panics_pass_through() {
    let (model, processor) = tiny();
    let inputs = prompt(&processor, "caption en");
    let boom = |_: paligemma::Token| -> () { panic!("in on_token") };
    assert_eq!(panic_of(|| model.generate(&inputs).on_token(boom).run()), "in on_token");
    let boom = |_: &str, _: f64| -> () { panic!("in progress") };
    assert_eq!(panic_of(|| model.generate(&inputs).progress(boom).run()), "in progress");
    assert_eq!(panic_of(|| model.forward(&inputs).progress(boom).run()), "in progress");
    assert_eq!(
        panic_of(|| ModelOptions::new().progress(boom).load(source("examples/tiny/model"))),
        "in progress"
    );
    let boom = |_: usize, _: &[i64], _: &mut [u8]| -> () { panic!("in token_mask") };
    assert_eq!(panic_of(|| model.generate(&inputs).token_mask(boom).run()), "in token_mask");
    let streamed = |model: &Model, reads: bool| {
        let boom = |_: paligemma::Token| -> () { panic!("in the thread") };
        thread::scope(|scope| {
            let tokens = model.generate(&inputs).on_token(boom).stream(scope);
            if reads {
                assert!(tokens.count() < ENDLESS);
            }
        })
    };
    assert_eq!(panic_of(|| streamed(&model, true)), "in the thread");
    // The model is as good as before.
    let answer = model.generate(&inputs).run().unwrap();
    assert!(answer.text(0).unwrap().contains("square"));
}
