# SPDX-License-Identifier: Apache-2.0
"""Tells Bazel and people how many cases passed."""
import os
import re
from xml.sax.saxutils import escape, quoteattr


def report(suite, results):
    """results: list of (name, list of complaints). The exit status."""
    failures = sum(1 for _, complaints in results if complaints)
    for name, complaints in results:
        for complaint in complaints:
            print(f"{name}: {complaint}")
    print(f"{len(results) - failures} passed, {failures} failed")
    if "XML_OUTPUT_FILE" in os.environ:
        with open(os.environ["XML_OUTPUT_FILE"], "w", encoding="utf-8") as out:
            out.write(f'<testsuites><testsuite name="{suite}" tests="{len(results)}" failures="{failures}">\n')
            for name, complaints in results:
                text = escape(re.sub(r"[^\x20-\x7e\n]", "?", "\n".join(complaints)))
                failure = f"<failure>{text}</failure>" if complaints else ""
                out.write(f'<testcase name={quoteattr(name)} classname="{suite}">{failure}</testcase>\n')
            out.write("</testsuite></testsuites>\n")
    return 1 if failures else 0
