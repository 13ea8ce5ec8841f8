// SPDX-License-Identifier: BSD-2-Clause

package paligemma

// #include "bridge.h"
import "C"

import (
	"image"
	"image/color"
)

// cColor is a colour as the library takes it.
func cColor(c color.Color) *C.uint8_t {
	rgb := rgbOf(c)
	return (*C.uint8_t)(&rgb[0])
}

// drawing calls draw with the picture, which is its alone for the time.
func (i *Image) drawing(draw func(f *frame, picture *C.pali_image)) error {
	f := new(frame)
	defer f.end()
	picture := (*C.pali_image)(f.alone(i))
	if f.err != nil {
		return f.err
	}
	draw(f, picture)
	return f.err
}

// DrawBox draws the outline of the box, in pixels and clipped to the picture, inward, thickness pixels wide.
func (i *Image) DrawBox(xMin, yMin, xMax, yMax float64, thickness int, c color.Color) error {
	return i.drawing(func(_ *frame, picture *C.pali_image) {
		C.pali_image_draw_box(picture, C.double(xMin), C.double(yMin), C.double(xMax), C.double(yMax),
			clampInt32(thickness), cColor(c))
	})
}

// DrawText writes text with its upper left corner at (x, y), clipped to the picture, in a font of 5 × 7 pixels in cells of
// 6 × 9, times scale.
func (i *Image) DrawText(x, y int, text string, scale int, c color.Color) error {
	return i.drawing(func(f *frame, picture *C.pali_image) {
		if ctext := f.text(text); ctext != nil {
			C.pali_image_draw_text(picture, clampInt32(x), clampInt32(y), ctext, clampInt32(scale), cColor(c))
		}
	})
}

// TextSize is the size of what [Image.DrawText] covers.
func TextSize(text string, scale int) (image.Point, error) {
	f := new(frame)
	defer f.end()
	ctext := f.text(text)
	if f.err != nil {
		return image.Point{}, f.err
	}
	var width, height C.int32_t
	C.pali_image_text_size(ctext, clampInt32(scale), &width, &height)
	return image.Pt(int(width), int(height)), nil
}

// Blend lays a colour over the picture where mask, which must be of its size, is not 0: with an opacity of
// opacity · mask / 255, opacity being 0…1.
func (i *Image) Blend(mask *image.Gray, opacity float64, c color.Color) error {
	if mask == nil || mask.Rect.Dx() != i.width || mask.Rect.Dy() != i.height {
		return &Error{Code: ErrShape, Message: "the mask is not of the picture's size"}
	}
	return i.drawing(func(_ *frame, picture *C.pali_image) {
		C.pali_image_blend(picture, (*C.uint8_t)(first(packed(mask))), C.double(opacity), cColor(c))
	})
}

// packed is the mask's pixels without what may lie between its rows.
func packed(mask *image.Gray) []uint8 {
	width, height := mask.Rect.Dx(), mask.Rect.Dy()
	if mask.Stride == width {
		return mask.Pix[:width*height]
	}
	pixels := make([]uint8, 0, width*height)
	for y := 0; y < height; y++ {
		pixels = append(pixels, mask.Pix[y*mask.Stride:y*mask.Stride+width]...)
	}
	return pixels
}
