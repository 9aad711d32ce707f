# SPDX-License-Identifier: Apache-2.0
"""Tables for docs/bench."""


def table(head, rows):
    return ["| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *rows]]
