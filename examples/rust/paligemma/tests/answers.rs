// SPDX-License-Identifier: BSD-2-Clause
//! The answers are the command's, and those that Transformers gave for the demonstration model's pictures.
mod common;
use common::{prompt, shapes, source, tiny};
use paligemma::{
    Constraint, ConstraintOptions, Detections, EarlyStopping, Error, FinishReason, Generate, Image,
};
use std::env;
use std::fs;
use std::process::Command;

/// The list of numbers behind `"key": [` in JSON.
fn numbers<T: std::str::FromStr>(json: &str, key: &str) -> Vec<T> {
    let begin = json.find(&format!("\"{key}\": [")).expect(key) + key.len() + 5;
    let end = begin + json[begin..].find(']').unwrap();
    json[begin..end].split(',').map(|x| x.trim().parse().ok().expect("a number")).collect()
}

/// The text behind `"key": "` in JSON, without escapes.
fn string<'a>(json: &'a str, key: &str) -> &'a str {
    let begin = json.find(&format!("\"{key}\": \"")).expect(key) + key.len() + 5;
    &json[begin..begin + json[begin..].find('"').unwrap()]
}

fn command(text: &str, options: &[&str]) -> String {
    let program = env::var("PALI_COMMAND").unwrap_or_else(|_| "paligemma".into());
    let output = Command::new(&program)
        .args(["generate", "--json", "-m"])
        .arg(source("examples/tiny/model"))
        .arg("-i")
        .arg(source("examples/pictures/shapes.png"))
        .args(["-p", text])
        .args(options)
        .output()
        .unwrap_or_else(|error| panic!("the command {program} (PALI_COMMAND names another): {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn same_as_command(text: &str, options: &[&str], request: impl FnOnce(Generate<'_>) -> Generate<'_>) {
    let (model, processor) = tiny();
    let inputs = prompt(&processor, text);
    let answer = request(model.generate(&inputs)).run().unwrap();
    let json = command(text, options);
    assert_eq!(answer.token_ids(0), numbers::<i64>(&json, "token_ids"), "{text} {options:?}");
    assert_eq!(answer.text(0).unwrap(), string(&json, "text"));
}

#[test]
fn tokens_are_those_of_the_command() {
    same_as_command("caption en", &[], |request| request);
    same_as_command("detect circle", &[], |request| request);
    same_as_command("answer en how many shapes are there?", &["--max-new-tokens", "3"], |request| {
        request.max_new_tokens(3)
    });
    let sampled = ["--temperature", "3", "--top-k", "20", "--seed", "7"];
    same_as_command("caption en", &sampled, |request| request.temperature(3.0).top_k(20).seed(7));
    same_as_command("caption en", &["--num-beams", "3"], |request| request.num_beams(3));
}

#[test]
fn tokens_are_those_of_the_oracle() {
    let (model, processor) = tiny();
    let expected = fs::read_to_string(source("tests/data/tiny/expected.json")).unwrap();
    let entries: Vec<&str> = expected.lines().filter(|line| line.contains("\"image\"")).take(30).collect();
    assert_eq!(entries.len(), 30);
    for entry in entries {
        let image = Image::open(source("tests/data/tiny").join(string(entry, "image"))).unwrap();
        let inputs = processor.apply(&[&image], string(entry, "prompt")).unwrap();
        let answer = model.generate(&inputs).max_new_tokens(40).run().unwrap();
        assert_eq!(answer.token_ids(0), numbers::<i64>(entry, "token_ids"), "{entry}");
        assert_eq!(answer.text(0), Some(string(entry, "text")));
        assert_eq!(answer.finish_reason(0), Some(FinishReason::Eos));
    }
}

#[test]
fn batches_answer_as_rows_alone() {
    let (model, processor) = tiny();
    let image = shapes();
    let texts = ["caption en", "detect circle"];
    let batch = processor.apply_batch(&[&image, &image], &texts, &Default::default()).unwrap();
    let both = model.generate(&batch).run().unwrap();
    assert_eq!(both.rows(), 2);
    for (row, text) in texts.iter().enumerate() {
        let alone = model.generate(&prompt(&processor, text)).run().unwrap();
        assert_eq!(both.token_ids(row), alone.token_ids(0));
    }
    assert_eq!(both.texts().count(), 2);
    assert!(both.text(2).is_none() && both.token_ids(2).is_empty() && both.finish_reason(2).is_none());
}

#[test]
fn log_probabilities_and_alternatives() {
    let (model, processor) = tiny();
    let inputs = prompt(&processor, "caption en");
    let answer = model.generate(&inputs).logprobs(true).top_logprobs(3).run().unwrap();
    let json = command("caption en", &["--logprobs"]);
    let (ours, theirs) = (answer.logprobs(0).unwrap(), numbers::<f64>(&json, "logprobs"));
    assert_eq!(ours.len(), theirs.len());
    assert!(ours.iter().zip(&theirs).all(|(a, b)| (a - b).abs() < 1e-6), "{ours:?} {theirs:?}");
    for (i, (id, logprob)) in answer.token_ids(0).iter().zip(ours).enumerate() {
        let best = answer.top_logprobs(0, i);
        assert_eq!((best.len(), best[0].id), (3, *id));
        assert_eq!(best[0].logprob, *logprob);
    }
    assert!(answer.top_logprobs(0, 99).is_empty());
    assert!((answer.score(0).unwrap() - ours.iter().sum::<f64>() / ours.len() as f64).abs() < 1e-12);
    let timing = answer.timing().unwrap();
    assert_eq!((timing.prompt_tokens, timing.decode_tokens), (68, ours.len() - 1));
    assert_eq!(answer.passes(), ours.len() - 1);
    assert!(model.generate(&inputs).run().unwrap().logprobs(0).is_none());
}

#[test]
fn several_answers() {
    let (model, processor) = tiny();
    let inputs = prompt(&processor, "caption en");
    let beams = model.generate(&inputs).num_beams(4).num_return_sequences(3);
    let beams = beams.early_stopping(EarlyStopping::Never).length_penalty(0.5).run().unwrap();
    assert_eq!(beams.rows(), 3);
    assert!(beams.score(0) >= beams.score(1) && beams.score(1) >= beams.score(2));
    let samples =
        model.generate(&inputs).temperature(2.0).seed(1).best_of(4).num_return_sequences(2).run().unwrap();
    assert!(samples.rows() == 2 && samples.score(0) >= samples.score(1));
}

#[test]
fn logits_are_changed_as_asked() {
    let (model, processor) = tiny();
    let inputs = prompt(&processor, "caption en");
    let ids = |request: Generate<'_>| request.run().unwrap().token_ids(0).to_vec();
    let plain = ids(model.generate(&inputs));
    assert!(!ids(model.generate(&inputs).bad_word(&[plain[1]])).contains(&plain[1]));
    assert!(!ids(model.generate(&inputs).logit_bias(plain[0], f32::NEG_INFINITY)).contains(&plain[0]));
    let word = processor.encode("yes").unwrap();
    let forced = ids(model.generate(&inputs).force_word(&word));
    assert!(forced.windows(word.len()).any(|window| window == word));
    let once = ids(model.generate(&inputs).no_repeat_ngram_size(1).max_new_tokens(8));
    assert!((1..once.len()).all(|i| !once[..i].contains(&once[i])));
    assert_eq!(ids(model.generate(&inputs).prompt_lookup_num_tokens(4)), plain);
    assert_eq!(ids(model.generate(&inputs).greedy().no_repeat_ngram_size(None).min_new_tokens(None)), plain);
    assert_eq!(ids(model.generate(&inputs).eos_token_ids(&[]).max_new_tokens(30)).len(), 30);
    assert_eq!(ids(model.generate(&inputs).eos_token_ids(&[plain[2]])), plain[..3]);
    let stopped = model.generate(&inputs).stop_string("square").run().unwrap();
    assert_eq!(stopped.finish_reason(0), Some(FinishReason::StopString));
    assert!(stopped.text(0).unwrap().ends_with("square"));
    let length = model.generate(&inputs).max_new_tokens(2).run().unwrap();
    assert_eq!(length.finish_reason(0), Some(FinishReason::Length));
}

#[test]
fn constrained_answers() {
    let (model, processor) = tiny();
    let inputs = prompt(&processor, "caption en");
    let choices = ["a dog", "a red circle", "two cats"];
    let constraint = Constraint::choices(&processor, &choices).unwrap();
    let answer = model.generate(&inputs).constraint(&constraint).run().unwrap();
    assert!(choices.contains(&answer.text(0).unwrap()));
    assert_eq!(answer.finish_reason(0), Some(FinishReason::Constraint));

    let options = ConstraintOptions::new().labels(["thing"]).max_objects(2);
    let detect = Constraint::detect(&processor, &options).unwrap();
    let answer = model.generate(&inputs).constraint(&detect).max_new_tokens(40).run().unwrap();
    let found = Detections::parse(answer.text(0).unwrap()).unwrap();
    assert!((1..=2).contains(&found.len()) && found.iter().all(|object| object.label == "thing"));

    let segment = Constraint::segment(&processor, &options).unwrap();
    let answer = model.generate(&inputs).constraint(&segment).max_new_tokens(80).run().unwrap();
    assert!(Detections::parse(answer.text(0).unwrap()).unwrap().get(0).unwrap().seg.is_some());

    let bad = Constraint::detect(&processor, &ConstraintOptions::new().labels(["a;b"]));
    assert!(matches!(bad, Err(Error::Argument(_))));
}

#[test]
fn a_token_mask_of_ones_own() {
    let (model, processor) = tiny();
    let inputs = prompt(&processor, "caption en");
    let word = processor.encode("a red circle").unwrap();
    let answer = model
        .generate(&inputs)
        .token_mask(|row, ids: &[i64], allowed: &mut [u8]| {
            assert_eq!(row, 0);
            allowed[word.get(ids.len()).map_or(1, |&id| id as usize)] = 1;
        })
        .run()
        .unwrap();
    assert_eq!(answer.text(0), Some("a red circle"));
}
