# SPDX-License-Identifier: Apache-2.0
"""The model card that goes with an exported model: shape, data, training, measurements, limits."""
from .shapes import active_parameters, sparse_parameters, table_parameters


def _data_rows(sources):
    for kind, train in sources["counts"]["train"].items():
        held_out = sources["counts"]["held_out"][kind]
        yield f"| {kind} | {train['documents']:,} | {train['tokens']:,} | {held_out['tokens']:,} |"


def model_card(config, run, sources, evaluation):
    """config: of the model; run: of its state.pt, {"recipe", "step", "tokens"}; sources: of sources.json; evaluation:
    Markdown. → Markdown"""
    recipe, memory = run["recipe"], table_parameters(config) if config.engram_layer_ids else 0
    total = active_parameters(config) + sparse_parameters(config)
    shape = (f"{config.num_hidden_layers} layers of {config.hidden_size}, {config.hc_mult} streams, "
             f"{config.n_routed_experts} experts ({config.num_experts_per_tok} a token, "
             f"{config.n_shared_experts} shared)")
    layers = " and ".join(map(str, config.engram_layer_ids))
    tables = f"Engram in layers {layers}, tables of {memory:,} parameters" if layers else "no Engram"
    seen = run["tokens"] / sum(kind["tokens"] for kind in sources["counts"]["train"].values())
    packages = ", ".join(f"{name} {found['version'].replace('%3a', ':')}" for name, found in
                         sorted(sources["packages"].items()))
    return "\n".join([
        "# A small model with an Engram memory", "",
        "Made by `tools/train/train` of Engram Server for trying the server. It answers short questions about",
        "capitals, countries, elements and words, and goes on with a text for a sentence or two. It repeats what it",
        "read and reasons about nothing.", "",
        f"- **Shape.** DeepSeek-V3 with hyper-connections: {shape}; {tables}. {total:,} parameters, "
        f"{active_parameters(config):,} of them active for a token. Weights are bf16.",
        f"- **Training.** {run['tokens']:,} tokens in {run['step']:,} steps of {recipe['batch_tokens']:,}, rows of "
        f"{recipe['length']} and at the end {recipe['long_length']} tokens, seed {recipe['seed']}; "
        f"{100 * recipe['engram_dropout']:g} % of the rows without memory. That is {seen:.1f} times as many tokens as "
        f"there are.",
        f"- **Sources.** {packages}; tables of the trainer. Licences: NOTICE.", "",
        "| kind of text | documents | tokens | held out |", "|---|---|---|---|", *_data_rows(sources), "",
        evaluation.rstrip(), "",
        "## Limits", "",
        "Everything above is recall of trained facts but for the rows that say held out, unseen or other phrasing.",
        "Facts are as old as their sources (neighbours of countries: 2015). Definitions are WordNet's, with its words",
        "and its judgements of 2006. Old texts bring old views. One run, one seed.", ""])
