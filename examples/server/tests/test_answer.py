# SPDX-License-Identifier: BSD-2-Clause
"""Stop strings and limits, however the text is cut into tokens."""

import itertools
import unittest

from paligemma_server.answer import GrowingAnswer


def grown(pieces, stops, max_tokens=99):
    answer = GrowingAnswer(max_tokens, tuple(stops), frozenset([0]), lambda ids: "".join(map(chr, ids)))
    shown = []
    for piece in pieces:
        shown.append(answer.add(ord(piece[0]) if piece else 0, piece))
        if answer.ended:
            break
    return answer, shown


class Stops(unittest.TestCase):
    def test_every_way_to_cut_a_text(self):
        text, stops = "ab;abc; x", ["abc", "; x"]
        for cuts in itertools.product([False, True], repeat=len(text) - 1):
            pieces, begin = [], 0
            for place, cut in enumerate(cuts, 1):
                if cut:
                    pieces.append(text[begin:place])
                    begin = place
            answer, shown = grown([*pieces, text[begin:], ""], stops)
            self.assertEqual((answer.text, answer.reason), ("ab;", "stop"), pieces)
            self.assertEqual("".join(shown), "ab;")

    def test_what_only_looks_like_a_stop_is_shown_in_the_end(self):
        answer, shown = grown(["x", "a", "b", ""], ["abc"])
        self.assertEqual((answer.text, shown, answer.reason), ("xab", ["x", "", "", "ab"], "stop"))

    def test_without_stops_nothing_is_held_back(self):
        self.assertEqual(grown(["a", "b", ""], [])[1], ["a", "b", ""])

    def test_length(self):
        answer, shown = grown(["a", "b", "c"], ["bc"], 2)
        self.assertEqual((answer.text, answer.reason, "".join(shown)), ("ab", "length", "ab"))

    def test_eos_as_the_last_token_that_is_allowed(self):
        self.assertEqual(grown(["a", ""], [], 2)[0].reason, "stop")

    def test_half_a_character_at_the_limit(self):
        answer = GrowingAnswer(2, (), frozenset([0]), lambda ids: "a\ufffd")
        self.assertEqual([answer.add(97, "a"), answer.add(200, "")], ["a", "\ufffd"])
        self.assertEqual(answer.text, "a\ufffd")

    def test_visible_tokens(self):
        self.assertEqual(grown(["a", "b;", "c", ""], [";"])[0].visible_tokens(), 2)
        self.assertEqual(grown(["a", "b", ";", ""], [";"])[0].visible_tokens(), 2)
        self.assertEqual(grown(["a", "b", ""], [])[0].visible_tokens(), 2)


if __name__ == "__main__":
    unittest.main()
