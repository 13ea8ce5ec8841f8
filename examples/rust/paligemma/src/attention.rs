// SPDX-License-Identifier: BSD-2-Clause
//! Who looks at whom, and where in a picture a token looks.
use crate::error::{check, make};
use crate::{sys, text, Config, Image, Inputs, Outputs, Result, Tensor};
use std::{fmt, ptr};

handle! {
    /// Which keys each query sees, in each layer.
    AttentionMask, pali_mask, pali_mask_free
}
shared_between_threads!(AttentionMask);

/// How a mask is written out.
#[derive(Clone, Debug, Default)]
pub struct MaskTextOptions {
    raw: sys::pali_mask_text_options,
}

impl MaskTextOptions {
    /// Row 0, full and sliding layers side by side, five tokens of each picture.
    pub fn new() -> Self {
        Self::default()
    }

    /// The row of the batch.
    pub fn row(mut self, row: usize) -> Self {
        self.raw.row = text::int(row);
        self
    }

    /// One layer only.
    pub fn layer(mut self, layer: usize) -> Self {
        self.raw.layer = text::int(layer);
        self
    }

    /// This many tokens of each picture; 0: all.
    pub fn tokens_per_image(mut self, tokens: usize) -> Self {
        self.raw.tokens_per_image = text::int(tokens);
        self
    }

    /// With colours, by ANSI escapes.
    pub fn color(mut self, color: bool) -> Self {
        self.raw.color = color.into();
        self
    }
}

impl AttentionMask {
    /// The mask of a pass over `inputs`. `prefix_length` and `past_length` are as in a pass: without token types, so
    /// many leading tokens are prefix; so many are in a cache already.
    pub fn new(
        config: &Config,
        inputs: &Inputs,
        prefix_length: Option<usize>,
        past_length: usize,
    ) -> Result<Self> {
        let options = sys::pali_mask_options {
            prefix_length: text::int_or_off(prefix_length),
            past_length: text::int(past_length),
            ..Default::default()
        };
        // SAFETY: all arguments live for the call; the mask keeps none of them.
        make(|out, error| unsafe {
            sys::pali_mask_create(out, config.as_ptr(), inputs.as_ptr(), &options, error)
        })
        .map(Self::from_raw)
    }

    /// [batch, queries, keys] u8, 1 where decoder layer `layer` sees the key; `None` out of range.
    pub fn layer(&self, layer: usize) -> Option<Tensor<'_>> {
        // SAFETY: the mask lives for the call, the tensor as long as it.
        unsafe { Tensor::from_ptr(sys::pali_mask_layer(self.as_ptr(), text::int(layer))) }
    }

    /// The window of decoder layer `layer`, in tokens, if it has one.
    pub fn window(&self, layer: usize) -> Option<usize> {
        // SAFETY: the mask lives for the call.
        Some(text::size(unsafe { sys::pali_mask_window(self.as_ptr(), text::int(layer)) })).filter(|&n| n > 0)
    }

    /// The mask in the form of Transformers' AttentionMaskVisualizer.
    pub fn text(&self, options: &MaskTextOptions) -> Result<String> {
        // SAFETY: all arguments live for the call; the text is ours.
        make(|out, error| unsafe { sys::pali_mask_text(out, self.as_ptr(), &options.raw, error) })
            .map(text::owned)
    }

    /// The same as a picture, with squares of `scale` pixels (0: as large as is handy).
    pub fn image(&self, row: usize, layer: usize, scale: u32) -> Result<Image> {
        let (row, layer, scale) =
            (text::int(row), text::int(layer), i32::try_from(scale).unwrap_or(i32::MAX));
        // SAFETY: all arguments live for the call.
        make(|out, error| unsafe { sys::pali_mask_image(out, self.as_ptr(), row, layer, scale, error) })
            .map(Image::from_raw)
    }
}

impl fmt::Debug for AttentionMask {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("AttentionMask").field(&self.layer(0)).finish()
    }
}

/// Whose attention a heat map shows.
#[derive(Clone, Debug, Default)]
pub struct HeatMapOptions {
    raw: Place,
    layers: Option<Vec<i64>>,
    heads: Option<Vec<i64>>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    row: usize,
    image: usize,
    query: i64,
}

impl Default for Place {
    fn default() -> Self {
        Self { row: 0, image: 0, query: -1 }
    }
}

impl HeatMapOptions {
    /// The last token of row 0, the first picture, all layers and heads.
    pub fn new() -> Self {
        Self::default()
    }

    /// The row of the batch.
    pub fn row(mut self, row: usize) -> Self {
        self.raw.row = row;
        self
    }

    /// Which of the row's pictures.
    pub fn image(mut self, image: usize) -> Self {
        self.raw.image = image;
        self
    }

    /// The token that looks, by its position in the pass; negative ones count from the end.
    pub fn query(mut self, position: i64) -> Self {
        self.raw.query = position;
        self
    }

    /// Mean over these layers.
    pub fn layers(mut self, layers: &[i64]) -> Self {
        self.layers = Some(layers.to_vec());
        self
    }

    /// Mean over these heads.
    pub fn heads(mut self, heads: &[i64]) -> Self {
        self.heads = Some(heads.to_vec());
        self
    }
}

/// How much of one token's attention falls on each patch of a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatMap {
    /// Patches along each side.
    pub grid: usize,
    /// [grid, grid], row by row from the top left; for [`Image::draw_map`].
    pub values: Vec<f32>,
}

impl HeatMap {
    /// The map from the `attentions.N` that a pass over `inputs` returned.
    pub fn new(
        config: &Config,
        inputs: &Inputs,
        outputs: &Outputs,
        options: &HeatMapOptions,
    ) -> Result<Self> {
        let list =
            |list: &Option<Vec<i64>>| list.as_ref().map_or((ptr::null(), 0), |x| (x.as_ptr(), x.len()));
        let ((layers, n_layers), (heads, n_heads)) = (list(&options.layers), list(&options.heads));
        let options = sys::pali_heat_map_options {
            row: text::int(options.raw.row),
            image: text::int(options.raw.image),
            query: options.raw.query,
            layers,
            n_layers,
            heads,
            n_heads,
            ..Default::default()
        };
        let (mut map, mut grid) = (ptr::null_mut(), 0);
        // SAFETY: all arguments live for the call; the map has grid · grid values and is ours.
        unsafe {
            check(|error| {
                let (config, inputs, outputs) = (config.as_ptr(), inputs.as_ptr(), outputs.as_ptr());
                sys::pali_heat_map(&mut map, &mut grid, config, inputs, outputs, &options, error)
            })?;
            let grid = text::size(grid);
            Ok(Self { grid, values: text::owned_array(map, grid * grid) })
        }
    }
}
