// SPDX-License-Identifier: BSD-2-Clause
//! Below the answers: configuration, files, passes, caches, adapters, scores, embeddings, masks.
mod common;
use common::{load, prompt, scratch, shapes, source, tiny};
use paligemma::*;

fn values(tensor: Tensor<'_>) -> &[f32] {
    tensor.as_slice::<f32>().expect("float32")
}

fn far(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn configuration_and_files() {
    let (model, _) = tiny();
    let config = model.config();
    assert_eq!(config.int("text_config.hidden_size").unwrap(), 128);
    assert_eq!(config.string("model_type").unwrap(), "paligemma");
    assert!(config.float("vision_config.layer_norm_eps").unwrap() > 0.0);
    assert!(config.names().any(|name| name == "vision_config.patch_size"));
    assert_eq!((model.dtype(), model.embedding_dim()), (Some(Dtype::BFloat16), None));
    assert!(version().starts_with("0."));
    assert_eq!((Dtype::BFloat16.to_string().as_str(), Dtype::BFloat16.size()), ("bfloat16", 2));

    let checkpoint = Checkpoint::open(source("examples/tiny/model")).unwrap();
    assert_eq!(checkpoint.iter().count(), checkpoint.len());
    let (name, tensor) = checkpoint.iter().next().unwrap();
    assert!(name.contains('.') && tensor.dtype() == Some(Dtype::BFloat16));
    assert_eq!(tensor.as_bytes().len(), 2 * tensor.len());
    assert!(tensor.as_slice::<f32>().is_none());
    assert!(checkpoint.size_bytes() > 4_000_000 && checkpoint.tensor(checkpoint.len()).is_err());
    assert_eq!(checkpoint.compare(config).unwrap(), Mismatch::default());
    let other = Config::load(source("tests/data/models/pg1")).unwrap();
    assert!(!checkpoint.compare(&other).unwrap().missing.is_empty());
}

#[test]
fn processor() {
    let (_, processor) = tiny();
    let ids = processor.encode("detect red circle<loc0007>").unwrap();
    assert_eq!(processor.decode(&ids, true).unwrap(), "detect red circle<loc0007>");
    let rows: Vec<i64> = ids.iter().chain(&ids).copied().collect();
    assert_eq!(processor.batch_decode(&rows, ids.len(), false).unwrap(), ["detect red circle<loc0007>"; 2]);
    let image = shapes();
    let options = ApplyOptions::new().suffixes(["yes"]).pad_to(90).padding_side(PaddingSide::Right);
    let inputs = processor.apply_with(&[&image], "caption en", &options).unwrap();
    assert_eq!(inputs.get("input_ids").unwrap().shape(), [1, 90]);
    let labels = inputs.get("labels").unwrap().as_slice::<i64>().unwrap();
    assert!(labels.iter().any(|&id| id == processor.encode("yes").unwrap()[0]));
    let too_long = ApplyOptions::new().max_length(10);
    assert!(matches!(processor.apply_with(&[&image], "caption en", &too_long), Err(Error::Limit(_))));
    let two = processor
        .apply_with(&[&image, &image], "compare", &ApplyOptions::new().images_per_text([2]))
        .unwrap();
    assert_eq!(two.get("pixel_values").unwrap().shape(), [2, 3, 112, 112]);

    assert_eq!(processor.chat_template(None), None);
    let messages = r#"[{"role": "user", "content": "caption en"}]"#;
    let none = processor.apply_chat_template(messages, &ChatOptions::new());
    assert!(matches!(none, Err(Error::Format(_))));
    let template = "{% for message in messages %}{{ message.role }}: {{ message.content }}{% endfor %}";
    let text = processor.apply_chat_template(messages, &ChatOptions::new().template(template)).unwrap();
    assert_eq!(text, "user: caption en");
}

#[test]
fn inputs_are_named_tensors() {
    let mut inputs = Inputs::new().unwrap();
    inputs.set("a", Tensor::new(&[2, 3], &[1i32, 2, 3, 4, 5, 6]).unwrap()).unwrap();
    inputs.set("b", Tensor::new(&[], &[0.5f64]).unwrap()).unwrap();
    inputs.set("a", Tensor::new(&[1], &[7i64]).unwrap()).unwrap();
    assert_eq!(inputs.names().collect::<Vec<_>>(), ["a", "b"]);
    let path = scratch("inputs.safetensors");
    inputs.save(&path).unwrap();
    let back = Inputs::load(&path).unwrap();
    assert_eq!(back.get("a").unwrap().as_slice::<i64>(), Some(&[7][..]));
    let b = back.get("b").unwrap();
    assert_eq!((b.shape(), b.len(), b.as_slice::<f64>()), (&[][..], 1, Some(&[0.5][..])));
    assert!(b.as_slice::<f32>().is_none() && back.get("c").is_none());
    assert_eq!(format!("{:?}", back.get("a")), "Some(Tensor { dtype: Some(Int64), shape: [1] })");
}

#[test]
fn passes_match_transformers() {
    let (model, _) = load("tests/data/models/pg1");
    let inputs = Inputs::load(source("tests/data/models/pg1/basic.inputs.safetensors")).unwrap();
    let expected = Inputs::load(source("tests/data/models/pg1/basic.expected.safetensors")).unwrap();
    let outputs = model.forward(&inputs).run().unwrap();
    let (ours, theirs) = (outputs.get("logits").unwrap(), expected.get("logits").unwrap());
    assert_eq!(ours.shape(), theirs.shape());
    assert!(far(values(ours), values(theirs)) < 1e-4);

    let last = model.forward(&inputs).logits_to_keep(1).run().unwrap();
    let vocabulary = ours.shape()[2] as usize;
    let all = values(ours);
    assert!(far(values(last.get("logits").unwrap()), &all[all.len() - vocabulary..]) < 1e-5);
    let picked = model.forward(&inputs).logits_index(&[-1]).run().unwrap();
    assert_eq!(values(picked.get("logits").unwrap()), values(last.get("logits").unwrap()));

    let inside = model.forward(&inputs).output_hidden_states(true).output_attentions(true);
    let inside =
        inside.attention_layers(&[-1]).attention_heads(&[0]).output_vision_hidden_states(true).run().unwrap();
    let names: Vec<&str> = inside.names().collect();
    for name in ["hidden_states.2", "attentions.1", "vision_hidden_states.0", "image_hidden_states"] {
        assert!(names.contains(&name), "{name} {names:?}");
    }
    assert!(!names.contains(&"attentions.0"));

    let (a, b) = (scratch("a.safetensors"), scratch("b.safetensors"));
    outputs.save(&a).unwrap();
    last.save(&b).unwrap();
    let (a, b) = (Inputs::load(a).unwrap(), Inputs::load(b).unwrap());
    assert_eq!(Comparison::new(&a, &a, 0.0, 0.0).unwrap().first(), None);
    let comparison = Comparison::new(&a, &b, 1e-4, 1e-4).unwrap();
    let first = comparison.first().unwrap();
    assert_eq!((first.name, first.kind), ("logits", DifferenceKind::Shape));
    assert_eq!(comparison.iter().count(), comparison.len());
}

#[test]
fn a_cache_goes_on() {
    let (model, processor) = tiny();
    let inputs = prompt(&processor, "caption en");
    let whole = model.generate(&inputs).run().unwrap();
    let mut cache = CacheOptions::new().capacity(100).create(&model).unwrap();
    let begun = model.generate(&inputs).cache(&mut cache).max_new_tokens(3).run().unwrap();
    assert_eq!((cache.rows(), cache.length(0), cache.length(1)), (1, 70, 0));
    assert!(cache.size_bytes() > 0);

    let path = scratch("cache.safetensors");
    cache.save(&path).unwrap();
    let mut loaded = Cache::load(&model, &path).unwrap();
    let mut fork = cache.fork().unwrap();
    let token = Tensor::new(&[1, 1], &begun.token_ids(0)[2..]).unwrap();
    let mut next = Inputs::new().unwrap();
    next.set("input_ids", token).unwrap();
    let mut known = processor.inputs().unwrap();
    known.set("input_ids", token).unwrap();
    let rest = model.generate(&known).cache(&mut cache.fork().unwrap()).run().unwrap();
    assert!(whole.text(0).unwrap().ends_with(rest.text(0).unwrap().trim()));
    for cache in [&mut cache, &mut fork, &mut loaded] {
        let rest = model.generate(&next).cache(cache).run().unwrap();
        assert_eq!(rest.token_ids(0), &whole.token_ids(0)[3..]);
        assert_eq!(rest.text(0), None); // these inputs know no processor
    }
    cache.truncate(68).unwrap();
    cache.reorder(&[0, 0]).unwrap();
    assert_eq!((cache.rows(), cache.length(1)), (2, 68));
    assert!(matches!(cache.reorder(&[2]), Err(Error::Argument(_))));
    cache.reset();
    assert_eq!(cache.length(0), 0);
}

#[test]
fn features_serve_many_passes() {
    let (model, processor) = tiny();
    let inputs = prompt(&processor, "detect circle");
    let expected = model.generate(&inputs).run().unwrap();
    let features = model.image_features(inputs.get("pixel_values").unwrap()).run().unwrap();
    let again = ImageFeatures::from_tensor(&model, features.tensor(), false).unwrap();
    for features in [&features, &again] {
        let answer = model.generate(&inputs).features(features).run().unwrap();
        assert_eq!(answer.token_ids(0), expected.token_ids(0));
    }
    let wrong = Tensor::new(&[1, 2], &[0f32; 2]).unwrap();
    assert!(matches!(ImageFeatures::from_tensor(&model, wrong, true), Err(Error::Shape(_))));
}

#[test]
fn scores_rank_answers() {
    let (model, processor) = tiny();
    let inputs = prompt(&processor, "answer en how many shapes are there?");
    let scores = model.score(&inputs, &["0", "1", "2", "3"]).run().unwrap();
    assert_eq!((scores.len(), scores.ranking(ScoreOrder::Total)[0]), (4, 3));
    assert_eq!(scores.ranking(ScoreOrder::Mean).len(), 4);
    let (ids, logprobs) = (scores.token_ids(3), scores.token_logprobs(3));
    assert_eq!(ids.len(), 2);
    assert!((f64::from(logprobs.iter().sum::<f32>()) - scores.total(3).unwrap()).abs() < 1e-5);
    assert!((scores.mean(3).unwrap() - scores.total(3).unwrap() / 2.0).abs() < 1e-9);
    assert!(scores.total(4).is_none() && scores.token_ids(4).is_empty());
    let same = model.score_tokens(&inputs, &[ids]).run().unwrap();
    assert!((same.total(0).unwrap() - scores.total(3).unwrap()).abs() < 1e-5);
    let begun = model.score(&inputs, &["3"]).without_eos(true).run().unwrap();
    assert_eq!(begun.token_ids(0).len(), 1);
    assert!(matches!(model.score(&inputs, &[] as &[&str]).run(), Err(Error::Argument(_))));
}

#[test]
fn adapters_from_call_to_call() {
    let (model, _) = load("tests/data/models/pg1");
    let path = source("tests/data/adapters/pg1-all");
    let adapter = Adapter::load(&model, &path).unwrap();
    assert!(adapter.count() > 0 && adapter.rank() > 0);
    let inputs = Inputs::load(source("tests/data/models/pg1/basic.inputs.safetensors")).unwrap();
    let expected = Inputs::load(path.join("basic.expected.safetensors")).unwrap();
    let outputs = model.forward(&inputs).adapter(&adapter, 1.0).run().unwrap();
    let expected = values(expected.get("logits").unwrap());
    assert!(far(values(outputs.get("logits").unwrap()), expected) < 1e-4);
    let plain = model.forward(&inputs).run().unwrap();
    assert!(far(values(plain.get("logits").unwrap()), expected) > 1e-3);

    let directory = source("tests/data/models/pg1");
    let merged = ModelOptions::new().threads(1).adapter(&path, 1.0).load(&directory).unwrap();
    let outputs = merged.forward(&inputs).run().unwrap();
    assert!(far(values(outputs.get("logits").unwrap()), expected) < 1e-4);

    let saved = scratch("merged");
    let _ = std::fs::remove_dir_all(&saved);
    let mut last = 0.0;
    let progress = |stage: &str, fraction: f64| {
        assert_eq!(stage, "save");
        last = fraction;
    };
    Save::new()
        .adapter(&path, 1.0)
        .name_style(NameStyle::Transformers5)
        .progress(progress)
        .run(&directory, &saved)
        .unwrap();
    assert_eq!(last, 1.0);
    let saved = ModelOptions::new().threads(1).load(&saved).unwrap();
    let outputs = saved.forward(&inputs).run().unwrap();
    assert!(far(values(outputs.get("logits").unwrap()), expected) < 1e-4);
}

#[test]
fn embeddings_find_pages() {
    let (model, processor) = load("tests/data/colpali/hf");
    assert_eq!(model.embedding_dim(), Some(12));
    let image = shapes();
    let options = ApplyOptions::new();
    let pages = model.embed(&processor.apply_pages(&[&image, &image], &options).unwrap()).run().unwrap();
    let queries = model.embed(&processor.apply_queries(&["the cat"], &options).unwrap()).run().unwrap();
    let (pages, queries) = (pages.get("embeddings").unwrap(), queries.get("embeddings").unwrap());
    assert_eq!((pages.shape()[0], pages.shape()[2]), (2, 12));
    let first = &values(pages)[..12];
    assert!((first.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-5);
    let scores = max_sim(queries, pages).unwrap();
    assert_eq!(scores.len(), 2);
    assert!(scores[0] == scores[1] && scores[0] > 0.0);
    let texts = processor.apply_queries(&["the cat"], &options).unwrap();
    let mean =
        model.embed(&texts).pooling(Pooling::Mean).skip_projection(true).normalize(true).run().unwrap();
    assert_eq!(mean.get("embeddings").unwrap().shape(), [1, 32]);
}

#[test]
fn who_sees_whom() {
    let (model, processor) = tiny();
    let inputs = prompt(&processor, "caption en");
    let mask = AttentionMask::new(model.config(), &inputs, None, 0).unwrap();
    let layer = mask.layer(0).unwrap();
    assert_eq!(layer.shape(), [1, 68, 68]);
    assert!(layer.as_slice::<u8>().unwrap().iter().all(|&seen| seen == 1)); // all is prefix
    assert!(mask.layer(99).is_none() && mask.window(0).is_none());
    assert!(mask.text(&MaskTextOptions::new().tokens_per_image(3)).unwrap().contains('■'));
    assert_eq!(mask.image(0, 0, 2).unwrap().width(), 136);

    let outputs = model.forward(&inputs).output_attentions(true).logits_to_keep(1).run().unwrap();
    let options = HeatMapOptions::new().query(-1).layers(&[0, 1]);
    let map = HeatMap::new(model.config(), &inputs, &outputs, &options).unwrap();
    assert_eq!((map.grid, map.values.len()), (8, 64));
    let share: f32 = map.values.iter().sum();
    assert!(0.0 < share && share <= 1.0, "{share}");
    shapes().draw_map(&map.values, map.grid, 0.5).unwrap();
    let wrong = HeatMapOptions::new().layers(&[77]);
    assert!(matches!(HeatMap::new(model.config(), &inputs, &outputs, &wrong), Err(Error::Argument(_))));
}

#[test]
fn threads_and_copied_weights_change_nothing() {
    let (model, processor) = tiny();
    let copied =
        ModelOptions::new().copy_weights(true).threads(2).load(source("examples/tiny/model")).unwrap();
    let inputs = prompt(&processor, "caption en");
    let pixels = inputs.get("pixel_values").unwrap();
    let expected = model.generate(&inputs).run().unwrap();
    for model in [&model, &copied] {
        let features = model.image_features(pixels).threads(2).run().unwrap();
        let answer = model.generate(&inputs).threads(2).features(&features).run().unwrap();
        assert_eq!(answer.token_ids(0), expected.token_ids(0));
    }
    let logits = |threads| model.forward(&inputs).threads(threads).run().unwrap();
    let (one, two) = (logits(1), logits(2));
    assert_eq!(values(one.get("logits").unwrap()), values(two.get("logits").unwrap()));
    let scores = |threads| model.score(&inputs, &["yes"]).threads(threads).run().unwrap().total(0).unwrap();
    assert_eq!(scores(1), scores(2));
    let embedded = |threads| model.embed(&inputs).threads(threads).run().unwrap();
    let (one, two) = (embedded(1), embedded(2));
    assert_eq!(values(one.get("embeddings").unwrap()), values(two.get("embeddings").unwrap()));
}

#[test]
fn the_machine() {
    let (model, _) = tiny();
    let machine = Machine::measure(&model, 68).unwrap();
    assert!(machine.threads == 1 && machine.read_bytes_per_s > 0.0 && machine.decoder_flops_per_s > 0.0);
    assert!(!machine.instruction_set.is_empty());
}
