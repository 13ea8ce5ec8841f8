/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The automaton. Every state knows how many tokens an answer needs at least from there on; a token may follow if,
 * behind it, no more are needed than there is room for. So an answer that has begun can always be finished.
 *
 *   answer := object (separator object)*             object := <loc> × 4  [<seg> × 16]  label
 *
 * A label is followed by the end or by a separator. With a tokenizer that has a piece " ;" the two are told apart by
 * the next token; with one that spells the separator " " "; " they are not, so a state can be in both.
 */
#include "generate/automaton.h"

#include <assert.h>

#include "generate/piece_class.h"

enum { N_BOX = 4, N_MASK = 16 };

static int64_t object_needs(const pali_constraint *constraint)
{
    return N_BOX + (constraint->has_masks ? N_MASK : 0) + constraint->shortest_label;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* May the answer end here, or a separator begin? */
static bool label_is_whole(const pali_constraint *constraint, const struct pali__constraint_state *state)
{
    if (state->node != PALI__NO_NODE)
        return constraint->trie.nodes[state->node].nearest == 0;
    return state->spelling == PALI__ANY;
}

/* The separator from its token number `done` on, and the object behind it. */
static int64_t rest_of_separator(const pali_constraint *constraint, int32_t done)
{
    return constraint->n_separator - done + object_needs(constraint);
}

static bool may_begin_separator(const pali_constraint *constraint, const struct pali__constraint_state *state)
{
    return state->separator == 0 && label_is_whole(constraint, state) && state->n_objects < constraint->max_objects;
}

static bool is_first(const struct pali__constraint_state *state)
{
    return state->phase == PALI__BOX && state->count == 0 && state->n_objects == 0;
}

/* ---- what may follow ---- */

/* Ids come in ascending order; one may come twice. */
static void allow(struct pali__allowed *allowed, int64_t first, int64_t count)
{
    struct pali__span *last = allowed->n_spans ? &allowed->spans[allowed->n_spans - 1] : NULL;

    if (last && first < (int64_t)last->first + last->count)
        return;
    allowed->count += count;
    if (last && first == (int64_t)last->first + last->count)
        last->count += (int32_t)count;
    else
        allowed->spans[allowed->n_spans++] = (struct pali__span){ (int32_t)first, (int32_t)count };
}

/* Up to two tokens that may follow besides those of a tree or a label: eos, and one of the separator. */
struct extras {
    int64_t ids[2];
    int n, used;
};

static void add_extra(struct extras *extras, int64_t id)
{
    if (extras->n == 1 && id < extras->ids[0]) {
        extras->ids[1] = extras->ids[0];
        extras->ids[0] = id;
    } else {
        extras->ids[extras->n] = id;
    }
    extras->n++;
}

static void allow_extras_below(struct pali__allowed *allowed, struct extras *extras, int64_t id)
{
    while (extras->used < extras->n && extras->ids[extras->used] < id)
        allow(allowed, extras->ids[extras->used++], 1);
}

static void allow_children(const pali_constraint *constraint, const struct pali__constraint_state *state, int64_t room,
                           struct extras *extras, struct pali__allowed *allowed)
{
    const struct pali__trie_node *node = &constraint->trie.nodes[state->node];

    for (int32_t i = 0; i < node->n_children; i++) {
        const struct pali__trie_node *child = &constraint->trie.nodes[node->children + i];
        if (child->nearest + 1 > room)
            continue;
        allow_extras_below(allowed, extras, child->id);
        allow(allowed, child->id, 1);
    }
}

static bool spells(uint8_t piece, enum pali__spelling spelling)
{
    if (!(piece & PALI__PIECE_IN_LABEL) || spelling == PALI__NO_LABEL)
        return false;
    if (spelling == PALI__SPACE)
        return piece & PALI__PIECE_SPACE_FIRST;
    return spelling == PALI__ANY || !(piece & PALI__PIECE_SPACE_FIRST);
}

static void allow_pieces(const pali_constraint *constraint, const struct pali__constraint_state *state, int64_t room,
                         struct extras *extras, struct pali__allowed *allowed)
{
    int64_t left = smaller(room, constraint->max_label_tokens - state->count);

    for (int64_t id = 0; left > 0 && id < constraint->vocab_size; id++) {
        uint8_t piece = constraint->pieces[id];
        if (!spells(piece, state->spelling) || (piece & PALI__PIECE_SPACE_LAST && left < 2))
            continue;
        allow_extras_below(allowed, extras, id);
        allow(allowed, id, 1);
    }
}

static void allow_after_label(const pali_constraint *constraint, const struct pali__constraint_state *state,
                              int64_t room, struct pali__allowed *allowed)
{
    struct extras extras = { .n = 0 };
    bool in_separator = state->separator > 0 || may_begin_separator(constraint, state);

    if (label_is_whole(constraint, state))
        add_extra(&extras, constraint->eos);
    if (in_separator && rest_of_separator(constraint, state->separator) <= room)
        add_extra(&extras, constraint->separator[state->separator]);
    if (state->node != PALI__NO_NODE)
        allow_children(constraint, state, room, &extras, allowed);
    else if (state->spelling != PALI__NO_LABEL)
        allow_pieces(constraint, state, room, &extras, allowed);
    allow_extras_below(allowed, &extras, constraint->vocab_size);
}

static void allow_choice(const pali_constraint *constraint, const struct pali__constraint_state *state, int64_t room,
                         struct pali__allowed *allowed)
{
    struct extras extras = { .n = 0 };

    if (constraint->trie.nodes[state->node].nearest == 0)
        add_extra(&extras, constraint->eos);
    allow_children(constraint, state, room, &extras, allowed);
    allow_extras_below(allowed, &extras, constraint->vocab_size);
}

/* The near corner may not stand on the far edge, the far one stands behind the near one. */
static void allow_box(const pali_constraint *constraint, const struct pali__constraint_state *state, int64_t room,
                      struct pali__allowed *allowed)
{
    int64_t low = state->count == 2 ? state->y_min + 1 : state->count == 3 ? state->x_min + 1 : 0;
    int64_t end = state->count < 2 ? PALI__N_LOC - 1 : PALI__N_LOC;
    bool may_end = is_first(state) && constraint->allow_empty;

    if (may_end && constraint->eos < constraint->first_loc)
        allow(allowed, constraint->eos, 1);
    if (!may_end || object_needs(constraint) <= room)
        allow(allowed, constraint->first_loc + low, end - low);
    if (may_end && constraint->eos > constraint->first_loc)
        allow(allowed, constraint->eos, 1);
}

void pali__constraint_allowed(const pali_constraint *constraint, const struct pali__constraint_state *state,
                              int64_t room, struct pali__allowed *allowed)
{
    allowed->n_spans = allowed->count = 0;
    switch (state->phase) {
    case PALI__CHOICE:
        allow_choice(constraint, state, room, allowed);
        break;
    case PALI__BOX:
        allow_box(constraint, state, room, allowed);
        break;
    case PALI__MASK:
        allow(allowed, constraint->first_seg, PALI__N_SEG);
        break;
    case PALI__LABEL:
        allow_after_label(constraint, state, room, allowed);
        break;
    case PALI__ENDED:
        break;
    }
}

int64_t pali__constraint_max_spans(const pali_constraint *constraint)
{
    int64_t most = 2;

    if (constraint->pieces)
        return constraint->vocab_size / 2 + 1;
    for (int64_t i = 0; i < constraint->trie.n_nodes; i++)
        most = constraint->trie.nodes[i].n_children > most ? constraint->trie.nodes[i].n_children : most;
    return most + 2;
}

int64_t pali__constraint_least_tokens(const pali_constraint *constraint)
{
    int64_t longest = (int64_t)constraint->trie.longest;

    if (!constraint->is_objects)
        return longest > 0 ? longest : 1;
    return object_needs(constraint) - constraint->shortest_label +
           (constraint->trie.nodes ? longest : constraint->shortest_label);
}

/* ---- what has followed ---- */

void pali__constraint_start(const pali_constraint *constraint, struct pali__constraint_state *state)
{
    *state = (struct pali__constraint_state){ .phase = constraint->is_objects ? PALI__BOX : PALI__CHOICE };
}

static void begin_label(const pali_constraint *constraint, struct pali__constraint_state *state)
{
    state->phase = PALI__LABEL;
    state->count = 0;
    state->separator = 0;
    state->node = constraint->trie.nodes ? 0 : PALI__NO_NODE;
    state->spelling = constraint->trie.nodes ? PALI__NO_LABEL : PALI__SPACE;
}

static void advance_box(const pali_constraint *constraint, struct pali__constraint_state *state, int64_t id)
{
    if (state->count == 0) {
        state->y_min = (int32_t)(id - constraint->first_loc);
        state->n_objects++;
    } else if (state->count == 1) {
        state->x_min = (int32_t)(id - constraint->first_loc);
    }
    if (++state->count < N_BOX)
        return;
    state->phase = PALI__MASK;
    state->count = 0;
    if (!constraint->has_masks)
        begin_label(constraint, state);
}

static void advance_label(const pali_constraint *constraint, struct pali__constraint_state *state, int64_t id)
{
    bool goes_on = state->separator > 0 || may_begin_separator(constraint, state);

    state->separator = goes_on && id == constraint->separator[state->separator] ? state->separator + 1 : 0;
    state->count++;
    if (state->node != PALI__NO_NODE) {
        state->node = pali__trie_child(&constraint->trie, state->node, id);
    } else if (state->spelling != PALI__NO_LABEL) {
        uint8_t piece = constraint->pieces[id];
        state->spelling = !spells(piece, state->spelling)       ? PALI__NO_LABEL
                          : piece & PALI__PIECE_SPACE_LAST ? PALI__WORD
                                                           : PALI__ANY;
    }
    if (state->separator == constraint->n_separator) {
        state->phase = PALI__BOX;
        state->count = 0;
    }
}

void pali__constraint_advance(const pali_constraint *constraint, struct pali__constraint_state *state, int64_t id)
{
    assert(id >= 0 && id < constraint->vocab_size);
    if (id == constraint->eos) {
        state->phase = PALI__ENDED;
        return;
    }
    switch (state->phase) {
    case PALI__CHOICE:
        state->node = pali__trie_child(&constraint->trie, state->node, id);
        break;
    case PALI__BOX:
        advance_box(constraint, state, id);
        break;
    case PALI__MASK:
        if (++state->count == N_MASK)
            begin_label(constraint, state);
        break;
    case PALI__LABEL:
        advance_label(constraint, state, id);
        break;
    case PALI__ENDED:
        break;
    }
}
