// SPDX-License-Identifier: BSD-2-Clause

package paligemma

// #include "bridge.h"
import "C"

import (
	"image"
	"image/color"
	"reflect"
	"unsafe"
)

// An Image is a picture of 8-bit RGB.
type Image struct {
	h             *handle
	width, height int
}

// An Alpha says what becomes of an alpha channel.
type Alpha int

const (
	AlphaDrop  Alpha = C.PALI_ALPHA_DROP  // ignore it, as Pillow's convert("RGB")
	AlphaWhite Alpha = C.PALI_ALPHA_WHITE // composite over white, as Transformers 5
)

// A Resample is a kind of interpolation, all of them bicubic.
type Resample int

const (
	ResamplePillow      Resample = C.PALI_RESAMPLE_PILLOW      // bit-exact to Pillow 13
	ResampleTorchvision Resample = C.PALI_RESAMPLE_TORCHVISION // bit-exact to torchvision on uint8
	ResamplePillow12    Resample = C.PALI_RESAMPLE_PILLOW_12   // bit-exact to Pillow up to 12
)

// ImageOptions say how files are decoded.
type ImageOptions struct {
	Alpha           Alpha
	EXIFOrientation bool // turn the picture as its EXIF orientation says
	MaxPixels       int  // refuse more than this with ErrLimit; 0: 178956970, as Pillow
}

func (o *ImageOptions) c() *C.pali_image_options {
	c := new(C.pali_image_options)
	C.pali_image_options_init(c)
	if o != nil {
		c.alpha = C.pali_alpha(o.Alpha)
		c.exif_orientation = flag(o.EXIFOrientation)
		if o.MaxPixels != 0 {
			c.max_pixels = C.int64_t(o.MaxPixels)
		}
	}
	return c
}

// OpenImage decodes a PNG, JPEG or PNM file. options may be nil.
func OpenImage(path string, options *ImageOptions) (*Image, error) {
	f := new(frame)
	defer f.end()
	cpath := f.text(path)
	if f.err != nil {
		return nil, f.err
	}
	var out *C.pali_image
	var cerr *C.pali_error
	return takeImage(&out, check(C.pali_image_open(&out, cpath, options.c(), &cerr), &cerr))
}

// DecodeImage decodes a PNG, JPEG or PNM file in memory. options may be nil.
func DecodeImage(data []byte, options *ImageOptions) (*Image, error) {
	var out *C.pali_image
	var cerr *C.pali_error
	status := C.pali_image_decode(&out, first(data), C.size_t(len(data)), options.c(), &cerr)
	return takeImage(&out, check(status, &cerr))
}

// NewImage copies a picture of Go's. An alpha channel is dropped, as [AlphaDrop] does: where it shall be composited, draw
// the picture on a background with image/draw first. Samples of 16 bits are cut to their upper 8.
//
// Go decodes PNG to the same pixels as this package, JPEG to slightly other ones: open those with [OpenImage] or
// [DecodeImage] to get what Pillow gives.
func NewImage(picture image.Image) (*Image, error) {
	if v := reflect.ValueOf(picture); picture == nil || v.Kind() == reflect.Pointer && v.IsNil() {
		return nil, argumentError("the picture is nil")
	}
	bounds := picture.Bounds()
	rgb := make([]uint8, 0, 3*bounds.Dx()*bounds.Dy())
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			c := rgbAt(picture, x, y)
			rgb = append(rgb, c[0], c[1], c[2])
		}
	}
	return NewImageRGB(rgb, bounds.Dx(), bounds.Dy())
}

// rgbAt is the colour of a pixel without its alpha. The usual kinds of picture are looked into directly.
func rgbAt(picture image.Image, x, y int) [3]uint8 {
	switch p := picture.(type) {
	case *image.NRGBA:
		i := p.PixOffset(x, y)
		return [3]uint8{p.Pix[i], p.Pix[i+1], p.Pix[i+2]}
	case *image.YCbCr:
		c := p.YCbCrAt(x, y)
		r, g, b := color.YCbCrToRGB(c.Y, c.Cb, c.Cr)
		return [3]uint8{r, g, b}
	case *image.Gray:
		v := p.Pix[p.PixOffset(x, y)]
		return [3]uint8{v, v, v}
	}
	return rgbOf(picture.At(x, y))
}

func rgbOf(c color.Color) [3]uint8 {
	n := color.NRGBAModel.Convert(c).(color.NRGBA)
	return [3]uint8{n.R, n.G, n.B}
}

// NewImageRGB copies height rows of width RGB triples, which lie one behind the other.
func NewImageRGB(rgb []uint8, width, height int) (*Image, error) {
	if width < 1 || height < 1 || len(rgb)/3/width != height || len(rgb) != 3*width*height {
		return nil, argumentError("the pixels are not width × height RGB triples")
	}
	var out *C.pali_image
	var cerr *C.pali_error
	status := C.pali_image_create(&out, (*C.uint8_t)(first(rgb)), C.int32_t(width), C.int32_t(height), 0, &cerr)
	return takeImage(&out, check(status, &cerr))
}

func takeImage(made **C.pali_image, err error) (*Image, error) {
	if err != nil {
		return nil, err
	}
	out := *made
	free := func(p unsafe.Pointer) { C.pali_image_free((*C.pali_image)(p)) }
	return &Image{newHandle(unsafe.Pointer(out), free), int(C.pali_image_width(out)), int(C.pali_image_height(out))}, nil
}

func (i *Image) base() *handle {
	if i == nil {
		return nil
	}
	return i.h
}

// Close gives the picture's memory back.
func (i *Image) Close() error { return closeObject(i) }

// Width is the number of pixels in a row.
func (i *Image) Width() int { return i.width }

// Height is the number of rows.
func (i *Image) Height() int { return i.height }

// RGBA returns a copy as a picture of Go's, opaque.
func (i *Image) RGBA() (*image.RGBA, error) {
	f := new(frame)
	defer f.end()
	picture := (*C.pali_image)(f.shared(i))
	if f.err != nil {
		return nil, f.err
	}
	out := image.NewRGBA(image.Rect(0, 0, i.width, i.height))
	rgb := unsafe.Slice((*uint8)(C.pali_image_pixels(picture)), 3*i.width*i.height)
	for n := 0; n < i.width*i.height; n++ {
		copy(out.Pix[4*n:4*n+3], rgb[3*n:3*n+3])
		out.Pix[4*n+3] = 255
	}
	return out, nil
}

// Resize returns a resized copy, both sides 1…65535.
func (i *Image) Resize(width, height int, resample Resample) (*Image, error) {
	f := new(frame)
	defer f.end()
	picture := (*C.pali_image)(f.shared(i))
	if f.err != nil {
		return nil, f.err
	}
	var out *C.pali_image
	var cerr *C.pali_error
	status := C.pali_image_resize(&out, picture, clampInt32(width), clampInt32(height), C.pali_resample(resample), &cerr)
	return takeImage(&out, check(status, &cerr))
}

// SavePNG writes an 8-bit RGB PNG.
func (i *Image) SavePNG(path string) error {
	f := new(frame)
	defer f.end()
	picture, cpath := (*C.pali_image)(f.shared(i)), f.text(path)
	if f.err != nil {
		return f.err
	}
	var cerr *C.pali_error
	return check(C.pali_image_save_png(picture, cpath, &cerr), &cerr)
}

// An ImageSource is what a file was before it became 8-bit RGB.
type ImageSource struct {
	Format        string // "PNG", "JPEG", "PPM"; "" if the picture came from pixels
	Mode          string // Pillow's name of its mode, such as "RGBA"
	Width, Height int    // in the file, before EXIF orientation
	Bits          int    // of a sample
	Transparency  bool   // it has an alpha channel or transparent colours
	Orientation   int    // EXIF, 1…8; 1 if there is none
	Turned        bool   // that orientation has been applied
}

// Source tells what the picture was decoded from.
func (i *Image) Source() (ImageSource, error) {
	f := new(frame)
	defer f.end()
	picture := (*C.pali_image)(f.shared(i))
	if f.err != nil {
		return ImageSource{}, f.err
	}
	var source C.pali_image_source
	C.pali_image_source_init(&source)
	var cerr *C.pali_error
	if err := check(C.pali_image_get_source(picture, &source, &cerr), &cerr); err != nil {
		return ImageSource{}, err
	}
	return ImageSource{
		Format:       C.GoString(source.format),
		Mode:         C.GoString(source.mode),
		Width:        int(source.width),
		Height:       int(source.height),
		Bits:         int(source.bits),
		Transparency: source.transparency != 0,
		Orientation:  int(source.orientation),
		Turned:       source.turned != 0,
	}, nil
}

// clampInt32 keeps what is out of int32_t's range out of the library's range too, instead of wrapping round.
func clampInt32(n int) C.int32_t {
	const limit = 1<<31 - 1
	switch {
	case n > limit:
		return limit
	case n < -limit:
		return -limit
	}
	return C.int32_t(n)
}
