# SPDX-License-Identifier: Apache-2.0
"""The network, one idea a file. `lm.py` puts the parts together."""
