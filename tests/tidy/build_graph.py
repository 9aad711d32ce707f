# SPDX-License-Identifier: Apache-2.0
"""What the BUILD files say, without Bazel: which target has which files and which direct dependencies."""
import ast
import builtins
import fnmatch
import os


class Target:
    def __init__(self, label, files, headers, deps):
        self.label = label
        self.files = files      # C++ sources and headers, its own
        self.headers = headers  # of these, what others may include
        self.deps = deps        # labels


class _BuildFile:
    """Runs a BUILD file, which is a little Python, with functions that note how they were called."""

    def __init__(self, path, root):
        self.package = os.path.dirname(path)
        self._folder = os.path.join(root, self.package)
        self.rules = []
        with open(os.path.join(root, path), encoding="utf-8") as file:
            tree = ast.parse(file.read(), path)
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - set(dir(builtins))
        names = {name: self._rule(name) for name in names}
        names |= {"glob": self._glob, "select": self._select, "load": _ignore, "package": _ignore}
        exec(compile(tree, path, "exec"), names)  # pylint: disable=exec-used

    def _rule(self, name):
        return lambda *_, **attributes: self.rules.append((name, attributes))

    def _glob(self, patterns, **_):
        return [f for f in sorted(os.listdir(self._folder)) if any(fnmatch.fnmatch(f, p) for p in patterns)]

    @staticmethod
    def _select(branches):
        return [item for branch in branches.values() for item in branch or []]


def _ignore(*_, **__):
    pass


def _absolute(label, package):
    if label.startswith("//"):
        return label if ":" in label else f"{label}:{label.rsplit('/', 1)[-1].lstrip('/')}"
    return f"//{package}:{label.lstrip(':')}"


def _paths(package, names):
    return [os.path.join(package, n.lstrip(":")) for n in names or [] if n.endswith((".h", ".cc", ".cu", ".cuh"))]


def read(root, build_files):
    """{label: Target}; an alias is the target that it stands for."""
    targets, aliases = {}, {}
    for build_file in build_files:
        parsed = _BuildFile(build_file, root)
        package = parsed.package
        for rule, attributes in parsed.rules:
            if "name" not in attributes:
                continue
            label = f"//{package}:{attributes['name']}"
            if rule == "alias":
                aliases[label] = _absolute(attributes["actual"], package)
                continue
            headers = _paths(package, attributes.get("hdrs"))
            if rule == "cc_grpc_library":  # makes them
                headers = [os.path.join(package, source.removesuffix(".proto") + suffix)
                           for source in attributes["srcs"] for suffix in (".pb.h", ".grpc.pb.h")]
            deps = [_absolute(dep, package) for dep in attributes.get("deps", []) if not dep.startswith("@")]
            targets[label] = Target(label, _paths(package, attributes.get("srcs")) + headers, headers, deps)
    for alias, actual in aliases.items():
        if actual in targets:
            targets[alias] = targets[actual]
    return targets
