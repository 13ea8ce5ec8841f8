# SPDX-License-Identifier: BSD-2-Clause
"""The structs of the C headers, field by field. tests/test_layout.py compares each with the header's own layout."""

from __future__ import annotations

import ctypes
from ctypes import (
    CFUNCTYPE,
    POINTER,
    c_char_p,
    c_double,
    c_float,
    c_int,
    c_int32,
    c_int64,
    c_size_t,
    c_uint8,
    c_uint64,
    c_void_p,
)
from typing import Any, ClassVar, Dict

#: Callbacks. ctypes takes the GIL for them, whichever thread they come on.
ProgressFn = CFUNCTYPE(c_int, c_void_p, c_char_p, c_double)
MAX_RANK = 8


class Tensor(ctypes.Structure):
    """pali_tensor: a view that owns nothing; strides in elements."""

    _fields_ = [
        ("data", c_void_p),
        ("dtype", c_int),
        ("rank", c_int32),
        ("shape", c_int64 * MAX_RANK),
        ("strides", c_int64 * MAX_RANK),
    ]


class Token(ctypes.Structure):
    """pali_token: one new token, borrowed for the callback."""

    _fields_ = [("row", c_int64), ("id", c_int64), ("text", c_char_p)]


class TokenList(ctypes.Structure):
    _fields_ = [("ids", POINTER(c_int64)), ("n_ids", c_size_t)]


class LogitBias(ctypes.Structure):
    _fields_ = [("id", c_int64), ("bias", c_float)]


class TokenLogprob(ctypes.Structure):
    _fields_ = [("id", c_int64), ("logprob", c_double)]


class Detection(ctypes.Structure):
    """pali_detection: coordinates are fractions of the picture; text offsets are bytes."""

    _fields_ = [
        ("y_min", c_double),
        ("x_min", c_double),
        ("y_max", c_double),
        ("x_max", c_double),
        ("label", c_char_p),
        ("seg", POINTER(c_int32)),
        ("text_begin", c_size_t),
        ("text_end", c_size_t),
    ]


class Confidence(ctypes.Structure):
    _fields_ = [("mean", c_double), ("min", c_double)]


class Difference(ctypes.Structure):
    _fields_ = [
        ("name", c_char_p),
        ("kind", c_int),
        ("rank", c_int32),
        ("count", c_int64),
        ("n_departing", c_int64),
        ("n_nan_a", c_int64),
        ("n_nan_b", c_int64),
        ("max_abs", c_double),
        ("max_rel", c_double),
        ("rms", c_double),
        ("first_index", c_int64 * MAX_RANK),
        ("max_index", c_int64 * MAX_RANK),
        ("first_a", c_double),
        ("first_b", c_double),
        ("max_a", c_double),
        ("max_b", c_double),
    ]


TokenFn = CFUNCTYPE(c_int, c_void_p, POINTER(Token))
TokenMaskFn = CFUNCTYPE(c_int, c_void_p, c_int64, POINTER(c_int64), c_size_t, POINTER(c_uint8), c_int64)


class Sized(ctypes.Structure):
    """A struct that begins with struct_size; `_defaults_` are those of its _INIT macro that are not zero.

    The defaults stand here, and are compared with the library's _init function by a test, instead of calling that
    function: a newer library's struct may be longer than this one.
    """

    _defaults_: ClassVar[Dict[str, Any]] = {}

    def __init__(self, **values: Any) -> None:
        super().__init__()
        for name, value in {"struct_size": ctypes.sizeof(type(self)), **self._defaults_, **values}.items():
            setattr(self, name, value)


class ModelOptions(Sized):
    _fields_ = [
        ("struct_size", c_size_t),
        ("dtype", c_int),
        ("threads", c_int32),
        ("progress", ProgressFn),
        ("progress_user", c_void_p),
        ("adapters", POINTER(c_char_p)),
        ("adapter_scales", POINTER(c_double)),
        ("n_adapters", c_size_t),
        ("copy_weights", c_int32),
        ("int8_head", c_int32),
        ("ignore_memory", c_int32),
        ("reserved1", c_int32),
        ("reserved", c_uint64 * 2),
    ]


class ImageFeaturesOptions(Sized):
    _fields_ = [
        ("struct_size", c_size_t),
        ("adapter", c_void_p),
        ("adapter_scale", c_double),
        ("progress", ProgressFn),
        ("progress_user", c_void_p),
        ("threads", c_int32),
        ("reserved0", c_int32),
        ("reserved", c_uint64 * 3),
    ]
    _defaults_ = {"adapter_scale": 1.0}


class CacheOptions(Sized):
    _fields_ = [
        ("struct_size", c_size_t),
        ("rows", c_int64),
        ("capacity", c_int64),
        ("fixed", c_int32),
        ("sliding", c_int32),
        ("dtype", c_int),
        ("reserved0", c_int32),
        ("prefix", c_void_p),
        ("reserved", c_uint64 * 4),
    ]
    _defaults_ = {"rows": 1}


class ForwardOptions(Sized):
    _fields_ = [
        ("struct_size", c_size_t),
        ("cache", c_void_p),
        ("features", c_void_p),
        ("logits_to_keep", c_int64),
        ("logits_index", POINTER(c_int64)),
        ("n_logits_index", c_size_t),
        ("prefix_length", c_int64),
        ("output_hidden_states", c_int32),
        ("output_attentions", c_int32),
        ("progress", ProgressFn),
        ("progress_user", c_void_p),
        ("cache_position", c_int64),
        ("attention_layers", POINTER(c_int64)),
        ("n_attention_layers", c_size_t),
        ("attention_heads", POINTER(c_int64)),
        ("n_attention_heads", c_size_t),
        ("image_states_divided", c_int32),
        ("output_vision_hidden_states", c_int32),
        ("adapter", c_void_p),
        ("adapter_scale", c_double),
        ("threads", c_int32),
        ("reserved0", c_int32),
        ("reserved", c_uint64 * 7),
    ]
    _defaults_ = {"prefix_length": -1, "cache_position": -1, "adapter_scale": 1.0}


class ImageOptions(Sized):
    _fields_ = [
        ("struct_size", c_size_t),
        ("alpha", c_int),
        ("exif_orientation", c_int32),
        ("max_pixels", c_int64),
        ("reserved", c_uint64 * 4),
    ]
    _defaults_ = {"max_pixels": 178956970}


class ImageSource(Sized):
    _fields_ = [
        ("struct_size", c_size_t),
        ("format", c_char_p),
        ("mode", c_char_p),
        ("width", c_int32),
        ("height", c_int32),
        ("bits", c_int32),
        ("transparency", c_int32),
        ("orientation", c_int32),
        ("turned", c_int32),
        ("reserved", c_uint64 * 2),
    ]
    _defaults_ = {"bits": 8, "orientation": 1}


class ProcessorOptions(Sized):
    _fields_ = [
        ("struct_size", c_size_t),
        ("resample", c_int),
        ("reserved0", c_int32),
        ("reserved", c_uint64 * 4),
    ]


class ApplyOptions(Sized):
    _fields_ = [
        ("struct_size", c_size_t),
        ("suffixes", POINTER(c_char_p)),
        ("images_per_text", POINTER(c_size_t)),
        ("padding_side", c_int),
        ("reserved0", c_int32),
        ("pad_to", c_int64),
        ("max_length", c_int64),
        ("reserved", c_uint64 * 4),
    ]


class ChatOptions(Sized):
    _fields_ = [
        ("struct_size", c_size_t),
        ("chat_template", c_char_p),
        ("add_generation_prompt", c_int32),
        ("reserved0", c_int32),
        ("tools", c_char_p),
        ("reserved", c_uint64 * 4),
    ]


class GenerateOptions(Sized):
    _fields_ = [
        ("struct_size", c_size_t),
        ("max_new_tokens", c_int64),
        ("temperature", c_double),
        ("top_k", c_int64),
        ("top_p", c_double),
        ("seed", c_uint64),
        ("num_beams", c_int64),
        ("on_token", TokenFn),
        ("on_token_user", c_void_p),
        ("features", c_void_p),
        ("progress", ProgressFn),
        ("progress_user", c_void_p),
        ("min_p", c_double),
        ("typical_p", c_double),
        ("repetition_penalty", c_double),
        ("presence_penalty", c_double),
        ("frequency_penalty", c_double),
        ("no_repeat_ngram_size", c_int64),
        ("logit_bias", POINTER(LogitBias)),
        ("n_logit_bias", c_size_t),
        ("bad_words", POINTER(TokenList)),
        ("n_bad_words", c_size_t),
        ("force_words", POINTER(TokenList)),
        ("n_force_words", c_size_t),
        ("min_new_tokens", c_int64),
        ("eos_token_ids", POINTER(c_int64)),
        ("n_eos_token_ids", c_size_t),
        ("stop_strings", POINTER(c_char_p)),
        ("n_stop_strings", c_size_t),
        ("num_return_sequences", c_int64),
        ("best_of", c_int64),
        ("length_penalty", c_double),
        ("early_stopping", c_int32),
        ("logprobs", c_int32),
        ("top_logprobs", c_int64),
        ("prompt_lookup_num_tokens", c_int64),
        ("constraint", c_void_p),
        ("token_mask", TokenMaskFn),
        ("token_mask_user", c_void_p),
        ("cache", c_void_p),
        ("adapter", c_void_p),
        ("adapter_scale", c_double),
        ("threads", c_int32),
        ("reserved0", c_int32),
        ("reserved", c_uint64 * 7),
    ]
    _defaults_ = {"length_penalty": 1.0, "adapter_scale": 1.0}


class Timing(Sized):
    _fields_ = [
        ("struct_size", c_size_t),
        ("image_s", c_double),
        ("prefill_s", c_double),
        ("decode_s", c_double),
        ("prompt_tokens", c_int64),
        ("decode_tokens", c_int64),
    ]


class ConstraintOptions(Sized):
    _fields_ = [
        ("struct_size", c_size_t),
        ("max_objects", c_int64),
        ("max_label_tokens", c_int64),
        ("allow_empty", c_int32),
        ("reserved0", c_int32),
        ("reserved", c_uint64 * 4),
    ]
    _defaults_ = {"max_label_tokens": 16}


class ScoreOptions(Sized):
    _fields_ = [
        ("struct_size", c_size_t),
        ("features", c_void_p),
        ("without_eos", c_int32),
        ("threads", c_int32),
        ("progress", ProgressFn),
        ("progress_user", c_void_p),
        ("adapter", c_void_p),
        ("adapter_scale", c_double),
        ("reserved", c_uint64 * 8),
    ]
    _defaults_ = {"adapter_scale": 1.0}


class EmbedOptions(Sized):
    _fields_ = [
        ("struct_size", c_size_t),
        ("pooling", c_int),
        ("normalize", c_int32),
        ("skip_projection", c_int32),
        ("threads", c_int32),
        ("progress", ProgressFn),
        ("progress_user", c_void_p),
        ("adapter", c_void_p),
        ("adapter_scale", c_double),
        ("reserved", c_uint64 * 4),
    ]
    _defaults_ = {"normalize": -1, "adapter_scale": 1.0}


class DetectionsOptions(Sized):
    _fields_ = [
        ("struct_size", c_size_t),
        ("scale", c_int32),
        ("reserved_0", c_int32),
        ("reserved", c_uint64 * 4),
    ]
    _defaults_ = {"scale": 1024}


class DrawOptions(Sized):
    _fields_ = [
        ("struct_size", c_size_t),
        ("mask_decoder", c_void_p),
        ("confidences", POINTER(Confidence)),
        ("mask_opacity", c_double),
        ("thickness", c_int32),
        ("text_scale", c_int32),
        ("reserved", c_uint64 * 4),
    ]
    _defaults_ = {"mask_opacity": 0.5}


class CocoOptions(Sized):
    _fields_ = [
        ("struct_size", c_size_t),
        ("mask_decoder", c_void_p),
        ("confidences", POINTER(Confidence)),
        ("image_id", c_int64),
        ("file_name", c_char_p),
        ("categories", POINTER(c_char_p)),
        ("n_categories", c_size_t),
        ("uncompressed_rle", c_int32),
        ("reserved_0", c_int32),
        ("reserved", c_uint64 * 4),
    ]


class MaskOptions(Sized):
    _fields_ = [
        ("struct_size", c_size_t),
        ("prefix_length", c_int64),
        ("past_length", c_int64),
        ("reserved", c_uint64 * 4),
    ]
    _defaults_ = {"prefix_length": -1}


class MaskTextOptions(Sized):
    _fields_ = [
        ("struct_size", c_size_t),
        ("row", c_int64),
        ("layer", c_int64),
        ("tokens_per_image", c_int64),
        ("color", c_int32),
        ("reserved0", c_int32),
        ("reserved", c_uint64 * 4),
    ]
    _defaults_ = {"layer": -1, "tokens_per_image": 5}


class HeatMapOptions(Sized):
    _fields_ = [
        ("struct_size", c_size_t),
        ("row", c_int64),
        ("image", c_int64),
        ("query", c_int64),
        ("layers", POINTER(c_int64)),
        ("n_layers", c_size_t),
        ("heads", POINTER(c_int64)),
        ("n_heads", c_size_t),
        ("reserved", c_uint64 * 4),
    ]
    _defaults_ = {"query": -1}


class CompareOptions(Sized):
    _fields_ = [
        ("struct_size", c_size_t),
        ("atol", c_double),
        ("rtol", c_double),
        ("reserved", c_uint64 * 4),
    ]
    _defaults_ = {"atol": 1e-4, "rtol": 1e-4}


class Machine(Sized):
    _fields_ = [
        ("struct_size", c_size_t),
        ("threads", c_int32),
        ("gemm_dtype", c_int),
        ("instruction_set", c_char_p),
        ("read_bytes_per_s", c_double),
        ("vision_flops_per_s", c_double),
        ("decoder_flops_per_s", c_double),
        ("vision_bytes", c_int64),
        ("decoder_bytes", c_int64),
        ("vision_gemm_dtype", c_int),
        ("decoder_gemm_dtype", c_int),
        ("reserved", c_uint64 * 1),
    ]


class MemoryForecast(Sized):
    _fields_ = [
        ("struct_size", c_size_t),
        ("weights_mapped", c_int64),
        ("weights_copied", c_int64),
        ("vision", c_int64),
        ("activations", c_int64),
        ("cache_per_token", c_int64),
        ("cache", c_int64),
        ("total", c_int64),
        ("available", c_int64),
        ("reserved", c_uint64 * 4),
    ]


class SaveOptions(Sized):
    _fields_ = [
        ("struct_size", c_size_t),
        ("dtype", c_int),
        ("name_style", c_int),
        ("max_shard_size", c_int64),
        ("write_tied_head", c_int32),
        ("reserved0", c_int32),
        ("adapters", POINTER(c_char_p)),
        ("adapter_scales", POINTER(c_double)),
        ("n_adapters", c_size_t),
        ("progress", ProgressFn),
        ("progress_user", c_void_p),
        ("reserved", c_uint64 * 8),
    ]


class QuantizeOptions(Sized):
    _fields_ = [
        ("struct_size", c_size_t),
        ("scheme", c_int),
        ("group_size", c_int32),
        ("zero_points", c_int32),
        ("parts", c_int32),
        ("largest_value_scales", c_int32),
        ("calibration", POINTER(c_void_p)),
        ("n_calibration", c_size_t),
        ("max_shard_size", c_int64),
        ("threads", c_int32),
        ("reserved0", c_int32),
        ("progress", ProgressFn),
        ("progress_user", c_void_p),
        ("reserved", c_uint64 * 8),
    ]


#: The C name of each struct.
C_NAMES = {
    Tensor: "pali_tensor",
    Token: "pali_token",
    TokenList: "pali_token_list",
    LogitBias: "pali_logit_bias",
    TokenLogprob: "pali_token_logprob",
    Detection: "pali_detection",
    Confidence: "pali_confidence",
    Difference: "pali_difference",
    ModelOptions: "pali_model_options",
    ImageFeaturesOptions: "pali_image_features_options",
    CacheOptions: "pali_cache_options",
    ForwardOptions: "pali_forward_options",
    ImageOptions: "pali_image_options",
    ImageSource: "pali_image_source",
    ProcessorOptions: "pali_processor_options",
    ApplyOptions: "pali_apply_options",
    ChatOptions: "pali_chat_options",
    GenerateOptions: "pali_generate_options",
    Timing: "pali_timing",
    ConstraintOptions: "pali_constraint_options",
    ScoreOptions: "pali_score_options",
    EmbedOptions: "pali_embed_options",
    DetectionsOptions: "pali_detections_options",
    DrawOptions: "pali_draw_options",
    CocoOptions: "pali_coco_options",
    MaskOptions: "pali_mask_options",
    MaskTextOptions: "pali_mask_text_options",
    HeatMapOptions: "pali_heat_map_options",
    CompareOptions: "pali_compare_options",
    Machine: "pali_machine",
    MemoryForecast: "pali_memory_forecast",
    SaveOptions: "pali_save_options",
    QuantizeOptions: "pali_quantize_options",
}
