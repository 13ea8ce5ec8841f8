# SPDX-License-Identifier: BSD-2-Clause
"""Image features: computed once, used in any number of passes and generations."""

from __future__ import annotations

from typing import Any, Optional, Tuple

import numpy as np

from ._arrays import view
from ._handle import Handle, Keep
from ._library import lib


class ImageFeatures(Handle):
    """What the tower and the projector make of pictures; immutable, of one model, for any number of threads.

    An array: np.asarray(features) is a read-only view [images, tokens per image, hidden] float32, not divided by
    sqrt(hidden) (Transformers 5.4 and later).
    """

    _free = "pali_image_features_free"

    @property
    def array(self) -> np.ndarray[Any, Any]:
        """The view; it keeps the features alive."""
        return self._view(writable=False)

    def _view(self, writable: bool) -> np.ndarray[Any, Any]:
        with self.borrow() as features:
            return view(lib.pali_image_features_tensor(features).contents, Keep(self), writable)

    @property
    def shape(self) -> Tuple[int, ...]:
        """(images, tokens per image, hidden)."""
        return self.array.shape

    @property
    def pooler_output(self) -> np.ndarray[Any, Any]:
        """The array, under the name that Transformers' get_image_features gives it."""
        return self.array

    def __array__(self, dtype: Any = None, copy: Optional[bool] = None) -> np.ndarray[Any, Any]:
        array = self.array
        return array.astype(dtype) if dtype is not None and dtype != array.dtype else array.copy() if copy else array

    def __dlpack__(self, **options: Any) -> Any:
        # DLPack before version 1 cannot say "read only", and NumPy then refuses; who takes it must not write.
        return self._view(writable=True).__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self.array.__dlpack_device__()
