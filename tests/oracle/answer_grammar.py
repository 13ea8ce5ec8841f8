# SPDX-License-Identifier: BSD-2-Clause
"""The grammars of constrained answers, written a second time: sets of parser positions instead of one state.

A position is ("box", count, corner), ("mask", count), ("label", tokens), ("separator", count) or ("end",). `room`
tokens are left; a token may follow if some position behind it needs no more than room - 1.
"""
EOS = "<eos>"


class Choices:
    """One of some token sequences."""

    def __init__(self, tokenizer, choices):
        self.eos = tokenizer.token_to_id(EOS)
        self.choices = [tokenizer.encode(text, add_special_tokens=False).ids for text in choices]

    def allowed(self, ids, room):
        rest = [c[len(ids):] for c in self.choices if c[:len(ids)] == ids]
        return {c[0] if c else self.eos for c in rest if len(c) <= room}


class Objects:
    """Boxes with labels, and with 16 <seg> tokens if `masks`; labels None: any text without ; < > and control."""

    def __init__(self, tokenizer, masks, labels=None, max_label_tokens=16, allow_empty=False):
        self.eos = tokenizer.token_to_id(EOS)
        self.loc = [tokenizer.token_to_id(f"<loc{i:04d}>") for i in range(1024)]
        self.seg = [tokenizer.token_to_id(f"<seg{i:03d}>") for i in range(128)]
        self.separator = tokenizer.encode(" ; ", add_special_tokens=False).ids
        self.masks, self.allow_empty, self.max_label_tokens = masks, allow_empty, max_label_tokens
        self.labels, self.pieces = None, {}
        if labels:
            self.labels = [tokenizer.encode(" " + text, add_special_tokens=False).ids for text in labels]
            self.shortest = min(map(len, self.labels))
        else:
            self.pieces = label_pieces(tokenizer)
            self.shortest = 1 if any(p[0] == " " and p[-1] != " " for p in self.pieces.values()) else 2

    def object_needs(self):
        return 4 + 16 * self.masks + self.shortest

    def label_text(self, tokens):
        return "".join(self.pieces[t] for t in tokens)

    def needs(self, position, first):
        """Tokens to the nearest end of an answer."""
        kind, *at = position
        if kind == "box":
            return 0 if first and at[0] == 0 and self.allow_empty else self.object_needs() - at[0]
        if kind == "mask":
            return 16 - at[0] + self.shortest
        if kind == "separator":
            return len(self.separator) - at[0] + self.object_needs()
        if kind == "label" and self.labels:
            return min(len(label) - len(at[0]) for label in self.labels if label[:len(at[0])] == list(at[0]))
        if kind == "label":
            text = self.label_text(at[0])
            return self.shortest if not text else int(text[-1] == " ")
        return 0

    def followers(self, position, first):
        """Every token that may stand behind a position, with the position behind it; room is not looked at."""
        kind, *at = position
        if kind == "box":
            count, corner = at
            if first and count == 0 and self.allow_empty:
                yield self.eos, ("end",)
            low = 0 if count < 2 else corner[count - 2] + 1
            for value in range(low, 1023 if count < 2 else 1024):
                behind_box = ("mask", 0) if self.masks else ("label", ())
                yield self.loc[value], ("box", count + 1, (*corner, value)) if count < 3 else behind_box
        elif kind == "mask":
            for token in self.seg:
                yield token, ("mask", at[0] + 1) if at[0] < 15 else ("label", ())
        elif kind == "separator":
            after = ("separator", at[0] + 1) if at[0] + 1 < len(self.separator) else ("box", 0, ())
            yield self.separator[at[0]], after
        elif kind == "label":
            tokens = at[0]
            if tokens and self.needs(position, False) == 0:
                yield self.eos, ("end",)
                yield from self.followers(("separator", 0), False)
            for token in self.label_tokens(tokens):
                yield token, ("label", (*tokens, token))

    def label_tokens(self, tokens):
        if self.labels:
            return {label[len(tokens)] for label in self.labels
                    if label[:len(tokens)] == list(tokens) and len(label) > len(tokens)}
        text, left = self.label_text(tokens), self.max_label_tokens - len(tokens)
        return {t for t, p in self.pieces.items()
                if (p[0] == " " if not text else not (text[-1] == " " and p[0] == " "))
                and left >= 1 + (p[-1] == " ")}

    def allowed(self, ids, room):
        positions = {("box", 0, ())}
        for number, token in enumerate(ids):
            positions = {after for p in positions for t, after in self.followers(p, number == 0) if t == token}
        return {t for p in positions for t, after in self.followers(p, not ids) if self.needs(after, False) <= room - 1}


def label_pieces(tokenizer):
    """The pieces that a label may be spelled with, as text."""
    special = {t.content for t in tokenizer.get_added_tokens_decoder().values() if t.special}
    pieces = {}
    for piece, token in tokenizer.get_vocab().items():
        text = piece.replace("▁", " ")
        byte = len(piece) == 6 and piece.startswith("<0x")
        wrong = any(ord(c) < 32 or ord(c) == 127 or c in ";<>" for c in text) or "  " in text
        if piece not in special and not byte and not wrong:
            pieces[token] = text
    return pieces
