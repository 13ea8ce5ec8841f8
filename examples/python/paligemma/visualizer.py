# SPDX-License-Identifier: BSD-2-Clause
"""AttentionMaskVisualizer: prints which tokens of a prompt see which."""

from __future__ import annotations

import numpy as np

from .attention import AttentionMask
from .hub import Path, checkpoint_directory
from .processor import PaliGemmaProcessor


class AttentionMaskVisualizer:
    """As Transformers' class of that name, but with the mask that the model applies: the prompt sees itself both ways.

    Any picture does, so a grey one is used and nothing is downloaded. `<img>` in the text stands for `<image>`.
    """

    def __init__(self, model_name: Path) -> None:
        self.repo_id = model_name
        self._directory = checkpoint_directory(model_name)
        self.processor = PaliGemmaProcessor.shared(self._directory)
        self.config = self.processor.config

    def __call__(self, input_sentence: str, suffix: str = "") -> None:
        """visualize_attention_mask()."""
        self.visualize_attention_mask(input_sentence, suffix)

    def visualize_attention_mask(self, input_sentence: str, suffix: str = "") -> None:
        """Prints the mask: ■ sees, ⬚ does not, the diagonal green, pictures yellow."""
        title = f"Attention visualization for {self.config.model_type}:{self.repo_id} PaliGemmaModel"
        border = "#" * (len(title) + 8)
        print(f"\n{border}\n##{title.center(len(border) - 4)}##\n{border}")
        print(self.text(input_sentence, suffix, color=True).rstrip("\n"))
        print(border)

    def text(self, input_sentence: str, suffix: str = "", *, color: bool = False) -> str:
        """The mask alone, as text."""
        prompt = input_sentence.replace("<img>", self.processor.image_token)
        pictures = max(prompt.count(self.processor.image_token), 1)
        grey = [np.full((8, 8, 3), 128, np.uint8)] * pictures
        inputs = self.processor([grey], [prompt], suffix=[suffix] if suffix else None)
        with AttentionMask.create(self._directory, inputs, processor=self.processor) as mask:
            return mask.text(color=color)
