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
from .attention import AttentionMask, heat_map
from .auto import AutoConfig, AutoModelForImageTextToText, AutoProcessor, AutoTokenizer
from .batch import BatchFeature
from .cache import Cache
from .checkpoint import Checkpoint, save_checkpoint
from .compare import Difference, compare
from .config import PaliGemmaConfig
from .constraint import Constraint
from .detections import Detection, Detections, encode_detections
from .embeddings import embed, max_sim
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
from .generation import END_ROW
from .generation_config import GenerationConfig, set_seed
from .hub import hub_path
from .image import Image
from .inputs import Inputs
from .loading import MemoryForecast, forecast_memory
from .machine import Machine, measure_machine
from .masks import MaskDecoder, box_pixels, crop_mask, paste_mask, rle_decode, rle_encode, rle_from_text, rle_to_text
from .model import PaliGemmaForConditionalGeneration
from .outputs import GenerateOutput, PaliGemmaCausalLMOutputWithPast, Timing, Token, TokenLogprob
from .pipelines import ImageTextToTextPipeline, pipeline
from .processor import PaliGemmaProcessor
from .quantization import TorchAoConfig, quantize
from .scores import Score, score
from .streamers import BaseStreamer, TextIteratorStreamer, TextStreamer, TokenStream
from .tokenizer import Tokenizer
from .visualizer import AttentionMaskVisualizer

__version__ = "0.1.0"

__all__ = [
    "Adapter",
    "ArgumentError",
    "AttentionMask",
    "AttentionMaskVisualizer",
    "AutoConfig",
    "AutoModelForImageTextToText",
    "AutoProcessor",
    "AutoTokenizer",
    "BaseStreamer",
    "BatchFeature",
    "BusyError",
    "Cache",
    "CancelledError",
    "Checkpoint",
    "ClosedError",
    "Constraint",
    "Detection",
    "Detections",
    "Difference",
    "FileError",
    "FormatError",
    "GenerateOutput",
    "GenerationConfig",
    "Image",
    "ImageFeatures",
    "ImageTextToTextPipeline",
    "Inputs",
    "InternalError",
    "LimitError",
    "Machine",
    "MaskDecoder",
    "MemoryForecast",
    "OutOfMemoryError",
    "PaliGemmaCausalLMOutputWithPast",
    "PaliGemmaConfig",
    "PaliGemmaError",
    "PaliGemmaForConditionalGeneration",
    "PaliGemmaProcessor",
    "Score",
    "ShapeError",
    "TextIteratorStreamer",
    "TextStreamer",
    "Timing",
    "Token",
    "TokenLogprob",
    "TokenStream",
    "Tokenizer",
    "TorchAoConfig",
    "UnsupportedError",
    "box_pixels",
    "compare",
    "crop_mask",
    "embed",
    "encode_detections",
    "forecast_memory",
    "heat_map",
    "hub_path",
    "library_path",
    "library_version",
    "max_sim",
    "measure_machine",
    "paste_mask",
    "pipeline",
    "quantize",
    "rle_decode",
    "rle_encode",
    "rle_from_text",
    "rle_to_text",
    "save_checkpoint",
    "score",
    "set_seed",
]
