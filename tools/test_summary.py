#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts the test cases of a `bazel test` and names those that failed.

Reads the file of --build_event_json_file and the test.xml of every test in it, cached ones too. A test that
wrote no test.xml counts as one case; one that crashed, timed out or was not built counts as one failure.
The last line is "N passed, N failed", with ", N skipped" if some were.

Usage: test_summary.py EVENTS_FILE
"""
import json
import os
import sys
import urllib.parse
import xml.etree.ElementTree as ElementTree

PASSED = ("PASSED", "FLAKY")


class Summary:
    def __init__(self):
        self.passed = 0
        self.skipped = 0
        self.failed = []  # names

    def line(self):
        text = f"{self.passed} passed, {len(self.failed)} failed"
        return text + (f", {self.skipped} skipped" if self.skipped else "")


def case_name(case):
    return ".".join(part for part in (case.get("classname"), case.get("name")) if part)


def add_cases(summary, label, path):
    """Adds the cases of one test.xml; False if it says nothing."""
    try:
        cases = list(ElementTree.parse(path).iter("testcase"))
    except (OSError, ElementTree.ParseError):
        return False
    for case in cases:
        if case.find("failure") is not None or case.find("error") is not None:
            summary.failed.append(f"{label} {case_name(case)}")
        elif case.find("skipped") is not None or "skipped" in (case.get("result"), case.get("status")) \
                or case.get("status") == "notrun":
            summary.skipped += 1
        else:
            summary.passed += 1
    return bool(cases)


def xml_path(result):
    for output in result.get("testActionOutput", []):
        if output.get("name") == "test.xml":
            return urllib.parse.unquote(urllib.parse.urlparse(output.get("uri", "")).path)
    return None


def add_result(summary, label, result):
    failed_before = len(summary.failed)
    path = xml_path(result)
    counted = path is not None and add_cases(summary, label, path)
    if result.get("status") in PASSED:
        if not counted:
            summary.passed += 1
    elif len(summary.failed) == failed_before:
        summary.failed.append(f"{label} ({result.get('status', 'no status').lower()})")


def last_attempts(events):
    """The testResult of each test and shard; a retried one counts once, by its last attempt."""
    results = {}
    for event in events:
        if "testResult" in event:
            key = event["id"]["testResult"]
            results[(key["label"], key.get("run"), key.get("shard"))] = event["testResult"]
    return results


def not_built(events):
    for event in events:
        if event.get("aborted", {}).get("reason") == "SKIPPED":
            continue  # not meant for this configuration
        target = event.get("id", {}).get("targetCompleted")
        if target and not event.get("completed", {}).get("success", False):
            yield target["label"]


def summarise(events):
    summary = Summary()
    for (label, _, _), result in sorted(last_attempts(events).items(), key=lambda item: item[0][0]):
        add_result(summary, label, result)
    summary.failed += [f"{label} (not built)" for label in sorted(set(not_built(events)))]
    return summary


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    events = []
    if os.path.exists(sys.argv[1]):
        with open(sys.argv[1], encoding="utf-8") as lines:
            events = [json.loads(line) for line in lines if line.strip()]
    summary = summarise(events)
    for name in summary.failed:
        print("failed: " + name)
    print(summary.line())
    # No test at all is no success.
    return 1 if summary.failed or not summary.passed else 0


if __name__ == "__main__":
    sys.exit(main())
