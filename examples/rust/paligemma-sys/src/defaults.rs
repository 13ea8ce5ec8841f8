// SPDX-License-Identifier: BSD-2-Clause
//! The `_INIT` macros, which bindgen cannot translate.
use crate::bindings::*;

macro_rules! defaults {
    ($($name:ident { $($field:ident: $value:expr),* })*) => { $(
        impl Default for $name {
            fn default() -> Self {
                // SAFETY: the struct has numbers, and pointers and functions that may be null: zero is valid for all.
                let mut options: Self = unsafe { std::mem::zeroed() };
                options.struct_size = std::mem::size_of::<Self>();
                $(options.$field = $value;)*
                options
            }
        }
    )* };
}

// What is not named is 0 or null.
defaults! {
    pali_apply_options {}
    pali_cache_options { rows: 1 }
    pali_chat_options {}
    pali_coco_options {}
    pali_compare_options { atol: 1e-4, rtol: 1e-4 }
    pali_constraint_options { max_label_tokens: 16 }
    pali_detections_options { scale: 1024 }
    pali_draw_options { mask_opacity: 0.5 }
    pali_embed_options { normalize: -1, adapter_scale: 1.0 }
    pali_forward_options { prefix_length: -1, cache_position: -1, adapter_scale: 1.0 }
    pali_generate_options { length_penalty: 1.0, adapter_scale: 1.0 }
    pali_heat_map_options { query: -1 }
    pali_image_features_options { adapter_scale: 1.0 }
    pali_image_options { max_pixels: 178956970 }
    pali_image_source { bits: 8, orientation: 1 }
    pali_machine {}
    pali_mask_options { prefix_length: -1 }
    pali_mask_text_options { layer: -1, tokens_per_image: 5 }
    pali_memory_forecast {}
    pali_model_options {}
    pali_processor_options {}
    pali_quantize_options {}
    pali_save_options {}
    pali_score_options { adapter_scale: 1.0 }
    pali_timing {}
}
