/* SPDX-License-Identifier: BSD-2-Clause */
/* NumPy's .npz: a zip archive whose members are .npy files, one array each. */
#ifndef PALI_CHECKPOINT_NPZ_H
#define PALI_CHECKPOINT_NPZ_H

#include "checkpoint/safetensors.h"

/* The arrays of an archive, named as in np.load (without ".npy"), in the form in which a safetensors file comes. What
 * holds for pali__safetensors_parse holds here; ended by pali__safetensors_close. */
pali_status pali__npz_parse(struct pali__safetensors *out, const unsigned char *data, size_t size, const char *path,
                            pali_error **error);

/* A file of named tensors, .npz or safetensors: its first bytes tell which. */
pali_status pali__named_tensors_open(struct pali__safetensors *out, const char *path, pali_error **error);

#endif
