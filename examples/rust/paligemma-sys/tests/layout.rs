// SPDX-License-Identifier: BSD-2-Clause
//! The checked-in bindings against the installed headers: sizes and offsets as a C compiler has them, the values of
//! all constants, and the exported symbols.
use paligemma_sys::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::mem::{align_of, size_of, MaybeUninit};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

const BINDINGS: &str = include_str!("../src/bindings.rs");

fn size_behind<T>(_: *const T) -> usize {
    size_of::<T>()
}

/// One line for each struct and field: what Rust makes of it, and the C code that prints the same line.
macro_rules! layout {
    ($($name:ident { $($field:ident),* })*) => {
        fn rust_lines() -> BTreeSet<String> {
            let mut lines = BTreeSet::new();
            $(
                lines.insert(format!("{} {} {}", stringify!($name), size_of::<$name>(), align_of::<$name>()));
                let place = MaybeUninit::<$name>::uninit();
                $(
                    // SAFETY: the address is taken within `place`; nothing is read.
                    let field = unsafe { std::ptr::addr_of!((*place.as_ptr()).$field) };
                    let offset = field as usize - place.as_ptr() as usize;
                    let (name, size) = (concat!(stringify!($name), ".", stringify!($field)), size_behind(field));
                    lines.insert(format!("{name} {offset} {size}"));
                )*
            )*
            lines
        }

        fn c_statements() -> String {
            let mut code = String::new();
            $(
                let name = stringify!($name);
                writeln!(code, "print(\"{name}\", sizeof({name}), _Alignof({name}));").unwrap();
                $(
                    let field = stringify!($field);
                    writeln!(
                        code,
                        "print(\"{name}.{field}\", offsetof({name}, {field}), sizeof((({name} *)0)->{field}));"
                    ).unwrap();
                )*
            )*
            code
        }
    };
}

// All structs with fields; `structs_are_all_listed` sees to it.
layout! {
    pali_allocator { allocate, release, user }
    pali_apply_options {
        struct_size, suffixes, images_per_text, padding_side, reserved0, pad_to, max_length, reserved
    }
    pali_cache_options { struct_size, rows, capacity, fixed, sliding, dtype, reserved0, prefix, reserved }
    pali_chat_options { struct_size, chat_template, add_generation_prompt, reserved0, tools, reserved }
    pali_coco_options {
        struct_size, mask_decoder, confidences, image_id, file_name, categories, n_categories,
        uncompressed_rle, reserved_0, reserved
    }
    pali_compare_options { struct_size, atol, rtol, reserved }
    pali_confidence { mean, min }
    pali_constraint_options { struct_size, max_objects, max_label_tokens, allow_empty, reserved0, reserved }
    pali_detection { y_min, x_min, y_max, x_max, label, seg, text_begin, text_end }
    pali_detections_options { struct_size, scale, reserved_0, reserved }
    pali_difference {
        name, kind, rank, count, n_departing, n_nan_a, n_nan_b, max_abs, max_rel, rms, first_index,
        max_index, first_a, first_b, max_a, max_b
    }
    pali_draw_options {
        struct_size, mask_decoder, confidences, mask_opacity, thickness, text_scale, reserved
    }
    pali_embed_options {
        struct_size, pooling, normalize, skip_projection, threads, progress, progress_user, adapter,
        adapter_scale, reserved
    }
    pali_forward_options {
        struct_size, cache, features, logits_to_keep, logits_index, n_logits_index, prefix_length,
        output_hidden_states, output_attentions, progress, progress_user, cache_position, attention_layers,
        n_attention_layers, attention_heads, n_attention_heads, image_states_divided,
        output_vision_hidden_states, adapter, adapter_scale, threads, reserved0, reserved
    }
    pali_generate_options {
        struct_size, max_new_tokens, temperature, top_k, top_p, seed, num_beams, on_token, on_token_user,
        features, progress, progress_user, min_p, typical_p, repetition_penalty, presence_penalty,
        frequency_penalty, no_repeat_ngram_size, logit_bias, n_logit_bias, bad_words, n_bad_words,
        force_words, n_force_words, min_new_tokens, eos_token_ids, n_eos_token_ids, stop_strings,
        n_stop_strings, num_return_sequences, best_of, length_penalty, early_stopping, logprobs,
        top_logprobs, prompt_lookup_num_tokens, constraint, token_mask, token_mask_user, cache, adapter,
        adapter_scale, threads, reserved0, reserved
    }
    pali_heat_map_options { struct_size, row, image, query, layers, n_layers, heads, n_heads, reserved }
    pali_image_features_options {
        struct_size, adapter, adapter_scale, progress, progress_user, threads, reserved0, reserved
    }
    pali_image_options { struct_size, alpha, exif_orientation, max_pixels, reserved }
    pali_image_source {
        struct_size, format, mode, width, height, bits, transparency, orientation, turned, reserved
    }
    pali_logit_bias { id, bias }
    pali_machine {
        struct_size, threads, gemm_dtype, instruction_set, read_bytes_per_s, vision_flops_per_s,
        decoder_flops_per_s, vision_bytes, decoder_bytes, vision_gemm_dtype, decoder_gemm_dtype, reserved
    }
    pali_mask_options { struct_size, prefix_length, past_length, reserved }
    pali_mask_text_options { struct_size, row, layer, tokens_per_image, color, reserved0, reserved }
    pali_memory_forecast {
        struct_size, weights_mapped, weights_copied, vision, activations, cache_per_token, cache, total,
        available, reserved
    }
    pali_model_options {
        struct_size, dtype, threads, progress, progress_user, adapters, adapter_scales, n_adapters,
        copy_weights, int8_head, ignore_memory, reserved1, reserved
    }
    pali_processor_options { struct_size, resample, reserved0, reserved }
    pali_quantize_options {
        struct_size, scheme, group_size, zero_points, parts, largest_value_scales, calibration, n_calibration,
        max_shard_size, threads, reserved0, progress, progress_user, reserved
    }
    pali_save_options {
        struct_size, dtype, name_style, max_shard_size, write_tied_head, reserved0, adapters,
        adapter_scales, n_adapters, progress, progress_user, reserved
    }
    pali_score_options {
        struct_size, features, without_eos, threads, progress, progress_user, adapter, adapter_scale,
        reserved
    }
    pali_tensor { data, dtype, rank, shape, strides }
    pali_timing { struct_size, image_s, prefill_s, decode_s, prompt_tokens, decode_tokens }
    pali_token { row, id, text }
    pali_token_list { ids, n_ids }
    pali_token_logprob { id, logprob }
}

fn compiled(name: &str, body: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let (source, program) = (folder.join(format!("{name}.c")), folder.join(name));
    let pkg_config = env::var("PKG_CONFIG").unwrap_or_else(|_| "pkg-config".into());
    let flags = Command::new(pkg_config).args(["--cflags", "paligemma"]).output().unwrap();
    let flags = String::from_utf8(flags.stdout).unwrap();
    let code = format!(
        "#include <paligemma/paligemma.h>\n#include <stdio.h>\n\
         static void print(const char *name, size_t a, size_t b) {{ printf(\"%s %zu %zu\\n\", name, a, b); }}\n\
         int main(void)\n{{\n(void)print;\n{body}return 0;\n}}\n"
    );
    fs::write(&source, code).unwrap();
    let compiler = env::var("CC").unwrap_or_else(|_| "cc".into());
    let result = Command::new(compiler)
        .env_remove("LD_PRELOAD") // what a sanitized library needs is nothing for a compiler
        .args(["-std=c11"])
        .args(flags.split_whitespace())
        .arg(&source)
        .arg("-o")
        .arg(&program)
        .output()
        .expect("a C compiler");
    assert!(result.status.success(), "{}", String::from_utf8_lossy(&result.stderr));
    String::from_utf8(Command::new(program).output().unwrap().stdout).unwrap()
}

fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    env::var_os("PALI_SOURCE").map_or_else(|| here.join("../../.."), PathBuf::from)
}

#[test]
fn structs_lie_as_in_c() {
    let c: BTreeSet<String> = compiled("layout", &c_statements()).lines().map(str::to_owned).collect();
    assert_eq!(rust_lines(), c);
}

#[test]
fn structs_are_all_listed() {
    let listed = rust_lines();
    let mut current = String::new();
    let mut missing = Vec::new();
    for line in BINDINGS.lines() {
        if let Some(rest) = line.strip_prefix("pub struct ") {
            current = rest.trim_end_matches(" {").to_owned();
        } else if let Some(rest) = line.strip_prefix("    pub ") {
            let field = rest.split(':').next().unwrap();
            if !field.starts_with("fn ")
                && !listed.iter().any(|x| x.starts_with(&format!("{current}.{field} ")))
            {
                missing.push(format!("{current}.{field}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}

/// Every `pub const PALI_…` of the bindings.
fn constants() -> BTreeMap<String, i64> {
    let mut all = BTreeMap::new();
    for line in BINDINGS.lines() {
        if let Some(rest) = line.strip_prefix("pub const ") {
            let (name, rest) = rest.split_once(": ").unwrap();
            let value = rest.split_once(" = ").unwrap().1.trim_end_matches(';');
            all.insert(name.to_owned(), value.parse().unwrap());
        }
    }
    all
}

#[test]
fn constants_have_the_headers_values() {
    let constants = constants();
    let mut body = String::new();
    for name in constants.keys() {
        writeln!(body, "printf(\"{name} %lld\\n\", (long long)({name}));").unwrap();
    }
    let ours: String = constants.iter().map(|(name, value)| format!("{name} {value}\n")).collect();
    assert_eq!(compiled("constants", &body), ours);
}

/// Names of the headers that are values: enumerators and plain numbers.
#[test]
fn constants_are_all_there() {
    let constants = constants();
    for entry in fs::read_dir(repository().join("include/paligemma")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        for line in text.lines() {
            let words = line.trim().trim_start_matches("#define ").replace('{', " { ");
            let words: Vec<&str> = words.split_whitespace().collect();
            for (i, word) in words.iter().enumerate().filter(|(_, word)| word.starts_with("PALI_")) {
                let is_enumerator = words.get(i + 1) == Some(&"=");
                let is_number = line.starts_with("#define")
                    && i == 0
                    && words.get(1).map_or(false, |value| value.parse::<i64>().is_ok());
                if is_enumerator || is_number {
                    assert!(constants.contains_key(*word), "the bindings lack {word}");
                }
            }
        }
    }
    assert!(constants.len() > 50);
}

#[test]
fn symbols_are_those_of_the_map() {
    let map = fs::read_to_string(repository().join("lib/paligemma.map")).unwrap();
    let exported: BTreeSet<&str> = map
        .lines()
        .map(|line| line.trim().trim_end_matches(';'))
        .filter(|line| line.starts_with("pali_"))
        .collect();
    let declared: BTreeSet<&str> = BINDINGS
        .lines()
        .filter_map(|line| line.strip_prefix("    pub fn "))
        .map(|line| line.split('(').next().unwrap())
        .collect();
    assert!(exported.len() > 100);
    assert_eq!(exported, declared);
}
