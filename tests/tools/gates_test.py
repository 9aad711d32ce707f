#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/gates against a small server that answers with recorded gates."""
import http.server
import json
import re
import socket
import subprocess
import sys
import threading
import unittest
import xml.etree.ElementTree as ElementTree

SVG = "{http://www.w3.org/2000/svg}"
CARD = {"id": "demo", "engram": {"layers": [1, 3], "streams": 2}}

# Token → its bytes. 5, 6, 7 are the three bytes of 明; 8 holds what XML must not see raw.
PIECES = {0: b"<bos>", 2: b" tame", 3: b" the", 4: b" horse", 5: b"\xe6", 6: b"\x98", 7: b"\x8e", 8: b'<&">', 9: b"\n",
          10: b"\x07", 11: b"\xff", 12: "<｜User｜>".encode()}


class RecordedServer:
    """Answers like ours for one prompt of `tokens`, each with `gates[token's place]`."""

    def __init__(self, tokens, gates, card=CARD, answer=(), answer_gates=()):
        self.requests = []
        recorded = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self, status, value):
                body = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                self.answer(200, {"data": [card]})

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                recorded.requests.append((self.path, body, self.headers.get("Authorization")))
                if self.path == "/tokenize":
                    self.answer(200, {"tokens": tokens})
                elif self.path == "/detokenize":
                    text = b"".join(PIECES[token] for token in body["tokens"]).decode("utf-8", "replace")
                    self.answer(200, {"prompt": text})
                elif body["max_tokens"] > 100:
                    self.answer(400, {"error": {"message": "max_tokens is too large"}})
                else:
                    self.answer(200, {"choices": [{"prompt_engram_gates": gates, "token_ids": list(answer),
                                                   "engram_gates": list(answer_gates)}]})

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def gates_tool(*arguments):
    return subprocess.run([sys.executable, "tools/gates", *arguments], capture_output=True, text=True)


def redness(rect):
    """How far a box is from white: the less green, the redder."""
    return 255 - int(rect.get("fill")[3:5], 16)


class TestGates(unittest.TestCase):
    def serve(self, *arguments, **options):
        server = RecordedServer(*arguments, **options)
        self.addCleanup(server.close)
        return server

    def draw(self, server, *arguments):
        run = gates_tool("--server", server.url, *arguments, "some text")
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        root = ElementTree.fromstring(run.stdout)
        return root, [rect for rect in root.iter(SVG + "rect") if rect.get("class") == "gate"]

    def texts(self, root):
        return ["".join(text.itertext()) for text in root.iter(SVG + "text")]

    def test_a_box_for_each_token_and_layer_redder_with_the_gate(self):
        gates = [[0.0, 0.0, 1.0, 1.0], [0.2, 0.4, 0.5, 0.5], [1.0, 1.0, 0.1, 0.1]]
        root, boxes = self.draw(self.serve([2, 3, 4], gates))
        self.assertEqual([box.find(SVG + "title").text for box in boxes],
                         ["0.000", "0.300", "1.000", "1.000", "0.500", "0.100"])
        self.assertEqual(boxes[0].get("fill"), "#ffffff")
        self.assertEqual(boxes[2].get("fill"), "#d62728")
        by_gate = sorted(boxes, key=lambda box: float(box.find(SVG + "title").text))
        shades = [redness(box) for box in by_gate]
        self.assertEqual(shades, sorted(shades))
        self.assertEqual(len(set(shades)), 5)  # five different gates, five different colours
        for label in ("layer 1", "layer 3", "tame", "horse", "gate", "0.5"):
            self.assertIn(label, self.texts(root))

    def test_each_stream_has_its_own_line(self):
        root, boxes = self.draw(self.serve([2], [[0.1, 0.2, 0.3, 0.4]]), "--streams", "each")
        self.assertEqual([box.find(SVG + "title").text for box in boxes], ["0.100", "0.200", "0.300", "0.400"])
        for label in ("layer 1, s0", "layer 1, s1", "layer 3, s0", "layer 3, s1"):
            self.assertIn(label, self.texts(root))

    def test_a_character_of_three_tokens_is_one_box_with_three_strips(self):
        gates = [[0.5] * 4, [0.1] * 4, [0.2] * 4, [0.3] * 4]
        root, boxes = self.draw(self.serve([2, 5, 6, 7], gates))
        self.assertEqual(self.texts(root).count("明"), 2)  # once a layer
        strips = boxes[1:4]
        self.assertEqual([strip.find(SVG + "title").text for strip in strips], ["0.100", "0.200", "0.300"])
        for left, right in zip(strips, strips[1:]):
            self.assertAlmostEqual(float(left.get("x")) + float(left.get("width")), float(right.get("x")), delta=0.11)

    def test_bytes_that_are_no_character_are_shown_and_do_not_swallow_their_neighbours(self):
        root, boxes = self.draw(self.serve([11, 2], [[0.5] * 4, [0.6] * 4]))
        self.assertEqual(len(boxes), 4)
        self.assertIn("\ufffd", self.texts(root))
        self.assertIn("tame", self.texts(root))

    def test_markup_blanks_and_control_characters_become_plain_text(self):
        root, _ = self.draw(self.serve([8, 9, 10, 12], [[0.5] * 4] * 4))
        for shown in ('<&">', "↵", "␦", "<|User|>"):
            self.assertIn(shown, self.texts(root))

    def test_a_long_text_is_wrapped_inside_the_picture(self):
        root, boxes = self.draw(self.serve([4] * 60, [[0.5] * 4] * 60))
        width = float(root.get("width"))
        self.assertEqual(len(boxes), 120)
        self.assertLess(max(float(box.get("x")) + float(box.get("width")) for box in boxes), width)
        self.assertGreater(len({box.get("y") for box in boxes}), 4)
        self.assertLess(max(float(text.get("y")) for text in root.iter(SVG + "text")), float(root.get("height")))

    def test_the_answer_is_drawn_without_its_last_token_which_was_never_read(self):
        server = self.serve([2], [[0.1] * 4], answer=[3, 4], answer_gates=[[0.9] * 4, []])
        root, boxes = self.draw(server, "--answer", "2")
        self.assertEqual(len(boxes), 4)
        self.assertIn("the", self.texts(root))
        self.assertNotIn("horse", self.texts(root))

    def test_chat_and_key_reach_the_server(self):
        server = self.serve([2], [[0.1] * 4])
        self.draw(server, "--chat", "--key", "secret")
        path, body, key = server.requests[0]
        self.assertEqual((path, body, key), ("/tokenize", {"messages": [{"role": "user", "content": "some text"}]},
                                             "Bearer secret"))
        _, body, _ = server.requests[1]
        self.assertEqual((body["prompt"], body["engram"], body["temperature"]), ([2], {"gates": True}, 0))

    def assert_fails(self, run, pattern):
        self.assertEqual((run.returncode, run.stdout), (1, ""))
        self.assertTrue(re.fullmatch(f"tools/gates: .*{pattern}.*\n", run.stderr), run.stderr)

    def test_failures_say_what_to_do(self):
        with socket.create_server(("127.0.0.1", 0)) as unused:
            port = unused.getsockname()[1]
        self.assert_fails(gates_tool("--server", f"http://127.0.0.1:{port}", "x"), "start a server with tools/serve")
        plain = self.serve([2], [[0.1] * 4], card={"id": "plain"})
        self.assert_fails(gates_tool("--server", plain.url, "x"), "plain has no Engram layers")
        other = self.serve([2], [[0.1] * 3])
        self.assert_fails(gates_tool("--server", other.url, "x"), "expected 1 with 4 numbers")
        self.assert_fails(gates_tool("--server", other.url, "--answer", "101", "x"), "400: max_tokens is too large")


if __name__ == "__main__":
    unittest.main()
