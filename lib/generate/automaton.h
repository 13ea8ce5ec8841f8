/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A constraint as an automaton over token ids. It is immutable; where an answer stands in it is a state of a few
 * numbers, of which each row of a generation has one.
 */
#ifndef PALI_GENERATE_AUTOMATON_H
#define PALI_GENERATE_AUTOMATON_H

#include <paligemma/constraint.h>

#include "generate/token_trie.h"
#include "kernels/ops.h"
#include "tokenizer/tokenizer.h"

#define PALI__N_LOC 1024
#define PALI__N_SEG 128
#define PALI__NO_NODE (-1)

enum pali__phase {
    PALI__CHOICE, /* in the tree of choices */
    PALI__BOX,    /* before <loc> number `count` */
    PALI__MASK,   /* before <seg> number `count` */
    PALI__LABEL,  /* in a label or in the separator behind it, or, while both are possible, in both */
    PALI__ENDED   /* behind eos */
};

/* What a label may go on with. */
enum pali__spelling {
    PALI__NO_LABEL, /* it is over, or is one of a tree */
    PALI__SPACE,    /* nothing of it is there yet: its space, or a piece that begins with one */
    PALI__WORD,     /* its last character is a space: a piece that begins with something else */
    PALI__ANY       /* something stands there already, and it might end here */
};

struct pali__constraint_state {
    enum pali__phase phase;
    int32_t count;      /* <loc>, <seg> or label tokens of this object so far */
    int32_t y_min, x_min;
    int32_t node;       /* of the tree of choices or labels, or PALI__NO_NODE */
    enum pali__spelling spelling;
    int32_t separator;  /* how many of its tokens are there; 0: it has not begun */
    int64_t n_objects;  /* begun */
};

struct pali_constraint {
    int64_t vocab_size, eos; /* of the tokenizer */
    struct pali__trie trie;  /* of choices or labels; without nodes: any label */

    /* Objects only. */
    bool is_objects, has_masks, allow_empty;
    int64_t first_loc, first_seg;
    int64_t max_objects, max_label_tokens; /* INT64_MAX for no limit */
    int64_t *separator, n_separator;       /* " ; " */
    uint8_t *pieces;                       /* [vocab_size]: what each piece is in a label, piece_class.h */
    int64_t shortest_label;
};

/* The list of tokens that may follow. Spans ascend and do not touch. */
struct pali__allowed {
    struct pali__span *spans;
    int64_t n_spans, count; /* count: ids in them */
};

/* How many spans pali__constraint_allowed can need. */
int64_t pali__constraint_max_spans(const pali_constraint *constraint);

/* The fewest new tokens with which pali_generate may be called. */
int64_t pali__constraint_least_tokens(const pali_constraint *constraint);

void pali__constraint_start(const pali_constraint *constraint, struct pali__constraint_state *state);

/* What may follow if there is room for `room` ≥ 1 tokens, so that the answer can be finished within them. `room` is no
 * less than the answer needs, which stays so if only such tokens follow. */
void pali__constraint_allowed(const pali_constraint *constraint, const struct pali__constraint_state *state,
                              int64_t room, struct pali__allowed *allowed);

/* `id` is one of those that may follow. */
void pali__constraint_advance(const pali_constraint *constraint, struct pali__constraint_state *state, int64_t id);

/* ---- making one ---- */

/* An empty one that knows the tokenizer's size and eos. */
pali_status pali__constraint_create(pali_constraint **out, const pali_processor *processor, const char *function,
                                    pali_error **error);

/* The tree of `n` texts with `before` in front of each; `name` and the index are for the message about a text that is
 * NULL or has special tokens. */
pali_status pali__constraint_read_texts(pali_constraint *constraint, const struct pali__tokenizer *tokenizer,
                                        const char *const *texts, size_t n, const char *before, const char *name,
                                        pali_error **error);

#endif
