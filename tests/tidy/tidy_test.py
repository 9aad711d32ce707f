#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the tree to docs/STYLE.md: sizes, headers, who may include whom, one wall per library.

Reads the files as text, so that .cu files and headers nobody compiles are covered as well. Every rule is
one test case; a broken rule lists file, line and what to do. Run it alone with
`python3 tests/tidy/tidy_test.py`.
"""
import os
import re
import shutil
import subprocess
import sys
from xml.sax.saxutils import escape, quoteattr

import build_graph

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
CODE = (".cc", ".h", ".cu", ".cuh")
LINE_MAX, FILE_MAX, HEADER_MAX, FUNCTION_MAX = 100, 600, 300, 70

# Folder → folders it may include from; its own is always allowed. docs/ARCHITECTURE.md tells why.
MAY_INCLUDE = {
    "base": [],
    "config": ["base", "engine", "server", "kernels"],  # knows every Options struct
    "config/limits.h": [],
    "kernels": ["base/check.h"],
    "engine/request": ["base", "config/limits.h"],
    "engine/step_plan": ["base", "config/limits.h", "engine/request.h"],
    "engine/options": ["base", "config/limits.h"],
    "engine/engine": ["base", "config/limits.h", "engine/options.h", "engine/request.h", "engine/step_plan.h",
                      "engine/scheduler", "engine/engine_load.h", "engine/engine_metrics.h",
                      "engine/throughput_log.h", "engine/token_stream.h"],
    "engine/engine_load": ["base", "engine/options.h", "engine/scheduler"],
    "engine/engine_metrics": ["base", "engine/request.h", "engine/step_plan.h", "engine/scheduler"],
    "engine/throughput_log": ["base", "engine/scheduler"],
    "engine/token_stream": ["base", "engine/request.h"],
    "engine/scheduler": ["base", "config/limits.h", "engine/options.h", "engine/request.h", "engine/step_plan.h"],
    "engine/checkpoint": ["base", "config/limits.h", "kernels/dtype.h"],
    "engine/engram": ["base", "config/limits.h", "engine/checkpoint", "engine/options.h", "engine/request.h",
                      "engine/step_plan.h", "kernels/dtype.h", "kernels/row_format.h", "kernels/tensor.h",
                      "kernels/backend.h"],
    "engine/model": ["base", "config/limits.h", "engine/checkpoint", "engine/engram", "engine/step_plan.h",
                     "kernels/dtype.h", "kernels/row_format.h", "kernels/tensor.h", "kernels/backend.h"],
    "engine/runtime": ["base", "config/limits.h", "engine/checkpoint", "engine/engram", "engine/model",
                       "engine/options.h", "engine/request.h", "engine/step_plan.h", "kernels/dtype.h",
                       "kernels/row_format.h", "kernels/tensor.h", "kernels/backend.h", "kernels/backend_factory.h"],
    "server/text": ["base", "config/limits.h", "engine/engram/token_map.h"],
    "server": ["base", "config/limits.h", "engine/engine.h", "engine/request.h", "server/text"],
    "server/http": ["base", "config/limits.h", "engine/engine.h", "engine/request.h", "server/text",
                    "server/frontend.h", "server/status_mapping.h", "server/api_keys.h"],
    "server/grpc": ["base", "config/limits.h", "engine/engine.h", "engine/request.h", "server/text",
                    "server/frontend.h", "server/status_mapping.h", "server/api_keys.h", "proto"],
    "server/main": ["base", "config", "engine", "kernels", "server"],
}

# Library's include → the only places that may see it.
WALLS = [
    (r"boost/", ["server/http/", "tools/bench/serve/", "tests/"]),
    (r"sys/mman\.h", ["engine/checkpoint/", "engine/engram/", "kernels/", "tools/bench/", "tests/"]),
    (r"google/protobuf/|grpcpp/|grpc/", ["server/grpc/", "tests/", "tools/bench/"]),
    (r"nlohmann/", ["config/", "engine/checkpoint/", "engine/model/", "server/text/", "server/http/", "tests/",
                    "tools/"]),
    (r"unicode/", ["engine/engram/", "server/text/"]),
    (r"pcre2\.h", ["server/text/"]),
    (r"liburing\.h", ["engine/engram/storage/", "tools/bench/table/"]),
    (r"CLI/", ["config/", "tools/", "tests/tools/"]),
    (r"spdlog/", ["base/"]),
]

FORBIDDEN = [
    (r"\bgetenv\s*\(", "no environment variables: make it an option"),
    (r"\bstd::regex\b", "std::regex overflows the stack on long input: use PCRE2"),
    (r"\bTODO\b|\bFIXME\b|\bXXX\b", "finish it, or file an issue"),
    (r"(?<![\w.])throw\b\s+[\w:]", "we throw no exceptions"),
    (r"std::ranges::(unique|remove|remove_if|partition|stable_partition|rotate|search|find_end|equal_range|subrange)\b",
     "clang 14 cannot read libstdc++ 12's subrange: use the algorithm of std"),
    (r"\bGTEST_SKIP\b|\bDISABLED_", "a test that does not run tests nothing"),
]


def tracked():
    if shutil.which("git"):  # an unpacked archive may lie on a machine without it
        out = subprocess.run(["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard"],
                             capture_output=True, text=True)
        if out.returncode == 0:
            return [f for f in out.stdout.split("\n") if f and os.path.isfile(os.path.join(ROOT, f))]
    found = []
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [d for d in folders if not d.startswith((".", "bazel-"))]
        found += [os.path.relpath(os.path.join(folder, f), ROOT) for f in files]
    return found


def lines(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read().split("\n")


def code_files(files):
    return [f for f in files if f.endswith(CODE)]


def check_headers(files):
    """First line SPDX, then a comment that says what the file is; headers have #pragma once."""
    for f in code_files(files):
        text = lines(f)
        if text[0] != "// SPDX-License-Identifier: Apache-2.0":
            yield f, 1, "the first line must be '// SPDX-License-Identifier: Apache-2.0'"
        if f.endswith((".h", ".cuh")):
            if not text[1].startswith("// "):
                yield f, 2, "say in a comment what the file is and why it exists"
            if "#pragma once" not in text:
                yield f, 1, "#pragma once is missing"


def check_sizes(files):
    for f in code_files(files) + [f for f in files if f.endswith((".py", ".bzl"))]:
        text = lines(f)
        limit = HEADER_MAX if f.endswith(".h") else FILE_MAX
        if len(text) > limit:
            yield f, len(text), f"{len(text)} lines, at most {limit}: a second idea lives here"
        width = {".py": 120, ".bzl": 150}.get(os.path.splitext(f)[1], LINE_MAX)
        for number, line in enumerate(text, 1):
            if len(line) > width and "http" not in line:
                yield f, number, f"{len(line)} columns, at most {width}"


def check_functions(files):
    """Bodies that begin at a line without indent and end with a lone brace."""
    for f in code_files(files):
        if f.startswith("tests/"):
            continue
        start = None
        for number, line in enumerate(lines(f), 1):
            if re.match(r"[A-Za-z_~].*\{$", line) and not re.match(
                    r"(namespace|struct|class|enum|union|extern|constexpr .*= \{|inline constexpr|static const)", line):
                start = number
            elif line.startswith("}") and start is not None:
                if number - start + 1 > FUNCTION_MAX:
                    yield f, start, f"a function of {number - start + 1} lines, at most {FUNCTION_MAX}"
                start = None


def rule_for(path):
    stem = re.sub(r"\.(cc|h)$", "", path)
    for key in (path, stem):
        if key in MAY_INCLUDE:
            return key
    folder = os.path.dirname(path)
    while folder:
        if folder in MAY_INCLUDE:
            return folder
        folder = os.path.dirname(folder)
    return None


def check_includes(files):
    for f in code_files(files):
        rule = rule_for(f)
        if f.startswith(("tests/", "tools/")) or rule is None:
            continue
        allowed = MAY_INCLUDE[rule]
        for number, line in enumerate(lines(f), 1):
            match = re.match(r'#include "([^"]+)"', line)
            if not match or not os.path.exists(os.path.join(ROOT, match[1])) and not match[1].startswith("proto/"):
                continue
            target = match[1]
            own = target.startswith(rule + "/") or os.path.dirname(target) == rule or \
                re.sub(r"\.h$", "", target) == re.sub(r"\.(cc|h)$", "", f)
            if not own and not any(target == a or target.startswith(a + "/") for a in allowed):
                yield f, number, f"{rule} must not include {target} (docs/ARCHITECTURE.md, who may include whom)"


def check_walls(files):
    for f in code_files(files):
        for number, line in enumerate(lines(f), 1):
            match = re.match(r'#include ["<]([^">]+)[">]', line)
            if not match:
                continue
            for pattern, places in WALLS:
                if not re.match(pattern, match[1]):
                    continue
                if not f.startswith(tuple(places)):
                    yield f, number, f"{match[1]} may only be seen by {', '.join(places)}"
                elif f.endswith(".h") and not f.startswith(("base/", "tests/", "tools/", "server/grpc/")) \
                        and not re.match(r"server/http/(asio|http_connection)\.h", f):
                    yield f, number, f"{match[1]} in a header of ours: keep the library behind the .cc"


def check_forbidden(files):
    for f in code_files(files):
        for number, line in enumerate(lines(f), 1):
            bare = re.sub(r'"(\\.|[^"\\])*"', '""', line)
            for pattern, advice in FORBIDDEN:
                if re.search(pattern, bare):
                    yield f, number, f"{re.search(pattern, bare)[0].strip()}: {advice}"


def check_paths(files):
    """Nothing of one machine in the tree: neither where this checkout lies, nor anybody's home."""
    own = [os.path.dirname(ROOT), os.path.expanduser("~")]
    own = [ROOT if path in ("/", "/tmp", "/usr/src", "/opt", "/srv", "/home") else path for path in own]
    pattern = re.compile(r"(?<![\w.$}])(" + "|".join(re.escape(path) for path in own) + r"|/home/\w+|/root)/")
    for f in files:
        if f.startswith(("tests/testdata/", "models/", "tests/tidy/")) or f.endswith((".safetensors", ".png", ".bin")):
            continue
        try:
            text = lines(f)
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text, 1):
            if pattern.search(line):
                yield f, number, "a path of one machine"


def check_build_files(files):
    """No buildifier on Debian: dependency lists are sorted, labels of the own package first."""
    for f in files:
        if os.path.basename(f) != "BUILD":
            continue
        text = lines(f)
        start, entries = None, []
        for number, line in enumerate(text, 1):
            if re.match(r"\s+deps = \[$", line):
                start, entries = number, []
            elif start and re.match(r"\s+\]", line):
                key = [(0 if e.startswith(":") else 1 if e.startswith("//") else 2, e) for e in entries]
                if key != sorted(key):
                    yield f, start, "deps are not sorted (own package, then //, then @)"
                start = None
            elif start:
                match = re.match(r'\s+"([^"]+)",', line)
                if match:
                    entries.append(match[1])
                else:
                    start = None
            if line != line.rstrip():
                yield f, number, "blanks at the end of the line"


def check_dependencies(files):
    """What a file includes, its target depends on directly: what clang's layering check says, without compiling."""
    targets = build_graph.read(ROOT, [f for f in files if os.path.basename(f) == "BUILD"])
    added = [targets["//tests/testing:gtest_main"]]  # engram_cc_test's own
    owners = {header: t.label for t in targets.values() for header in t.headers}
    for target in {t.label: t for t in targets.values()}.values():
        near = [target, *added, *(targets[dep] for dep in target.deps if dep in targets)]
        seen = set(target.files).union(*(t.headers for t in near))
        for f in target.files:
            if not os.path.exists(os.path.join(ROOT, f)):
                continue
            for number, line in enumerate(lines(f), 1):
                match = re.match(r'#include "([^"]+)"', line)
                if match and match[1] in owners and match[1] not in seen:
                    yield f, number, f"{target.label} includes {match[1]} and must depend on {owners[match[1]]}"


def check_links(files):
    """Relative links in Markdown lead somewhere."""
    for f in files:
        if not f.endswith(".md") or f.startswith("tests/testdata/"):
            continue
        for number, line in enumerate(lines(f), 1):
            for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", line):
                if re.match(r"[a-z]+:", target):
                    continue
                if not os.path.exists(os.path.join(ROOT, os.path.dirname(f), target)):
                    yield f, number, f"{target} does not exist"


def main():
    files = sorted(set(tracked()))
    cases, broken = [], 0
    for name, check in sorted(globals().items()):
        if not name.startswith("check_"):
            continue
        found = [f"{f}:{number}: {what}" for f, number, what in check(files)]
        cases.append((name[len("check_"):], found))
        broken += bool(found)
        for line in found:
            print(line)
        print(f"{name[len('check_'):]}: {'FAILED' if found else 'ok'}")
    if "XML_OUTPUT_FILE" in os.environ:
        with open(os.environ["XML_OUTPUT_FILE"], "w", encoding="utf-8") as out:
            out.write(f'<testsuites><testsuite name="tidy" tests="{len(cases)}" failures="{broken}">\n')
            for name, found in cases:
                failure = f"<failure>{escape(chr(10).join(found))}</failure>" if found else ""
                out.write(f"<testcase name={quoteattr(name)} classname=\"tidy\">{failure}</testcase>\n")
            out.write("</testsuite></testsuites>\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
