"""Lets Debian's bazel-bootstrap (4.2.3, a 'development version') work offline.

Bazel's own tools load rules_cc, rules_java and a coverage tool, which Bazel 4
downloads. Debian's build of Bazel reports no version at all; with that one,
small local stand-ins are used. Every release from bazel.build reports a
version and keeps its own.
"""

def bazel_compat():
    """Call first in WORKSPACE."""
    if native.bazel_version:
        return
    for name in ["rules_cc", "rules_java", "remote_coverage_tools"]:
        native.local_repository(name = name, path = "tools/bazel/stubs/" + name)
