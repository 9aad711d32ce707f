# SPDX-License-Identifier: Apache-2.0
"""From packages and small tables to tokens: `prepare.py` is the order of things."""
