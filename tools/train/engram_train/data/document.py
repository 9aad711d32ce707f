# SPDX-License-Identifier: Apache-2.0
"""What the data is made of: texts and conversations, each of a kind that is measured by itself."""
import dataclasses

# In the order of their numbers in the data files.
KINDS = ("facts", "talk", "words", "dictionary", "people", "bible", "austen", "chinese", "spice")


@dataclasses.dataclass(frozen=True)
class Chat:
    kind: str
    turns: tuple  # of (question, answer)


@dataclasses.dataclass(frozen=True)
class Text:
    kind: str
    text: str
