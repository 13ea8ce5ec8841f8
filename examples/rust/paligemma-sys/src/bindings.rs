// SPDX-License-Identifier: BSD-2-Clause
// Made by generate-bindings.sh from include/paligemma/*.h; not to be edited.

pub const PALI_VERSION_MAJOR: u32 = 0;
pub const PALI_VERSION_MINOR: u32 = 1;
pub const PALI_VERSION_PATCH: u32 = 0;
pub const PALI_MAX_RANK: u32 = 8;
pub const PALI_SEG_TOKENS: u32 = 16;
pub const PALI_SEG_COUNT: u32 = 128;
pub const PALI_SEGMENT_SIDE: u32 = 64;
pub const PALI_END_ROW: u32 = 2;
pub type __uint8_t = ::std::os::raw::c_uchar;
pub type __int32_t = ::std::os::raw::c_int;
pub type __uint32_t = ::std::os::raw::c_uint;
pub type __int64_t = ::std::os::raw::c_long;
pub type __uint64_t = ::std::os::raw::c_ulong;
extern "C" {
    pub fn pali_version() -> *const ::std::os::raw::c_char;
}
pub const PALI_OK: pali_status = 0;
pub const PALI_ERROR_ARGUMENT: pali_status = -1;
pub const PALI_ERROR_MEMORY: pali_status = -2;
pub const PALI_ERROR_IO: pali_status = -3;
pub const PALI_ERROR_FORMAT: pali_status = -4;
pub const PALI_ERROR_UNSUPPORTED: pali_status = -5;
pub const PALI_ERROR_SHAPE: pali_status = -6;
pub const PALI_ERROR_LIMIT: pali_status = -7;
pub const PALI_ERROR_CANCELLED: pali_status = -8;
pub const PALI_ERROR_INTERNAL: pali_status = -9;
pub type pali_status = ::std::os::raw::c_int;
extern "C" {
    pub fn pali_status_name(status: pali_status) -> *const ::std::os::raw::c_char;
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_error {
    _unused: [u8; 0],
}
extern "C" {
    pub fn pali_error_message(error: *const pali_error) -> *const ::std::os::raw::c_char;
}
extern "C" {
    pub fn pali_error_status(error: *const pali_error) -> pali_status;
}
extern "C" {
    pub fn pali_error_free(error: *mut pali_error);
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_allocator {
    pub allocate: ::core::option::Option<
        unsafe extern "C" fn(user: *mut ::std::os::raw::c_void, size: usize) -> *mut ::std::os::raw::c_void,
    >,
    pub release: ::core::option::Option<
        unsafe extern "C" fn(user: *mut ::std::os::raw::c_void, memory: *mut ::std::os::raw::c_void),
    >,
    pub user: *mut ::std::os::raw::c_void,
}
extern "C" {
    pub fn pali_set_allocator(allocator: *const pali_allocator);
}
extern "C" {
    pub fn pali_free(memory: *mut ::std::os::raw::c_void);
}
pub type pali_progress_fn = ::core::option::Option<
    unsafe extern "C" fn(
        user: *mut ::std::os::raw::c_void,
        stage: *const ::std::os::raw::c_char,
        fraction: f64,
    ) -> ::std::os::raw::c_int,
>;
pub const PALI_FLOAT32: pali_dtype = 1;
pub const PALI_BFLOAT16: pali_dtype = 2;
pub const PALI_FLOAT16: pali_dtype = 3;
pub const PALI_FLOAT64: pali_dtype = 4;
pub const PALI_INT64: pali_dtype = 5;
pub const PALI_INT32: pali_dtype = 6;
pub const PALI_INT16: pali_dtype = 7;
pub const PALI_INT8: pali_dtype = 8;
pub const PALI_UINT8: pali_dtype = 9;
pub const PALI_BOOL: pali_dtype = 10;
pub type pali_dtype = ::std::os::raw::c_uint;
extern "C" {
    pub fn pali_dtype_name(dtype: pali_dtype) -> *const ::std::os::raw::c_char;
}
extern "C" {
    pub fn pali_dtype_size(dtype: pali_dtype) -> usize;
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_tensor {
    pub data: *mut ::std::os::raw::c_void,
    pub dtype: pali_dtype,
    pub rank: i32,
    pub shape: [i64; 8usize],
    pub strides: [i64; 8usize],
}
extern "C" {
    pub fn pali_tensor_view(
        data: *mut ::std::os::raw::c_void,
        dtype: pali_dtype,
        rank: i32,
        shape: *const i64,
    ) -> pali_tensor;
}
extern "C" {
    pub fn pali_tensor_count(tensor: *const pali_tensor) -> i64;
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_image {
    _unused: [u8; 0],
}
pub const PALI_ALPHA_DROP: pali_alpha = 0;
pub const PALI_ALPHA_WHITE: pali_alpha = 1;
pub type pali_alpha = ::std::os::raw::c_uint;
pub const PALI_RESAMPLE_PILLOW: pali_resample = 0;
pub const PALI_RESAMPLE_TORCHVISION: pali_resample = 1;
pub const PALI_RESAMPLE_PILLOW_12: pali_resample = 2;
pub type pali_resample = ::std::os::raw::c_uint;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_image_options {
    pub struct_size: usize,
    pub alpha: pali_alpha,
    pub exif_orientation: i32,
    pub max_pixels: i64,
    pub reserved: [u64; 4usize],
}
extern "C" {
    pub fn pali_image_options_init(options: *mut pali_image_options);
}
extern "C" {
    pub fn pali_image_open(
        out: *mut *mut pali_image,
        path: *const ::std::os::raw::c_char,
        options: *const pali_image_options,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_image_decode(
        out: *mut *mut pali_image,
        data: *const ::std::os::raw::c_void,
        size: usize,
        options: *const pali_image_options,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_image_create(
        out: *mut *mut pali_image,
        rgb: *const u8,
        width: i32,
        height: i32,
        stride: usize,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_image_free(image: *mut pali_image);
}
extern "C" {
    pub fn pali_image_width(image: *const pali_image) -> i32;
}
extern "C" {
    pub fn pali_image_height(image: *const pali_image) -> i32;
}
extern "C" {
    pub fn pali_image_pixels(image: *const pali_image) -> *const u8;
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_image_source {
    pub struct_size: usize,
    pub format: *const ::std::os::raw::c_char,
    pub mode: *const ::std::os::raw::c_char,
    pub width: i32,
    pub height: i32,
    pub bits: i32,
    pub transparency: i32,
    pub orientation: i32,
    pub turned: i32,
    pub reserved: [u64; 2usize],
}
extern "C" {
    pub fn pali_image_source_init(source: *mut pali_image_source);
}
extern "C" {
    pub fn pali_image_get_source(
        image: *const pali_image,
        source: *mut pali_image_source,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_image_resize(
        out: *mut *mut pali_image,
        image: *const pali_image,
        width: i32,
        height: i32,
        resample: pali_resample,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_image_draw_box(
        image: *mut pali_image,
        x_min: f64,
        y_min: f64,
        x_max: f64,
        y_max: f64,
        thickness: i32,
        rgb: *const u8,
    );
}
extern "C" {
    pub fn pali_image_blend(image: *mut pali_image, mask: *const u8, opacity: f64, rgb: *const u8);
}
extern "C" {
    pub fn pali_image_draw_text(
        image: *mut pali_image,
        x: i32,
        y: i32,
        text: *const ::std::os::raw::c_char,
        scale: i32,
        rgb: *const u8,
    );
}
extern "C" {
    pub fn pali_image_text_size(
        text: *const ::std::os::raw::c_char,
        scale: i32,
        width: *mut i32,
        height: *mut i32,
    );
}
extern "C" {
    pub fn pali_image_save_png(
        image: *const pali_image,
        path: *const ::std::os::raw::c_char,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_inputs {
    _unused: [u8; 0],
}
extern "C" {
    pub fn pali_inputs_create(out: *mut *mut pali_inputs, error: *mut *mut pali_error) -> pali_status;
}
extern "C" {
    pub fn pali_inputs_load(
        out: *mut *mut pali_inputs,
        path: *const ::std::os::raw::c_char,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_inputs_save(
        inputs: *const pali_inputs,
        path: *const ::std::os::raw::c_char,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_inputs_free(inputs: *mut pali_inputs);
}
extern "C" {
    pub fn pali_inputs_count(inputs: *const pali_inputs) -> usize;
}
extern "C" {
    pub fn pali_inputs_name(inputs: *const pali_inputs, index: usize) -> *const ::std::os::raw::c_char;
}
extern "C" {
    pub fn pali_inputs_get(
        inputs: *const pali_inputs,
        name: *const ::std::os::raw::c_char,
    ) -> *const pali_tensor;
}
extern "C" {
    pub fn pali_inputs_set(
        inputs: *mut pali_inputs,
        name: *const ::std::os::raw::c_char,
        tensor: *const pali_tensor,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_processor {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_processor_options {
    pub struct_size: usize,
    pub resample: pali_resample,
    pub reserved0: i32,
    pub reserved: [u64; 4usize],
}
extern "C" {
    pub fn pali_processor_options_init(options: *mut pali_processor_options);
}
extern "C" {
    pub fn pali_processor_load(
        out: *mut *mut pali_processor,
        path: *const ::std::os::raw::c_char,
        options: *const pali_processor_options,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_processor_free(processor: *mut pali_processor);
}
pub const PALI_PADDING_LEFT: pali_padding_side = 0;
pub const PALI_PADDING_RIGHT: pali_padding_side = 1;
pub type pali_padding_side = ::std::os::raw::c_uint;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_apply_options {
    pub struct_size: usize,
    pub suffixes: *const *const ::std::os::raw::c_char,
    pub images_per_text: *const usize,
    pub padding_side: pali_padding_side,
    pub reserved0: i32,
    pub pad_to: i64,
    pub max_length: i64,
    pub reserved: [u64; 4usize],
}
extern "C" {
    pub fn pali_apply_options_init(options: *mut pali_apply_options);
}
extern "C" {
    pub fn pali_processor_apply(
        out: *mut *mut pali_inputs,
        processor: *const pali_processor,
        images: *const *mut pali_image,
        n_images: usize,
        text: *const ::std::os::raw::c_char,
        options: *const pali_apply_options,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_processor_apply_batch(
        out: *mut *mut pali_inputs,
        processor: *const pali_processor,
        images: *const *mut pali_image,
        n_images: usize,
        texts: *const *const ::std::os::raw::c_char,
        n_texts: usize,
        options: *const pali_apply_options,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_processor_apply_continuation(
        out: *mut *mut pali_inputs,
        processor: *const pali_processor,
        text: *const ::std::os::raw::c_char,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_processor_inputs(
        out: *mut *mut pali_inputs,
        processor: *const pali_processor,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_processor_encode(
        processor: *const pali_processor,
        text: *const ::std::os::raw::c_char,
        size: usize,
        ids: *mut *mut i64,
        n_ids: *mut usize,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_processor_decode(
        processor: *const pali_processor,
        ids: *const i64,
        n_ids: usize,
        skip_special_tokens: i32,
        text: *mut *mut ::std::os::raw::c_char,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_processor_batch_decode(
        processor: *const pali_processor,
        ids: *const i64,
        n_rows: usize,
        n_ids: usize,
        skip_special_tokens: i32,
        texts: *mut *mut *mut ::std::os::raw::c_char,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_detections {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_detection {
    pub y_min: f64,
    pub x_min: f64,
    pub y_max: f64,
    pub x_max: f64,
    pub label: *const ::std::os::raw::c_char,
    pub seg: *const i32,
    pub text_begin: usize,
    pub text_end: usize,
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_detections_options {
    pub struct_size: usize,
    pub scale: i32,
    pub reserved_0: i32,
    pub reserved: [u64; 4usize],
}
extern "C" {
    pub fn pali_detections_options_init(options: *mut pali_detections_options);
}
extern "C" {
    pub fn pali_detections_parse(
        out: *mut *mut pali_detections,
        text: *const ::std::os::raw::c_char,
        options: *const pali_detections_options,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_detections_free(detections: *mut pali_detections);
}
extern "C" {
    pub fn pali_detections_count(detections: *const pali_detections) -> usize;
}
extern "C" {
    pub fn pali_detections_get(detections: *const pali_detections, index: usize) -> *const pali_detection;
}
extern "C" {
    pub fn pali_detections_encode(
        text: *mut *mut ::std::os::raw::c_char,
        items: *const pali_detection,
        count: usize,
        options: *const pali_detections_options,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_confidence {
    pub mean: f64,
    pub min: f64,
}
extern "C" {
    pub fn pali_detections_confidence(
        confidences: *mut pali_confidence,
        detections: *const pali_detections,
        processor: *const pali_processor,
        ids: *const i64,
        logprobs: *const f64,
        n_ids: usize,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_mask_decoder {
    _unused: [u8; 0],
}
extern "C" {
    pub fn pali_mask_decoder_load(
        out: *mut *mut pali_mask_decoder,
        path: *const ::std::os::raw::c_char,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_mask_decoder_free(decoder: *mut pali_mask_decoder);
}
extern "C" {
    pub fn pali_mask_decoder_has_encoder(decoder: *const pali_mask_decoder) -> ::std::os::raw::c_int;
}
extern "C" {
    pub fn pali_mask_decoder_decode(
        decoder: *const pali_mask_decoder,
        seg: *const i32,
        mask: *mut f32,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_mask_decoder_encode(
        decoder: *const pali_mask_decoder,
        mask: *const f32,
        seg: *mut i32,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
pub const PALI_SEGMENT_HARD: pali_segment_form = 0;
pub const PALI_SEGMENT_SOFT: pali_segment_form = 1;
pub type pali_segment_form = ::std::os::raw::c_uint;
extern "C" {
    pub fn pali_detection_pixels(
        detection: *const pali_detection,
        width: i32,
        height: i32,
        form: pali_segment_form,
        box_: *mut i32,
    ) -> ::std::os::raw::c_int;
}
extern "C" {
    pub fn pali_segment_paste(
        out: *mut u8,
        mask: *const f32,
        detection: *const pali_detection,
        width: i32,
        height: i32,
        form: pali_segment_form,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_segment_crop(
        mask: *mut f32,
        picture_mask: *const u8,
        width: i32,
        height: i32,
        detection: *const pali_detection,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_rle_encode(
        counts: *mut *mut u32,
        n_counts: *mut usize,
        mask: *const u8,
        width: i32,
        height: i32,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_rle_decode(
        mask: *mut u8,
        counts: *const u32,
        n_counts: usize,
        width: i32,
        height: i32,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_rle_to_text(
        text: *mut *mut ::std::os::raw::c_char,
        counts: *const u32,
        n_counts: usize,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_rle_from_text(
        counts: *mut *mut u32,
        n_counts: *mut usize,
        text: *const ::std::os::raw::c_char,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_draw_options {
    pub struct_size: usize,
    pub mask_decoder: *const pali_mask_decoder,
    pub confidences: *const pali_confidence,
    pub mask_opacity: f64,
    pub thickness: i32,
    pub text_scale: i32,
    pub reserved: [u64; 4usize],
}
extern "C" {
    pub fn pali_draw_options_init(options: *mut pali_draw_options);
}
extern "C" {
    pub fn pali_detections_draw(
        detections: *const pali_detections,
        image: *mut pali_image,
        options: *const pali_draw_options,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_coco_options {
    pub struct_size: usize,
    pub mask_decoder: *const pali_mask_decoder,
    pub confidences: *const pali_confidence,
    pub image_id: i64,
    pub file_name: *const ::std::os::raw::c_char,
    pub categories: *const *const ::std::os::raw::c_char,
    pub n_categories: usize,
    pub uncompressed_rle: i32,
    pub reserved_0: i32,
    pub reserved: [u64; 4usize],
}
extern "C" {
    pub fn pali_coco_options_init(options: *mut pali_coco_options);
}
extern "C" {
    pub fn pali_detections_to_coco(
        json: *mut *mut ::std::os::raw::c_char,
        detections: *const pali_detections,
        width: i32,
        height: i32,
        options: *const pali_coco_options,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_detections_from_coco(
        out: *mut *mut pali_detections,
        json: *const ::std::os::raw::c_char,
        width: i32,
        height: i32,
        options: *const pali_coco_options,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_config {
    _unused: [u8; 0],
}
extern "C" {
    pub fn pali_config_load(
        out: *mut *mut pali_config,
        path: *const ::std::os::raw::c_char,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_config_free(config: *mut pali_config);
}
extern "C" {
    pub fn pali_config_count(config: *const pali_config) -> usize;
}
extern "C" {
    pub fn pali_config_name(config: *const pali_config, index: usize) -> *const ::std::os::raw::c_char;
}
extern "C" {
    pub fn pali_config_get_int(
        config: *const pali_config,
        name: *const ::std::os::raw::c_char,
        value: *mut i64,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_config_get_float(
        config: *const pali_config,
        name: *const ::std::os::raw::c_char,
        value: *mut f64,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_config_get_string(
        config: *const pali_config,
        name: *const ::std::os::raw::c_char,
        value: *mut *const ::std::os::raw::c_char,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_model {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_model_options {
    pub struct_size: usize,
    pub dtype: pali_dtype,
    pub threads: i32,
    pub progress: pali_progress_fn,
    pub progress_user: *mut ::std::os::raw::c_void,
    pub adapters: *const *const ::std::os::raw::c_char,
    pub adapter_scales: *const f64,
    pub n_adapters: usize,
    pub copy_weights: i32,
    pub int8_head: i32,
    pub ignore_memory: i32,
    pub reserved1: i32,
    pub reserved: [u64; 2usize],
}
extern "C" {
    pub fn pali_model_options_init(options: *mut pali_model_options);
}
extern "C" {
    pub fn pali_model_load(
        out: *mut *mut pali_model,
        path: *const ::std::os::raw::c_char,
        options: *const pali_model_options,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_model_free(model: *mut pali_model);
}
extern "C" {
    pub fn pali_model_config(model: *const pali_model) -> *const pali_config;
}
extern "C" {
    pub fn pali_model_dtype(model: *const pali_model) -> pali_dtype;
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_adapter {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_image_features {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_image_features_options {
    pub struct_size: usize,
    pub adapter: *const pali_adapter,
    pub adapter_scale: f64,
    pub progress: pali_progress_fn,
    pub progress_user: *mut ::std::os::raw::c_void,
    pub threads: i32,
    pub reserved0: i32,
    pub reserved: [u64; 3usize],
}
extern "C" {
    pub fn pali_image_features_options_init(options: *mut pali_image_features_options);
}
extern "C" {
    pub fn pali_model_image_features(
        out: *mut *mut pali_image_features,
        model: *mut pali_model,
        pixel_values: *const pali_tensor,
        options: *const pali_image_features_options,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_image_features_create(
        out: *mut *mut pali_image_features,
        model: *mut pali_model,
        features: *const pali_tensor,
        divided: i32,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_image_features_free(features: *mut pali_image_features);
}
extern "C" {
    pub fn pali_image_features_tensor(features: *const pali_image_features) -> *const pali_tensor;
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_cache {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_cache_options {
    pub struct_size: usize,
    pub rows: i64,
    pub capacity: i64,
    pub fixed: i32,
    pub sliding: i32,
    pub dtype: pali_dtype,
    pub reserved0: i32,
    pub prefix: *const pali_cache,
    pub reserved: [u64; 4usize],
}
extern "C" {
    pub fn pali_cache_options_init(options: *mut pali_cache_options);
}
extern "C" {
    pub fn pali_cache_create(
        out: *mut *mut pali_cache,
        model: *mut pali_model,
        options: *const pali_cache_options,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_cache_fork(
        out: *mut *mut pali_cache,
        cache: *const pali_cache,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_cache_free(cache: *mut pali_cache);
}
extern "C" {
    pub fn pali_cache_rows(cache: *const pali_cache) -> i64;
}
extern "C" {
    pub fn pali_cache_length(cache: *const pali_cache, row: i64) -> i64;
}
extern "C" {
    pub fn pali_cache_size_bytes(cache: *const pali_cache) -> usize;
}
extern "C" {
    pub fn pali_cache_truncate(
        cache: *mut pali_cache,
        length: i64,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_cache_reset(cache: *mut pali_cache);
}
extern "C" {
    pub fn pali_cache_reorder(
        cache: *mut pali_cache,
        parents: *const i64,
        n: usize,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_cache_save(
        cache: *const pali_cache,
        path: *const ::std::os::raw::c_char,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_cache_load(
        out: *mut *mut pali_cache,
        model: *mut pali_model,
        path: *const ::std::os::raw::c_char,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_forward_options {
    pub struct_size: usize,
    pub cache: *mut pali_cache,
    pub features: *const pali_image_features,
    pub logits_to_keep: i64,
    pub logits_index: *const i64,
    pub n_logits_index: usize,
    pub prefix_length: i64,
    pub output_hidden_states: i32,
    pub output_attentions: i32,
    pub progress: pali_progress_fn,
    pub progress_user: *mut ::std::os::raw::c_void,
    pub cache_position: i64,
    pub attention_layers: *const i64,
    pub n_attention_layers: usize,
    pub attention_heads: *const i64,
    pub n_attention_heads: usize,
    pub image_states_divided: i32,
    pub output_vision_hidden_states: i32,
    pub adapter: *const pali_adapter,
    pub adapter_scale: f64,
    pub threads: i32,
    pub reserved0: i32,
    pub reserved: [u64; 7usize],
}
extern "C" {
    pub fn pali_forward_options_init(options: *mut pali_forward_options);
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_outputs {
    _unused: [u8; 0],
}
extern "C" {
    pub fn pali_model_forward(
        out: *mut *mut pali_outputs,
        model: *mut pali_model,
        inputs: *const pali_inputs,
        options: *const pali_forward_options,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_outputs_free(outputs: *mut pali_outputs);
}
extern "C" {
    pub fn pali_outputs_count(outputs: *const pali_outputs) -> usize;
}
extern "C" {
    pub fn pali_outputs_name(outputs: *const pali_outputs, index: usize) -> *const ::std::os::raw::c_char;
}
extern "C" {
    pub fn pali_outputs_get(
        outputs: *const pali_outputs,
        name: *const ::std::os::raw::c_char,
    ) -> *const pali_tensor;
}
extern "C" {
    pub fn pali_outputs_save(
        outputs: *const pali_outputs,
        path: *const ::std::os::raw::c_char,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_adapter_load(
        out: *mut *mut pali_adapter,
        model: *mut pali_model,
        path: *const ::std::os::raw::c_char,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_adapter_free(adapter: *mut pali_adapter);
}
extern "C" {
    pub fn pali_adapter_count(adapter: *const pali_adapter) -> usize;
}
extern "C" {
    pub fn pali_adapter_rank(adapter: *const pali_adapter) -> i64;
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_mask {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_mask_options {
    pub struct_size: usize,
    pub prefix_length: i64,
    pub past_length: i64,
    pub reserved: [u64; 4usize],
}
extern "C" {
    pub fn pali_mask_options_init(options: *mut pali_mask_options);
}
extern "C" {
    pub fn pali_mask_create(
        out: *mut *mut pali_mask,
        config: *const pali_config,
        inputs: *const pali_inputs,
        options: *const pali_mask_options,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_mask_free(mask: *mut pali_mask);
}
extern "C" {
    pub fn pali_mask_layer(mask: *const pali_mask, layer: i64) -> *const pali_tensor;
}
extern "C" {
    pub fn pali_mask_window(mask: *const pali_mask, layer: i64) -> i64;
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_mask_text_options {
    pub struct_size: usize,
    pub row: i64,
    pub layer: i64,
    pub tokens_per_image: i64,
    pub color: i32,
    pub reserved0: i32,
    pub reserved: [u64; 4usize],
}
extern "C" {
    pub fn pali_mask_text_options_init(options: *mut pali_mask_text_options);
}
extern "C" {
    pub fn pali_mask_text(
        text: *mut *mut ::std::os::raw::c_char,
        mask: *const pali_mask,
        options: *const pali_mask_text_options,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_mask_image(
        out: *mut *mut pali_image,
        mask: *const pali_mask,
        row: i64,
        layer: i64,
        scale: i32,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_heat_map_options {
    pub struct_size: usize,
    pub row: i64,
    pub image: i64,
    pub query: i64,
    pub layers: *const i64,
    pub n_layers: usize,
    pub heads: *const i64,
    pub n_heads: usize,
    pub reserved: [u64; 4usize],
}
extern "C" {
    pub fn pali_heat_map_options_init(options: *mut pali_heat_map_options);
}
extern "C" {
    pub fn pali_heat_map(
        map: *mut *mut f32,
        grid: *mut i64,
        config: *const pali_config,
        inputs: *const pali_inputs,
        outputs: *const pali_outputs,
        options: *const pali_heat_map_options,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_image_draw_map(
        image: *mut pali_image,
        map: *const f32,
        rows: i64,
        columns: i64,
        opacity: f64,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_chat_options {
    pub struct_size: usize,
    pub chat_template: *const ::std::os::raw::c_char,
    pub add_generation_prompt: i32,
    pub reserved0: i32,
    pub tools: *const ::std::os::raw::c_char,
    pub reserved: [u64; 4usize],
}
extern "C" {
    pub fn pali_chat_options_init(options: *mut pali_chat_options);
}
extern "C" {
    pub fn pali_processor_apply_chat_template(
        text: *mut *mut ::std::os::raw::c_char,
        processor: *const pali_processor,
        messages_json: *const ::std::os::raw::c_char,
        options: *const pali_chat_options,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_processor_chat_template(
        processor: *const pali_processor,
        name: *const ::std::os::raw::c_char,
    ) -> *const ::std::os::raw::c_char;
}
extern "C" {
    pub fn pali_hub_path(
        path: *mut *mut ::std::os::raw::c_char,
        id: *const ::std::os::raw::c_char,
        revision: *const ::std::os::raw::c_char,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_checkpoint {
    _unused: [u8; 0],
}
extern "C" {
    pub fn pali_checkpoint_open(
        out: *mut *mut pali_checkpoint,
        path: *const ::std::os::raw::c_char,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_checkpoint_free(checkpoint: *mut pali_checkpoint);
}
extern "C" {
    pub fn pali_checkpoint_count(checkpoint: *const pali_checkpoint) -> usize;
}
extern "C" {
    pub fn pali_checkpoint_name(
        checkpoint: *const pali_checkpoint,
        index: usize,
    ) -> *const ::std::os::raw::c_char;
}
extern "C" {
    pub fn pali_checkpoint_tensor(
        checkpoint: *const pali_checkpoint,
        index: usize,
        tensor: *mut pali_tensor,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_checkpoint_size(checkpoint: *const pali_checkpoint) -> i64;
}
extern "C" {
    pub fn pali_checkpoint_compare(
        checkpoint: *const pali_checkpoint,
        config: *const pali_config,
        missing: *mut *mut ::std::os::raw::c_char,
        unexpected: *mut *mut ::std::os::raw::c_char,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_compare_options {
    pub struct_size: usize,
    pub atol: f64,
    pub rtol: f64,
    pub reserved: [u64; 4usize],
}
extern "C" {
    pub fn pali_compare_options_init(options: *mut pali_compare_options);
}
pub const PALI_DIFFERENCE_NONE: pali_difference_kind = 0;
pub const PALI_DIFFERENCE_VALUES: pali_difference_kind = 1;
pub const PALI_DIFFERENCE_SHAPE: pali_difference_kind = 2;
pub const PALI_DIFFERENCE_MISSING_A: pali_difference_kind = 3;
pub const PALI_DIFFERENCE_MISSING_B: pali_difference_kind = 4;
pub type pali_difference_kind = ::std::os::raw::c_uint;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_difference {
    pub name: *const ::std::os::raw::c_char,
    pub kind: pali_difference_kind,
    pub rank: i32,
    pub count: i64,
    pub n_departing: i64,
    pub n_nan_a: i64,
    pub n_nan_b: i64,
    pub max_abs: f64,
    pub max_rel: f64,
    pub rms: f64,
    pub first_index: [i64; 8usize],
    pub max_index: [i64; 8usize],
    pub first_a: f64,
    pub first_b: f64,
    pub max_a: f64,
    pub max_b: f64,
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_comparison {
    _unused: [u8; 0],
}
extern "C" {
    pub fn pali_compare(
        out: *mut *mut pali_comparison,
        a: *const pali_inputs,
        b: *const pali_inputs,
        options: *const pali_compare_options,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_comparison_free(comparison: *mut pali_comparison);
}
extern "C" {
    pub fn pali_comparison_count(comparison: *const pali_comparison) -> usize;
}
extern "C" {
    pub fn pali_comparison_get(comparison: *const pali_comparison, index: usize) -> *const pali_difference;
}
extern "C" {
    pub fn pali_comparison_first(comparison: *const pali_comparison) -> usize;
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_token {
    pub row: i64,
    pub id: i64,
    pub text: *const ::std::os::raw::c_char,
}
pub type pali_token_fn = ::core::option::Option<
    unsafe extern "C" fn(
        user: *mut ::std::os::raw::c_void,
        token: *const pali_token,
    ) -> ::std::os::raw::c_int,
>;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_token_list {
    pub ids: *const i64,
    pub n_ids: usize,
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_logit_bias {
    pub id: i64,
    pub bias: f32,
}
pub type pali_token_mask_fn = ::core::option::Option<
    unsafe extern "C" fn(
        user: *mut ::std::os::raw::c_void,
        row: i64,
        ids: *const i64,
        n_ids: usize,
        allowed: *mut u8,
        vocab_size: i64,
    ) -> ::std::os::raw::c_int,
>;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_constraint {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_generate_options {
    pub struct_size: usize,
    pub max_new_tokens: i64,
    pub temperature: f64,
    pub top_k: i64,
    pub top_p: f64,
    pub seed: u64,
    pub num_beams: i64,
    pub on_token: pali_token_fn,
    pub on_token_user: *mut ::std::os::raw::c_void,
    pub features: *const pali_image_features,
    pub progress: pali_progress_fn,
    pub progress_user: *mut ::std::os::raw::c_void,
    pub min_p: f64,
    pub typical_p: f64,
    pub repetition_penalty: f64,
    pub presence_penalty: f64,
    pub frequency_penalty: f64,
    pub no_repeat_ngram_size: i64,
    pub logit_bias: *const pali_logit_bias,
    pub n_logit_bias: usize,
    pub bad_words: *const pali_token_list,
    pub n_bad_words: usize,
    pub force_words: *const pali_token_list,
    pub n_force_words: usize,
    pub min_new_tokens: i64,
    pub eos_token_ids: *const i64,
    pub n_eos_token_ids: usize,
    pub stop_strings: *const *const ::std::os::raw::c_char,
    pub n_stop_strings: usize,
    pub num_return_sequences: i64,
    pub best_of: i64,
    pub length_penalty: f64,
    pub early_stopping: i32,
    pub logprobs: i32,
    pub top_logprobs: i64,
    pub prompt_lookup_num_tokens: i64,
    pub constraint: *const pali_constraint,
    pub token_mask: pali_token_mask_fn,
    pub token_mask_user: *mut ::std::os::raw::c_void,
    pub cache: *mut pali_cache,
    pub adapter: *const pali_adapter,
    pub adapter_scale: f64,
    pub threads: i32,
    pub reserved0: i32,
    pub reserved: [u64; 7usize],
}
extern "C" {
    pub fn pali_generate_options_init(options: *mut pali_generate_options);
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_generation {
    _unused: [u8; 0],
}
extern "C" {
    pub fn pali_generate(
        out: *mut *mut pali_generation,
        model: *mut pali_model,
        inputs: *const pali_inputs,
        options: *const pali_generate_options,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_generation_free(generation: *mut pali_generation);
}
extern "C" {
    pub fn pali_generation_rows(generation: *const pali_generation) -> i64;
}
extern "C" {
    pub fn pali_generation_text(
        generation: *const pali_generation,
        row: i64,
    ) -> *const ::std::os::raw::c_char;
}
extern "C" {
    pub fn pali_generation_token_ids(
        generation: *const pali_generation,
        row: i64,
        n_ids: *mut usize,
    ) -> *const i64;
}
extern "C" {
    pub fn pali_generation_logprobs(
        generation: *const pali_generation,
        row: i64,
        n: *mut usize,
    ) -> *const f64;
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_token_logprob {
    pub id: i64,
    pub logprob: f64,
}
extern "C" {
    pub fn pali_generation_top_logprobs(
        generation: *const pali_generation,
        row: i64,
        token: usize,
        n: *mut usize,
    ) -> *const pali_token_logprob;
}
extern "C" {
    pub fn pali_generation_score(generation: *const pali_generation, row: i64) -> f64;
}
pub const PALI_FINISH_EOS: pali_finish_reason = 1;
pub const PALI_FINISH_LENGTH: pali_finish_reason = 2;
pub const PALI_FINISH_CANCELLED: pali_finish_reason = 3;
pub const PALI_FINISH_STOP_STRING: pali_finish_reason = 4;
pub const PALI_FINISH_CONSTRAINT: pali_finish_reason = 5;
pub type pali_finish_reason = ::std::os::raw::c_uint;
extern "C" {
    pub fn pali_generation_finish_reason(generation: *const pali_generation, row: i64) -> pali_finish_reason;
}
extern "C" {
    pub fn pali_generation_passes(generation: *const pali_generation) -> i64;
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_timing {
    pub struct_size: usize,
    pub image_s: f64,
    pub prefill_s: f64,
    pub decode_s: f64,
    pub prompt_tokens: i64,
    pub decode_tokens: i64,
}
extern "C" {
    pub fn pali_timing_init(timing: *mut pali_timing);
}
extern "C" {
    pub fn pali_generation_timing(
        generation: *const pali_generation,
        timing: *mut pali_timing,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_constraint_choices(
        out: *mut *mut pali_constraint,
        processor: *const pali_processor,
        choices: *const *const ::std::os::raw::c_char,
        n_choices: usize,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_constraint_options {
    pub struct_size: usize,
    pub max_objects: i64,
    pub max_label_tokens: i64,
    pub allow_empty: i32,
    pub reserved0: i32,
    pub reserved: [u64; 4usize],
}
extern "C" {
    pub fn pali_constraint_options_init(options: *mut pali_constraint_options);
}
extern "C" {
    pub fn pali_constraint_detect(
        out: *mut *mut pali_constraint,
        processor: *const pali_processor,
        labels: *const *const ::std::os::raw::c_char,
        n_labels: usize,
        options: *const pali_constraint_options,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_constraint_segment(
        out: *mut *mut pali_constraint,
        processor: *const pali_processor,
        labels: *const *const ::std::os::raw::c_char,
        n_labels: usize,
        options: *const pali_constraint_options,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_constraint_free(constraint: *mut pali_constraint);
}
pub const PALI_POOLING_NONE: pali_pooling = 0;
pub const PALI_POOLING_MEAN: pali_pooling = 1;
pub type pali_pooling = ::std::os::raw::c_uint;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_embed_options {
    pub struct_size: usize,
    pub pooling: pali_pooling,
    pub normalize: i32,
    pub skip_projection: i32,
    pub threads: i32,
    pub progress: pali_progress_fn,
    pub progress_user: *mut ::std::os::raw::c_void,
    pub adapter: *const pali_adapter,
    pub adapter_scale: f64,
    pub reserved: [u64; 4usize],
}
extern "C" {
    pub fn pali_embed_options_init(options: *mut pali_embed_options);
}
extern "C" {
    pub fn pali_model_embedding_dim(model: *const pali_model) -> i64;
}
extern "C" {
    pub fn pali_embed(
        out: *mut *mut pali_outputs,
        model: *mut pali_model,
        inputs: *const pali_inputs,
        options: *const pali_embed_options,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_max_sim(
        scores: *mut f32,
        queries: *const pali_tensor,
        pages: *const pali_tensor,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_processor_apply_pages(
        out: *mut *mut pali_inputs,
        processor: *const pali_processor,
        images: *const *mut pali_image,
        n_images: usize,
        options: *const pali_apply_options,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_processor_apply_queries(
        out: *mut *mut pali_inputs,
        processor: *const pali_processor,
        texts: *const *const ::std::os::raw::c_char,
        n_texts: usize,
        options: *const pali_apply_options,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_machine {
    pub struct_size: usize,
    pub threads: i32,
    pub gemm_dtype: pali_dtype,
    pub instruction_set: *const ::std::os::raw::c_char,
    pub read_bytes_per_s: f64,
    pub vision_flops_per_s: f64,
    pub decoder_flops_per_s: f64,
    pub vision_bytes: i64,
    pub decoder_bytes: i64,
    pub vision_gemm_dtype: pali_dtype,
    pub decoder_gemm_dtype: pali_dtype,
    pub reserved: [u64; 1usize],
}
extern "C" {
    pub fn pali_machine_init(machine: *mut pali_machine);
}
extern "C" {
    pub fn pali_machine_measure(
        machine: *mut pali_machine,
        model: *const pali_model,
        n_tokens: i64,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_memory_forecast {
    pub struct_size: usize,
    pub weights_mapped: i64,
    pub weights_copied: i64,
    pub vision: i64,
    pub activations: i64,
    pub cache_per_token: i64,
    pub cache: i64,
    pub total: i64,
    pub available: i64,
    pub reserved: [u64; 4usize],
}
extern "C" {
    pub fn pali_memory_forecast_init(forecast: *mut pali_memory_forecast);
}
extern "C" {
    pub fn pali_model_forecast_memory(
        forecast: *mut pali_memory_forecast,
        path: *const ::std::os::raw::c_char,
        options: *const pali_model_options,
        n_tokens: i64,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
pub const PALI_INT8_WEIGHT_ONLY: pali_quantization_scheme = 1;
pub const PALI_INT4_WEIGHT_ONLY: pali_quantization_scheme = 2;
pub const PALI_INT8_DYNAMIC: pali_quantization_scheme = 3;
pub type pali_quantization_scheme = ::std::os::raw::c_uint;
extern "C" {
    pub fn pali_quantization_scheme_name(scheme: pali_quantization_scheme) -> *const ::std::os::raw::c_char;
}
pub const PALI_QUANTIZE_DECODER: pali_quantization_part = 1;
pub const PALI_QUANTIZE_VISION: pali_quantization_part = 2;
pub const PALI_QUANTIZE_PROJECTOR: pali_quantization_part = 4;
pub const PALI_QUANTIZE_HEAD: pali_quantization_part = 8;
pub type pali_quantization_part = ::std::os::raw::c_uint;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_quantize_options {
    pub struct_size: usize,
    pub scheme: pali_quantization_scheme,
    pub group_size: i32,
    pub zero_points: i32,
    pub parts: i32,
    pub largest_value_scales: i32,
    pub calibration: *const *const pali_inputs,
    pub n_calibration: usize,
    pub max_shard_size: i64,
    pub threads: i32,
    pub reserved0: i32,
    pub progress: pali_progress_fn,
    pub progress_user: *mut ::std::os::raw::c_void,
    pub reserved: [u64; 8usize],
}
extern "C" {
    pub fn pali_quantize_options_init(options: *mut pali_quantize_options);
}
extern "C" {
    pub fn pali_quantize(
        in_dir: *const ::std::os::raw::c_char,
        out_dir: *const ::std::os::raw::c_char,
        options: *const pali_quantize_options,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
pub const PALI_NAMES_TRANSFORMERS_4: pali_name_style = 1;
pub const PALI_NAMES_TRANSFORMERS_5: pali_name_style = 2;
pub const PALI_NAMES_MODULES_4: pali_name_style = 3;
pub const PALI_NAMES_MODULES_5: pali_name_style = 4;
pub type pali_name_style = ::std::os::raw::c_uint;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_save_options {
    pub struct_size: usize,
    pub dtype: pali_dtype,
    pub name_style: pali_name_style,
    pub max_shard_size: i64,
    pub write_tied_head: i32,
    pub reserved0: i32,
    pub adapters: *const *const ::std::os::raw::c_char,
    pub adapter_scales: *const f64,
    pub n_adapters: usize,
    pub progress: pali_progress_fn,
    pub progress_user: *mut ::std::os::raw::c_void,
    pub reserved: [u64; 8usize],
}
extern "C" {
    pub fn pali_save_options_init(options: *mut pali_save_options);
}
extern "C" {
    pub fn pali_checkpoint_save(
        in_dir: *const ::std::os::raw::c_char,
        out_dir: *const ::std::os::raw::c_char,
        options: *const pali_save_options,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_scores {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct pali_score_options {
    pub struct_size: usize,
    pub features: *const pali_image_features,
    pub without_eos: i32,
    pub threads: i32,
    pub progress: pali_progress_fn,
    pub progress_user: *mut ::std::os::raw::c_void,
    pub adapter: *const pali_adapter,
    pub adapter_scale: f64,
    pub reserved: [u64; 8usize],
}
extern "C" {
    pub fn pali_score_options_init(options: *mut pali_score_options);
}
extern "C" {
    pub fn pali_score(
        out: *mut *mut pali_scores,
        model: *mut pali_model,
        prefix: *const pali_inputs,
        suffixes: *const *const ::std::os::raw::c_char,
        n_suffixes: usize,
        options: *const pali_score_options,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_score_tokens(
        out: *mut *mut pali_scores,
        model: *mut pali_model,
        prefix: *const pali_inputs,
        suffixes: *const pali_token_list,
        n_suffixes: usize,
        options: *const pali_score_options,
        error: *mut *mut pali_error,
    ) -> pali_status;
}
extern "C" {
    pub fn pali_scores_free(scores: *mut pali_scores);
}
extern "C" {
    pub fn pali_scores_count(scores: *const pali_scores) -> usize;
}
extern "C" {
    pub fn pali_scores_total(scores: *const pali_scores, index: usize) -> f64;
}
extern "C" {
    pub fn pali_scores_mean(scores: *const pali_scores, index: usize) -> f64;
}
extern "C" {
    pub fn pali_scores_token_logprobs(
        scores: *const pali_scores,
        index: usize,
        n_tokens: *mut usize,
    ) -> *const f32;
}
extern "C" {
    pub fn pali_scores_token_ids(
        scores: *const pali_scores,
        index: usize,
        n_tokens: *mut usize,
    ) -> *const i64;
}
pub const PALI_SCORE_BY_TOTAL: pali_score_order = 0;
pub const PALI_SCORE_BY_MEAN: pali_score_order = 1;
pub type pali_score_order = ::std::os::raw::c_uint;
extern "C" {
    pub fn pali_scores_ranking(scores: *const pali_scores, order: pali_score_order) -> *const usize;
}
