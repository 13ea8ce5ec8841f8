// SPDX-License-Identifier: BSD-2-Clause

package paligemma

// #include "bridge.h"
import "C"

// CompareOptions say when values a and b agree: |a - b| ≤ ATol + RTol·|b|.
type CompareOptions struct {
	ATol *float64 // nil: 1e-4
	RTol *float64 // nil: 1e-4
}

// A DifferenceKind says how a tensor differs.
type DifferenceKind int

const (
	DifferenceNone     DifferenceKind = C.PALI_DIFFERENCE_NONE
	DifferenceValues   DifferenceKind = C.PALI_DIFFERENCE_VALUES
	DifferenceShape    DifferenceKind = C.PALI_DIFFERENCE_SHAPE
	DifferenceMissingA DifferenceKind = C.PALI_DIFFERENCE_MISSING_A // only in the second set
	DifferenceMissingB DifferenceKind = C.PALI_DIFFERENCE_MISSING_B // only in the first set
)

// A Difference is what became of one tensor.
type Difference struct {
	Name                       string
	Kind                       DifferenceKind
	Count, Departing           int64   // values, and those that do not agree
	NaNsA, NaNsB               int64   // NaN in either
	MaxAbs, MaxRel, RMS        float64 // largest |a - b|, largest |a - b| / |b|, root of the mean of (a - b)²
	FirstIndex, MaxIndex       []int   // of the first value that departs, and of MaxAbs
	FirstA, FirstB, MaxA, MaxB float64 // the values there
}

// Compare compares two sets of tensors by name, in the order in which a forward pass computes them. first is the index of
// the first that departs, or the number of tensors if all is equal. options may be nil.
func Compare(a, b *Inputs, options *CompareOptions) (list []Difference, first int, err error) {
	f := new(frame)
	defer f.end()
	ca, cb := (*C.pali_inputs)(f.needed(a, "the first set")), (*C.pali_inputs)(f.needed(b, "the second set"))
	if f.err != nil {
		return nil, 0, f.err
	}
	var o C.pali_compare_options
	C.pali_compare_options_init(&o)
	if options != nil {
		setDouble(&o.atol, options.ATol)
		setDouble(&o.rtol, options.RTol)
	}
	var out *C.pali_comparison
	var cerr *C.pali_error
	if err := check(C.pali_compare(&out, ca, cb, &o, &cerr), &cerr); err != nil {
		return nil, 0, err
	}
	defer C.pali_comparison_free(out)
	list = make([]Difference, int(C.pali_comparison_count(out)))
	for i := range list {
		d := C.pali_comparison_get(out, C.size_t(i))
		list[i] = Difference{
			Name: C.GoString(d.name), Kind: DifferenceKind(d.kind),
			Count: int64(d.count), Departing: int64(d.n_departing),
			NaNsA: int64(d.n_nan_a), NaNsB: int64(d.n_nan_b),
			MaxAbs: float64(d.max_abs), MaxRel: float64(d.max_rel), RMS: float64(d.rms),
			FirstA: float64(d.first_a), FirstB: float64(d.first_b), MaxA: float64(d.max_a), MaxB: float64(d.max_b),
		}
		for n := 0; n < int(d.rank); n++ {
			list[i].FirstIndex = append(list[i].FirstIndex, int(d.first_index[n]))
			list[i].MaxIndex = append(list[i].MaxIndex, int(d.max_index[n]))
		}
	}
	return list, int(C.pali_comparison_first(out)), nil
}
