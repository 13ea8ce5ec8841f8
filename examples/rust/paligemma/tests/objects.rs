// SPDX-License-Identifier: BSD-2-Clause
//! Objects, masks and pictures.
mod common;
use common::{prompt, scratch, shapes, source, tiny};
use paligemma::*;
use std::f32::consts::PI;

#[test]
fn objects_of_an_answer() {
    let (model, processor) = tiny();
    let inputs = prompt(&processor, "detect circle");
    let answer = model.generate(&inputs).logprobs(true).run().unwrap();
    let text = answer.text(0).unwrap();
    let found = Detections::parse(text).unwrap();
    assert_eq!((found.len(), found.is_empty(), found.get(1)), (1, false, None));
    let circle = found.get(0).unwrap();
    assert_eq!((circle.label, &circle.seg), ("circle", &None));
    assert_eq!(&text[circle.text.clone()], text);
    assert!(0.0 < circle.x_min && circle.x_min < circle.x_max && circle.x_max <= 1.0);

    let confidences = found.confidences(&processor, &answer, 0).unwrap();
    assert!(
        confidences[0].min > 0.0 && confidences[0].min <= confidences[0].mean && confidences[0].mean <= 1.0
    );
    let plain = model.generate(&inputs).run().unwrap();
    assert!(matches!(found.confidences(&processor, &plain, 0), Err(Error::Argument(_))));
    let other = Detections::parse("<loc0000><loc0000><loc0512><loc0512> cat").unwrap();
    assert!(matches!(other.confidences(&processor, &answer, 0), Err(Error::Argument(_))));

    let objects: Vec<Detection<'_>> = found.iter().collect();
    assert_eq!(encode_detections(&objects, 1024).unwrap(), text);
    let bad = Detection { label: "a;b", ..Detection::default() };
    assert!(matches!(encode_detections(&[bad], 1024), Err(Error::Argument(_))));

    let coco =
        CocoOptions::new().file_name("shapes.png").categories(["square", "circle"]).confidences(&confidences);
    let json = found.to_coco(640, 480, &coco).unwrap();
    assert!(
        json.contains("\"file_name\": \"shapes.png\"") || json.contains("\"file_name\":\"shapes.png\""),
        "{json}"
    );
    let back = Detections::from_coco(&json, 0, 0, &CocoOptions::new()).unwrap();
    assert_eq!(back.get(0).unwrap().label, "circle");
    assert!((back.get(0).unwrap().y_max - circle.y_max).abs() < 1e-9);
    assert!(matches!(Detections::from_coco("[", 0, 0, &CocoOptions::new()), Err(Error::Format(_))));

    let mut image = shapes();
    let before = image.pixels().to_vec();
    found
        .draw(&mut image, &DrawOptions::new().confidences(&confidences).thickness(2).text_scale(None))
        .unwrap();
    assert_ne!(image.pixels(), before);
}

/// A file of weights for the VQ-VAE: right in form, without training.
fn mask_weights() -> std::path::PathBuf {
    let same = |name: &'static str, n_in, n_out, side| (name, [n_out, n_in, side, side], n_out);
    let up = |name: &'static str, n_in, n_out| (name, [n_in, n_out, 4, 4], n_out);
    let layers = [
        same("decoder.0", 512, 128, 1),
        same("decoder.2.net.0", 128, 128, 3),
        same("decoder.2.net.2", 128, 128, 3),
        same("decoder.2.net.4", 128, 128, 1),
        same("decoder.3.net.0", 128, 128, 3),
        same("decoder.3.net.2", 128, 128, 3),
        same("decoder.3.net.4", 128, 128, 1),
        up("decoder.4", 128, 128),
        up("decoder.6", 128, 64),
        up("decoder.8", 64, 32),
        up("decoder.10", 32, 16),
        same("decoder.12", 16, 1, 1),
    ];
    let mut file = Inputs::new().unwrap();
    let mut set = |name: &str, shape: &[usize], scale: f32| {
        let values: Vec<f32> =
            (0..shape.iter().product()).map(|i| scale * ((i as f32) * 0.7).sin()).collect();
        file.set(name, Tensor::new(shape, &values).unwrap()).unwrap();
    };
    set("_vq_vae._embedding", &[128, 512], 1.0);
    for (name, shape, n_out) in layers {
        let seen = (shape.iter().product::<usize>() / n_out) as f32;
        set(&format!("{name}.weight"), &shape, (6.0 / seen).sqrt());
        set(&format!("{name}.bias"), &[n_out], 0.1);
    }
    let path = scratch("mask-weights.safetensors");
    file.save(&path).unwrap();
    path
}

#[test]
fn masks_in_pictures() {
    let decoder = MaskDecoder::load(mask_weights()).unwrap();
    assert!(!decoder.has_encoder());
    let seg: [i32; SEG_TOKENS] = std::array::from_fn(|i| 8 * i as i32);
    let mask = decoder.decode(&seg).unwrap();
    assert_eq!(mask.values().len(), SEGMENT_SIDE * SEGMENT_SIDE);
    assert!(mask.values().iter().all(|value| value.is_finite()));
    assert_ne!(mask, decoder.decode(&[0; SEG_TOKENS]).unwrap());
    assert!(matches!(decoder.decode(&[128; SEG_TOKENS]), Err(Error::Argument(_))));
    assert!(matches!(decoder.encode(&mask), Err(Error::Unsupported(_))));
    assert!(matches!(MaskDecoder::load("/nowhere.npz"), Err(Error::Io(_))));

    // A disc, laid into the middle of a picture and cut out again.
    let disc = |i: usize| {
        let (y, x) = ((i / SEGMENT_SIDE) as f32 - 31.5, (i % SEGMENT_SIDE) as f32 - 31.5);
        if y.hypot(x) < 24.0 {
            1.0
        } else {
            -1.0
        }
    };
    let disc = SegmentMask::from_values((0..SEGMENT_SIDE * SEGMENT_SIDE).map(disc).collect()).unwrap();
    let place = Detection { y_min: 0.25, x_min: 0.25, y_max: 0.75, x_max: 0.75, ..Detection::default() };
    assert_eq!(place.pixels(128, 128, SegmentForm::Hard), Some([32, 32, 96, 96]));
    assert_eq!(Detection::default().pixels(128, 128, SegmentForm::Soft), None);
    let picture = disc.paste(&place, 128, 128, SegmentForm::Hard).unwrap();
    let area = picture.iter().filter(|&&byte| byte == 255).count() as f32;
    assert!((area - PI * 24.0 * 24.0).abs() < 40.0, "{area}");
    let back = SegmentMask::crop(&picture, 128, 128, &place).unwrap();
    let agree = back.values().iter().zip(disc.values()).filter(|(a, b)| (**a > 0.5) == (**b > 0.0)).count();
    assert_eq!(agree, SEGMENT_SIDE * SEGMENT_SIDE);

    let runs = rle_encode(&picture, 128, 128).unwrap();
    assert_eq!(runs.iter().sum::<u32>(), 128 * 128);
    let text = rle_to_text(&runs).unwrap();
    assert_eq!(rle_from_text(&text).unwrap(), runs);
    let ones: Vec<u8> = picture.iter().map(|&byte| byte / 255).collect();
    assert_eq!(rle_decode(&runs, 128, 128).unwrap(), ones);
    assert!(matches!(rle_decode(&runs, 127, 128), Err(Error::Format(_))));

    let tokens: String = seg.iter().map(|i| format!("<seg{i:03}>")).collect();
    let text = format!("<loc0256><loc0256><loc0768><loc0768>{tokens} disc");
    let found = Detections::parse(&text).unwrap();
    assert_eq!(found.get(0).unwrap().seg, Some(seg));
    let json = found.to_coco(128, 128, &CocoOptions::new().mask_decoder(&decoder)).unwrap();
    assert!(json.contains("segmentation"));
    let mut image = Image::from_rgb(&[9; 3 * 128 * 128], 128, 128).unwrap();
    image.blend(&picture, 1.0, [200, 100, 0]).unwrap();
    assert_eq!(image.pixels()[3 * (64 * 128 + 64)..][..3], [200, 100, 0]);
    found.draw(&mut image, &DrawOptions::new().mask_decoder(&decoder).mask_opacity(0.4)).unwrap();
}

#[test]
fn pictures() {
    let path = source("examples/pictures/shapes.jpg");
    let image = Image::open(&path).unwrap();
    let decoded = Image::decode(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(image.pixels(), decoded.pixels());
    assert_eq!(image.pixels().len(), (image.width() * image.height() * 3) as usize);
    let file = image.source().unwrap();
    assert_eq!(
        (file.format, file.mode, file.width, file.orientation),
        (Some("JPEG"), Some("RGB"), image.width(), 1)
    );
    let copy = Image::from_rgb(image.pixels(), image.width(), image.height()).unwrap();
    assert_eq!((copy.pixels(), copy.source().unwrap().format), (image.pixels(), None));
    let strided = Image::from_rgb_rows(&[1, 2, 3, 0, 0, 4, 5, 6], 1, 2, 5).unwrap();
    assert_eq!(strided.pixels(), [1, 2, 3, 4, 5, 6]);
    let small = image.resize(20, 10, Resample::Torchvision).unwrap();
    assert_eq!((small.width(), small.height()), (20, 10));
    assert!(matches!(image.resize(0, 10, Resample::Pillow), Err(Error::Argument(_))));

    let mut canvas = Image::from_rgb(&[0; 3 * 40 * 30], 40, 30).unwrap();
    canvas.draw_box([1.0, 1.0, 38.0, 28.0], 1, [255, 0, 0]);
    canvas.draw_text(5, 5, "abc", 1, [0, 255, 0]).unwrap();
    assert_eq!(Image::text_size("abc", 2).unwrap(), (36, 18));
    assert!(canvas.pixels().chunks(3).any(|rgb| rgb == [255, 0, 0]));
    assert!(canvas.pixels().chunks(3).any(|rgb| rgb == [0, 255, 0]));
    canvas.draw_map(&[0.0, 1.0, 2.0, 3.0], 2, 0.5).unwrap();
    let path = scratch("canvas.png");
    canvas.save_png(&path).unwrap();
    assert_eq!(ImageOptions::new().alpha(Alpha::White).open(&path).unwrap().pixels(), canvas.pixels());
}
