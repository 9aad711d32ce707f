# SPDX-License-Identifier: Apache-2.0
"""Trains, measures and exports small DeepSeek-V3 + mHC + Engram models. Start with `tools/train/README.md`."""
