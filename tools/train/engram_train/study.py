# SPDX-License-Identifier: Apache-2.0
"""Equal runs that differ in one thing, and the plot of what they came to.

`u_curve`: a fixed number of sparse parameters, shared out between experts and tables; same active parameters, steps and
data. `twin`: the demo's shape with and without Engram. Runs are resumable one by one like any other.
"""
import json
import os
import statistics

from .shapes import STUDY, active_parameters, sparse_parameters, without_engram, with_expert_share

SHARES = (1.0, 0.9, 0.8, 0.6, 0.4)
_OPEN_KINDS = ("words", "dictionary", "people", "bible", "austen")  # held-out text that is not pure recall


def u_curve_shapes():
    return {f"experts {round(100 * share)} %": with_expert_share(STUDY, share) for share in SHARES}


def twin_shapes(config):
    return {"with Engram": config, "without Engram": without_engram(config)}


def run_study(shapes, seeds, folder, train_one):
    """train_one(config, seed, run folder) → losses as evaluation.losses gives them. Writes study.json."""
    results = []
    for name, config in shapes.items():
        for seed in seeds:
            run_folder = os.path.join(folder, f"{name.replace(' ', '_').replace('%', 'percent')}-seed{seed}")
            done = os.path.join(run_folder, "losses.json")
            if not os.path.exists(done):
                found = train_one(config, seed, run_folder)
                with open(done, "w", encoding="utf-8") as file:
                    json.dump(found, file, indent=1)
            with open(done, encoding="utf-8") as file:
                found = json.load(file)
            first = next(iter(found.values()))
            held_out = statistics.mean(first["held out"][kind] for kind in _OPEN_KINDS)
            seen = statistics.mean(first["seen"][kind] for kind in _OPEN_KINDS)
            results.append({"name": name, "seed": seed, "held_out": held_out, "seen": seen,
                            "active": active_parameters(config), "sparse": sparse_parameters(config),
                            "experts": config.n_routed_experts, "losses": found})
            print(f"{name}, seed {seed}: held out {held_out:.4f}, seen {seen:.4f}", flush=True)
    with open(os.path.join(folder, "study.json"), "w", encoding="utf-8") as file:
        json.dump(results, file, indent=1)
    return results


def plot(results, key="held_out", width=640, height=400):
    """→ an SVG: one dot a run, a line through the means, in the order of the shapes."""
    names = list(dict.fromkeys(result["name"] for result in results))
    values = {name: [r[key] for r in results if r["name"] == name] for name in names}
    flat = [value for group in values.values() for value in group]
    margin = (max(flat) - min(flat)) * 0.15 or 0.01
    low, high = min(flat) - margin, max(flat) + margin
    left, right, top, bottom = 80, 20, 40, 60

    def x(name):
        return left + (names.index(name) + 0.5) * (width - left - right) / len(names)

    def y(value):
        return top + (high - value) / (high - low) * (height - top - bottom)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
             f'font-size="13"><rect width="{width}" height="{height}" fill="white"/>',
             f'<text x="{left}" y="22">mean {key.replace("_", " ")} loss (nats per token)</text>']
    for tick in range(5):
        value = low + (high - low) * tick / 4
        parts.append(f'<line x1="{left}" x2="{width - right}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="#ddd"/>'
                     f'<text x="{left - 8}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.3f}</text>')
    means = " ".join(f"{x(name):.1f},{y(statistics.mean(group)):.1f}" for name, group in values.items())
    parts.append(f'<polyline points="{means}" fill="none" stroke="#b2182b" stroke-width="2"/>')
    for name, group in values.items():
        parts += [f'<circle cx="{x(name):.1f}" cy="{y(value):.1f}" r="4" fill="#b2182b" fill-opacity="0.6"/>'
                  for value in group]
        parts.append(f'<text x="{x(name):.1f}" y="{height - 30}" text-anchor="middle">{name}</text>')
    return "\n".join(parts + ["</svg>", ""])
