# SPDX-License-Identifier: BSD-2-Clause
"""An OpenAI-compatible HTTP service for PaliGemma checkpoints, on the package `paligemma`."""
