/* SPDX-License-Identifier: BSD-2-Clause */
/* Every struct of the interface that begins with struct_size. check_structs.sh holds this list to the headers. */
#ifndef PALI_TESTS_STRUCT_LIST_H
#define PALI_TESTS_STRUCT_LIST_H

/* Given to a function, whose behaviour they choose. */
#define OPTIONS_STRUCTS(X)                                                                                             \
    X(pali_image_options, PALI_IMAGE_OPTIONS)                                                                          \
    X(pali_processor_options, PALI_PROCESSOR_OPTIONS)                                                                  \
    X(pali_apply_options, PALI_APPLY_OPTIONS)                                                                          \
    X(pali_model_options, PALI_MODEL_OPTIONS)                                                                          \
    X(pali_cache_options, PALI_CACHE_OPTIONS)                                                                          \
    X(pali_forward_options, PALI_FORWARD_OPTIONS)                                                                      \
    X(pali_generate_options, PALI_GENERATE_OPTIONS)                                                                    \
    X(pali_image_features_options, PALI_IMAGE_FEATURES_OPTIONS)                                                        \
    X(pali_save_options, PALI_SAVE_OPTIONS)                                                                            \
    X(pali_quantize_options, PALI_QUANTIZE_OPTIONS)                                                                    \
    X(pali_compare_options, PALI_COMPARE_OPTIONS)                                                                      \
    X(pali_mask_options, PALI_MASK_OPTIONS)                                                                            \
    X(pali_mask_text_options, PALI_MASK_TEXT_OPTIONS)                                                                  \
    X(pali_heat_map_options, PALI_HEAT_MAP_OPTIONS)                                                                    \
    X(pali_constraint_options, PALI_CONSTRAINT_OPTIONS)                                                                \
    X(pali_score_options, PALI_SCORE_OPTIONS)                                                                          \
    X(pali_detections_options, PALI_DETECTIONS_OPTIONS)                                                                \
    X(pali_draw_options, PALI_DRAW_OPTIONS)                                                                            \
    X(pali_coco_options, PALI_COCO_OPTIONS)                                                                            \
    X(pali_chat_options, PALI_CHAT_OPTIONS)                                                                            \
    X(pali_embed_options, PALI_EMBED_OPTIONS)

/* Filled by a function. */
#define FILLED_STRUCTS(X)                                                                                              \
    X(pali_timing, PALI_TIMING)                                                                                        \
    X(pali_machine, PALI_MACHINE)                                                                                      \
    X(pali_memory_forecast, PALI_MEMORY_FORECAST)                                                                      \
    X(pali_image_source, PALI_IMAGE_SOURCE)

#endif
