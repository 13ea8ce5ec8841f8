# SPDX-License-Identifier: BSD-2-Clause
"""`from paligemma.utils.attention_visualizer import AttentionMaskVisualizer`, as from transformers."""

from ..visualizer import AttentionMaskVisualizer

__all__ = ["AttentionMaskVisualizer"]
