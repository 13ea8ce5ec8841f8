# SPDX-License-Identifier: BSD-2-Clause
"""Transformers' Auto names, for the one kind of model there is."""

from __future__ import annotations

from typing import Any

from .config import PaliGemmaConfig
from .hub import Path
from .model import PaliGemmaForConditionalGeneration
from .processor import PaliGemmaProcessor
from .tokenizer import Tokenizer


class AutoProcessor:
    """AutoProcessor.from_pretrained is PaliGemmaProcessor.from_pretrained."""

    @staticmethod
    def from_pretrained(path: Path, **options: Any) -> PaliGemmaProcessor:
        """Opens a checkpoint's processor."""
        return PaliGemmaProcessor.from_pretrained(path, **options)


class AutoTokenizer:
    """AutoTokenizer.from_pretrained: the processor's tokenizer."""

    @staticmethod
    def from_pretrained(path: Path, **options: Any) -> Tokenizer:
        """Opens a checkpoint's tokenizer."""
        return PaliGemmaProcessor.from_pretrained(path, **options).tokenizer


class AutoConfig:
    """AutoConfig.from_pretrained is PaliGemmaConfig.from_pretrained."""

    @staticmethod
    def from_pretrained(path: Path, **options: Any) -> PaliGemmaConfig:
        """Reads a checkpoint's configuration."""
        return PaliGemmaConfig.from_pretrained(path, **options)


class AutoModelForImageTextToText:
    """AutoModelForImageTextToText.from_pretrained is PaliGemmaForConditionalGeneration.from_pretrained."""

    @staticmethod
    def from_pretrained(path: Path, **options: Any) -> PaliGemmaForConditionalGeneration:
        """Opens a checkpoint's model."""
        return PaliGemmaForConditionalGeneration.from_pretrained(path, **options)
