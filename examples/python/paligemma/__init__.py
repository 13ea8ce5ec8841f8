# SPDX-License-Identifier: BSD-2-Clause
"""PaliGemma on the CPU through libpaligemma, with the names of Hugging Face's Transformers.

    from paligemma import AutoProcessor, PaliGemmaForConditionalGeneration

    model = PaliGemmaForConditionalGeneration.from_pretrained("google/paligemma2-3b-mix-224")
    processor = AutoProcessor.from_pretrained("google/paligemma2-3b-mix-224")
    inputs = processor(images="cat.jpg", text="caption en")
    output = model.generate(**inputs, max_new_tokens=50)
    print(processor.decode(output[0], skip_special_tokens=True))
"""

from __future__ import annotations

from ._library import library_path, library_version
from .adapter import Adapter
from .auto import AutoConfig, AutoModelForImageTextToText, AutoProcessor, AutoTokenizer
from .batch import BatchFeature
from .cache import Cache
from .config import PaliGemmaConfig
from .constraint import Constraint
from .errors import (
    ArgumentError,
    BusyError,
    CancelledError,
    ClosedError,
    FileError,
    FormatError,
    InternalError,
    LimitError,
    OutOfMemoryError,
    PaliGemmaError,
    ShapeError,
    UnsupportedError,
)
from .features import ImageFeatures
from .generation_config import GenerationConfig, set_seed
from .hub import hub_path
from .image import Image
from .inputs import Inputs
from .model import PaliGemmaForConditionalGeneration
from .outputs import GenerateOutput, PaliGemmaCausalLMOutputWithPast, Timing, Token, TokenLogprob
from .processor import PaliGemmaProcessor
from .streamers import BaseStreamer, TextIteratorStreamer, TextStreamer, TokenStream
from .tokenizer import Tokenizer

__version__ = "0.1.0"

__all__ = [name for name in dir() if not name.startswith("_") and name not in ("annotations",)]
