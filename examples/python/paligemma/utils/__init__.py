# SPDX-License-Identifier: BSD-2-Clause
"""Modules at the places where Transformers has them."""
