// SPDX-License-Identifier: BSD-2-Clause

//go:build race

package paligemma_test

func init() { raceDetector = true }
