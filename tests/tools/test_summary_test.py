#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/test_summary.py on event files as Bazel writes them."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

CASES = ('<testsuites><testsuite><testcase classname="A" name="good"/>{}</testsuite></testsuites>')
BAD = '<testcase classname="A" name="bad"><failure>1 is not 2</failure></testcase>'
SKIPPED = '<testcase classname="A" name="later"><skipped/></testcase>'


class Events:
    """A build event file in the making."""

    def __init__(self, folder):
        self.folder = folder
        self.lines = []

    def built(self, label, success=True):
        self.lines.append({"id": {"targetCompleted": {"label": label}}, "completed": {"success": success}})

    def result(self, label, status, xml=None, attempt=1, shard=1):
        outputs = []
        if xml is not None:
            path = os.path.join(self.folder, f"{len(self.lines)} test.xml")
            with open(path, "w", encoding="utf-8") as file:
                file.write(xml)
            outputs = [{"name": "test.xml", "uri": "file://" + path.replace(" ", "%20")}]
        key = {"label": label, "run": 1, "shard": shard, "attempt": attempt}
        self.lines.append({"id": {"testResult": key}, "testResult": {"status": status, "testActionOutput": outputs}})

    def summarise(self):
        """(exit status, lines) of the tool."""
        path = os.path.join(self.folder, "events.json")
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line in self.lines)
        run = subprocess.run([sys.executable, "tools/test_summary.py", path], capture_output=True, text=True)
        return run.returncode, run.stdout.strip().split("\n")


class TestSummary(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.events = Events(folder.name)

    def test_counts_cases_and_not_targets(self):
        self.events.result("//a", "PASSED", CASES.format(""))
        self.events.result("//b", "PASSED", CASES.format(CASES.format("")))
        self.assertEqual(self.events.summarise(), (0, ["3 passed, 0 failed"]))

    def test_names_what_failed(self):
        self.events.result("//a", "FAILED", CASES.format(BAD))
        self.assertEqual(self.events.summarise(), (1, ["failed: //a A.bad", "1 passed, 1 failed"]))

    def test_a_failure_in_a_test_that_passed_counts(self):
        self.events.result("//a", "PASSED", CASES.format(BAD))
        self.assertEqual(self.events.summarise()[0], 1)

    def test_skipped_is_not_passed(self):
        self.events.result("//a", "PASSED", CASES.format(SKIPPED))
        self.assertEqual(self.events.summarise(), (0, ["1 passed, 0 failed, 1 skipped"]))

    def test_crash_without_report_is_a_failure(self):
        self.events.result("//a", "TIMEOUT")
        self.events.result("//b", "FAILED", "<testsuites><half")
        self.events.result("//c", "FAILED", CASES.format(""))
        status, lines = self.events.summarise()
        self.assertEqual(status, 1)
        self.assertEqual(lines[-1], "1 passed, 3 failed")

    def test_test_without_report_is_one_case(self):
        self.events.result("//a", "PASSED")
        self.assertEqual(self.events.summarise(), (0, ["1 passed, 0 failed"]))

    def test_last_attempt_counts_and_shards_add_up(self):
        self.events.result("//a", "FAILED", CASES.format(BAD), attempt=1)
        self.events.result("//a", "PASSED", CASES.format(""), attempt=2)
        self.events.result("//a", "PASSED", CASES.format(""), shard=2)
        self.assertEqual(self.events.summarise(), (0, ["2 passed, 0 failed"]))

    def test_not_built_is_a_failure_unless_skipped(self):
        self.events.built("//lib")
        self.events.result("//a", "PASSED")
        self.events.built("//broken", success=False)
        self.events.lines.append({"id": {"targetCompleted": {"label": "//cuda"}}, "aborted": {"reason": "SKIPPED"}})
        status, lines = self.events.summarise()
        self.assertEqual((status, lines), (1, ["failed: //broken (not built)", "1 passed, 1 failed"]))

    def test_no_test_at_all_is_no_success(self):
        self.assertEqual(self.events.summarise(), (1, ["0 passed, 0 failed"]))


if __name__ == "__main__":
    unittest.main()
