# SPDX-License-Identifier: Apache-2.0
"""Token compression: tokens that differ only in case, accents or blanks share one id for Engram's hash."""
import torch
from tokenizers import Regex, Tokenizer, normalizers

# A token of blanks only must not vanish when its ends are trimmed: this stands in for its blank meanwhile.
_LONE_BLANK = "\ue000"


def _normalizer():
    return normalizers.Sequence([
        normalizers.NFKC(), normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase(),
        normalizers.Replace(Regex(r"[ \t\r\n]+"), " "), normalizers.Replace(Regex(r"^ $"), _LONE_BLANK),
        normalizers.Strip(), normalizers.Replace(_LONE_BLANK, " ")])


def build_token_map(tokenizer: Tokenizer):
    """[vocabulary] int64, raw id → compressed id. Compressed ids are given in order of first appearance."""
    normalizer, seen, compressed = _normalizer(), {}, []
    for token in range(tokenizer.get_vocab_size(with_added_tokens=True)):
        text = tokenizer.decode([token], skip_special_tokens=False)
        # A piece of a UTF-8 character has no text of its own; its spelling in the vocabulary stands for it.
        key = tokenizer.id_to_token(token) if "\ufffd" in text else normalizer.normalize_str(text) or text
        compressed.append(seen.setdefault(key, len(seen)))
    return torch.tensor(compressed)
