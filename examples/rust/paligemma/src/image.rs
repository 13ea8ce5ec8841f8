// SPDX-License-Identifier: BSD-2-Clause
//! Pictures: opened, decoded or made of pixels; resized, drawn on, saved.
use crate::error::{check, make};
use crate::{sys, text, Error, Result};
use std::fmt;
use std::path::Path;

handle! {
    /// A picture of 8-bit RGB, from a PNG, JPEG, PPM or PGM file or from pixels.
    Image, pali_image, pali_image_free
}
shared_between_threads!(Image);

/// What becomes of an alpha channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alpha {
    /// It is ignored, as Pillow's `convert("RGB")` and Transformers 4.x do.
    Drop,
    /// The picture is laid over white, as Transformers 5.x does.
    White,
}

/// Kinds of interpolation; all are bicubic with antialiasing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resample {
    /// To the bit as Pillow 13.
    Pillow,
    /// To the bit as torchvision on 8-bit values.
    Torchvision,
    /// To the bit as Pillow up to 12.
    Pillow12,
}

impl Resample {
    pub(crate) fn to_c(self) -> sys::pali_resample {
        match self {
            Self::Pillow => sys::PALI_RESAMPLE_PILLOW,
            Self::Torchvision => sys::PALI_RESAMPLE_TORCHVISION,
            Self::Pillow12 => sys::PALI_RESAMPLE_PILLOW_12,
        }
    }
}

/// How files become pictures.
///
/// ```no_run
/// # fn main() -> paligemma::Result<()> {
/// let image = paligemma::ImageOptions::new().exif_orientation(true).open("photo.jpg")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct ImageOptions {
    raw: sys::pali_image_options,
}

impl ImageOptions {
    /// Alpha dropped, orientation as the file has it, at most 178,956,970 pixels: what Pillow does.
    pub fn new() -> Self {
        Self::default()
    }

    /// What becomes of an alpha channel.
    pub fn alpha(mut self, alpha: Alpha) -> Self {
        self.raw.alpha = match alpha {
            Alpha::Drop => sys::PALI_ALPHA_DROP,
            Alpha::White => sys::PALI_ALPHA_WHITE,
        };
        self
    }

    /// Whether the picture is turned as its EXIF orientation says.
    pub fn exif_orientation(mut self, turn: bool) -> Self {
        self.raw.exif_orientation = turn.into();
        self
    }

    /// Larger pictures are [`Error::Limit`].
    pub fn max_pixels(mut self, pixels: usize) -> Self {
        self.raw.max_pixels = text::int(pixels);
        self
    }

    /// Decodes the file `path`, whose kind is told by its first bytes.
    pub fn open(&self, path: impl AsRef<Path>) -> Result<Image> {
        let path = text::c_path(path)?;
        // SAFETY: all arguments live for the call.
        make(|out, error| unsafe { sys::pali_image_open(out, path.as_ptr(), &self.raw, error) })
            .map(Image::from_raw)
    }

    /// Decodes a file that is in memory.
    pub fn decode(&self, data: &[u8]) -> Result<Image> {
        let (start, size) = (data.as_ptr().cast(), data.len());
        // SAFETY: `data` has `size` bytes; all arguments live for the call.
        make(|out, error| unsafe { sys::pali_image_decode(out, start, size, &self.raw, error) })
            .map(Image::from_raw)
    }
}

/// What a file was before it became 8-bit RGB.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImageSource {
    /// "PNG", "JPEG" or "PPM"; `None` if the picture came from pixels.
    pub format: Option<&'static str>,
    /// Pillow's name of its mode, such as "RGBA".
    pub mode: Option<&'static str>,
    /// In the file, before any turn.
    pub width: u32,
    /// In the file, before any turn.
    pub height: u32,
    /// Bits of a sample.
    pub bits: u32,
    /// Whether it has an alpha channel or transparent colours.
    pub transparency: bool,
    /// EXIF orientation, 1…8; 1 if there is none.
    pub orientation: u32,
    /// Whether that has been applied.
    pub turned: bool,
}

impl Image {
    /// Decodes the file `path` with the default [`ImageOptions`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        ImageOptions::new().open(path)
    }

    /// Decodes a file that is in memory with the default [`ImageOptions`].
    pub fn decode(data: &[u8]) -> Result<Self> {
        ImageOptions::new().decode(data)
    }

    /// Copies `height` rows of `width` RGB triples, which lie one after another.
    pub fn from_rgb(rgb: &[u8], width: u32, height: u32) -> Result<Self> {
        Self::from_rgb_rows(rgb, width, height, width as usize * 3)
    }

    /// The same with rows that lie `stride` bytes apart.
    pub fn from_rgb_rows(rgb: &[u8], width: u32, height: u32, stride: usize) -> Result<Self> {
        let row = width as usize * 3;
        let needed =
            (height as usize).saturating_sub(1).checked_mul(stride).and_then(|size| size.checked_add(row));
        if stride < row || needed.map_or(true, |needed| needed > rgb.len()) {
            return Err(Error::Shape(format!(
                "{} bytes with rows {stride} apart are no RGB picture of {width} × {height}",
                rgb.len()
            )));
        }
        let (width, height) = (side(width)?, side(height)?);
        // SAFETY: `rgb` has all rows, as was just seen.
        make(|out, error| unsafe { sys::pali_image_create(out, rgb.as_ptr(), width, height, stride, error) })
            .map(Self::from_raw)
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        // SAFETY: the image lives for the call.
        unsafe { sys::pali_image_width(self.as_ptr()) as u32 }
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        // SAFETY: the image lives for the call.
        unsafe { sys::pali_image_height(self.as_ptr()) as u32 }
    }

    /// RGB triples, row by row from the top.
    pub fn pixels(&self) -> &[u8] {
        let count = self.width() as usize * self.height() as usize * 3;
        // SAFETY: the pixels are as many, and live and stay as they are while the image is borrowed.
        unsafe { text::array(sys::pali_image_pixels(self.as_ptr()), count) }
    }

    /// What the file was that it came from.
    pub fn source(&self) -> Result<ImageSource> {
        let mut raw = sys::pali_image_source::default();
        // SAFETY: `raw` says how large it is; the texts are static.
        unsafe {
            check(|error| sys::pali_image_get_source(self.as_ptr(), &mut raw, error))?;
            Ok(ImageSource {
                format: text::borrowed(raw.format),
                mode: text::borrowed(raw.mode),
                width: raw.width as u32,
                height: raw.height as u32,
                bits: raw.bits as u32,
                transparency: raw.transparency != 0,
                orientation: raw.orientation as u32,
                turned: raw.turned != 0,
            })
        }
    }

    /// A resized copy, both sides 1…65535.
    pub fn resize(&self, width: u32, height: u32, resample: Resample) -> Result<Self> {
        let (width, height) = (side(width)?, side(height)?);
        // SAFETY: the image lives for the call.
        make(|out, error| unsafe {
            sys::pali_image_resize(out, self.as_ptr(), width, height, resample.to_c(), error)
        })
        .map(Self::from_raw)
    }

    /// Draws the outline of a box, [x_min, y_min, x_max, y_max] in pixels, inward; what is outside is cut off.
    pub fn draw_box(&mut self, corners: [f64; 4], thickness: u32, rgb: [u8; 3]) {
        let thickness = i32::try_from(thickness).unwrap_or(i32::MAX);
        let [x_min, y_min, x_max, y_max] = corners;
        // SAFETY: all arguments live for the call, and nobody else has the image.
        unsafe {
            sys::pali_image_draw_box(self.as_ptr(), x_min, y_min, x_max, y_max, thickness, rgb.as_ptr());
        }
    }

    /// Writes `text` with its upper left corner at (x, y), in letters of 6 × 9 pixels times `scale`, 1…1000.
    pub fn draw_text(&mut self, x: i32, y: i32, text: &str, scale: u32, rgb: [u8; 3]) -> Result<()> {
        let (text, scale) = (text::c_text(text)?, text_scale(scale)?);
        // SAFETY: all arguments live for the call, and nobody else has the image.
        unsafe { sys::pali_image_draw_text(self.as_ptr(), x, y, text.as_ptr(), scale, rgb.as_ptr()) };
        Ok(())
    }

    /// Width and height of what [`draw_text`](Self::draw_text) covers.
    pub fn text_size(text: &str, scale: u32) -> Result<(u32, u32)> {
        let (text, scale) = (text::c_text(text)?, text_scale(scale)?);
        let (mut width, mut height) = (0, 0);
        // SAFETY: all arguments live for the call.
        unsafe { sys::pali_image_text_size(text.as_ptr(), scale, &mut width, &mut height) };
        Ok((width as u32, height as u32))
    }

    /// Lays a colour over the picture where `mask`, one byte a pixel, is not 0: by opacity (0…1) · mask / 255.
    pub fn blend(&mut self, mask: &[u8], opacity: f64, rgb: [u8; 3]) -> Result<()> {
        if mask.len() != self.width() as usize * self.height() as usize {
            return Err(Error::Shape(format!("{} bytes are no mask of this picture", mask.len())));
        }
        // SAFETY: `mask` has a byte for each pixel, and nobody else has the image.
        unsafe { sys::pali_image_blend(self.as_ptr(), mask.as_ptr(), opacity, rgb.as_ptr()) };
        Ok(())
    }

    /// Lays a heat map of `rows` rows over the picture, glowing where it is largest, `opacity` 0…1 there.
    pub fn draw_map(&mut self, map: &[f32], rows: usize, opacity: f64) -> Result<()> {
        if rows == 0 || map.is_empty() || map.len() % rows != 0 {
            return Err(Error::Shape(format!("{} values are no map of {rows} rows", map.len())));
        }
        let columns = text::int(map.len() / rows);
        // SAFETY: `map` has rows · columns values, and nobody else has the image.
        check(|error| unsafe {
            sys::pali_image_draw_map(self.as_ptr(), map.as_ptr(), text::int(rows), columns, opacity, error)
        })
    }

    /// Writes a PNG file.
    pub fn save_png(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = text::c_path(path)?;
        // SAFETY: all arguments live for the call.
        check(|error| unsafe { sys::pali_image_save_png(self.as_ptr(), path.as_ptr(), error) })
    }
}

/// A side as the library takes it.
pub(crate) fn side(length: u32) -> Result<i32> {
    i32::try_from(length).map_err(|_| Error::Limit(format!("a picture's side of {length} pixels")))
}

fn text_scale(scale: u32) -> Result<i32> {
    match i32::try_from(scale) {
        Ok(scale @ 1..=1000) => Ok(scale),
        _ => Err(Error::Argument(format!("a text scale of {scale}; 1…1000"))),
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Image").field("width", &self.width()).field("height", &self.height()).finish()
    }
}
