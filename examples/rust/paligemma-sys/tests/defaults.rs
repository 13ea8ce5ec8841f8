// SPDX-License-Identifier: BSD-2-Clause
//! The defaults are those of the library's `_init` functions.
use paligemma_sys::*;

macro_rules! same_as_init {
    ($($name:ident $init:ident)*) => { $(
        #[test]
        fn $init() {
            let mut options = $name::default();
            let ours = format!("{options:?}");
            // SAFETY: `options` is a struct of the kind that the function sets.
            unsafe { paligemma_sys::$init(&mut options) };
            assert_eq!(ours, format!("{options:?}"));
        }
    )* };
}

same_as_init! {
    pali_apply_options pali_apply_options_init
    pali_cache_options pali_cache_options_init
    pali_chat_options pali_chat_options_init
    pali_coco_options pali_coco_options_init
    pali_compare_options pali_compare_options_init
    pali_constraint_options pali_constraint_options_init
    pali_detections_options pali_detections_options_init
    pali_draw_options pali_draw_options_init
    pali_embed_options pali_embed_options_init
    pali_forward_options pali_forward_options_init
    pali_generate_options pali_generate_options_init
    pali_heat_map_options pali_heat_map_options_init
    pali_image_features_options pali_image_features_options_init
    pali_image_options pali_image_options_init
    pali_image_source pali_image_source_init
    pali_machine pali_machine_init
    pali_mask_options pali_mask_options_init
    pali_mask_text_options pali_mask_text_options_init
    pali_memory_forecast pali_memory_forecast_init
    pali_model_options pali_model_options_init
    pali_processor_options pali_processor_options_init
    pali_quantize_options pali_quantize_options_init
    pali_save_options pali_save_options_init
    pali_score_options pali_score_options_init
    pali_timing pali_timing_init
}
