/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Greedy and sampled answers: every prompt runs once as a whole, then the unfinished rows advance together by one token
 * a step, or by some where guesses were right, each at the end of its own row of the cache.
 */
#include "generate/run.h"

#include "core/memory.h"
#include "generate/option_defaults.h"
#include "generate/prompt_lookup.h"

/* ---- tokens ---- */

static struct pali__history history_of(const struct pali__run *run, int64_t row)
{
    const struct pali__answer *answer = &run->generation->answers[row];
    const int64_t *starts = run->prompts.starts + row / run->n_samples;

    return (struct pali__history){ run->prompts.ids + starts[0], answer->ids, starts[1] - starts[0],
                                   (int64_t)answer->n_ids };
}

pali_status pali__hand_out(struct pali__run *run, int64_t row, int64_t id, bool is_last, bool *ends,
                           pali_error **error)
{
    pali_token token = { .row = row, .id = id };
    int verdict;

    TRY(pali__stream_add(&run->streams[row], id, is_last, &token.text, error));
    verdict = run->options.on_token ? run->options.on_token(run->options.on_token_user, &token) : 0;
    *ends = verdict == PALI_END_ROW;
    run->stopped = run->stopped || (verdict && !*ends);
    return PALI_OK;
}

/* Adds a token to the answer, sees whether it is the last, and hands it out. */
static pali_status add_token(struct pali__run *run, int64_t row, int64_t id, pali_error **error)
{
    struct pali__answer *answer = &run->generation->answers[row];
    struct pali__history history;
    bool ends = false;

    answer->ids[answer->n_ids++] = id;
    history = history_of(run, row);
    if (pali__is_eos(&run->options, id))
        answer->reason = PALI_FINISH_EOS;
    else if (pali__stop_strings_hit(&run->stops, &history))
        answer->reason = PALI_FINISH_STOP_STRING;
    if (run->guide.rows && pali__guide_take(&run->guide, row, id, answer->n_ids) &&
        answer->reason == PALI_FINISH_LENGTH)
        answer->reason = PALI_FINISH_CONSTRAINT;
    run->finished[row] = answer->reason != PALI_FINISH_LENGTH || answer->n_ids == run->generation->capacity;
    if (!run->hands_out_late)
        TRY(pali__hand_out(run, row, id, run->finished[row], &ends, error));
    if (ends && !run->finished[row]) {
        answer->reason = PALI_FINISH_CANCELLED;
        run->finished[row] = true;
    }
    return PALI_OK;
}

static pali_status add_chosen(struct pali__run *run, int64_t row, const float *logits, pali_error **error)
{
    struct pali__history history = history_of(run, row);
    int64_t id;

    TRY(pali__choose(&run->chooser, &id, logits, &history, row % run->n_samples, &run->generation->answers[row],
                     run->generation->n_top, error));
    if (run->guide.rows)
        TRY(pali__guide_settle(&run->guide, row, run->chooser.scores ? run->chooser.scores : logits, &id, error));
    return add_token(run, row, id, error);
}

static struct pali__guided guided_row(const struct pali__run *run, int64_t row)
{
    const struct pali__answer *answer = &run->generation->answers[row];

    return (struct pali__guided){ .row = row, .ids = answer->ids, .n_ids = answer->n_ids };
}

/* The host of a token mask may stop here, as that of on_token may behind a token. */
static pali_status compute_logits(struct pali__run *run, int64_t first, const struct pali__guided *rows, int64_t n,
                                  pali_error **error)
{
    TRY(pali__guide_logits(&run->guide, &run->steps, first, rows, n, error));
    run->stopped = run->stopped || run->guide.stopped;
    return PALI_OK;
}

/* ---- greedy and sampled ---- */

/* The tokens that a row gets in this step: its last one, and guesses at those behind it. Returns their number. */
static int64_t next_inputs(const struct pali__run *run, const struct pali__guided *row, int64_t *ids)
{
    const int64_t *starts = &run->prompts.starts[row->row / run->n_samples];
    int64_t room = (int64_t)run->generation->capacity - (int64_t)row->n_ids, most = run->width - 1;

    ids[0] = row->ids[row->n_ids - 1];
    return 1 + pali__prompt_lookup(run->prompts.ids + starts[0], starts[1] - starts[0], row->ids, (int64_t)row->n_ids,
                                   most < room - 1 ? most : room - 1, ids + 1);
}

/* Takes the tokens that follow the run's rows first…first+count-1, of one row, for as long as the guesses were right.
 * `ids` are that row's inputs. */
static pali_status take_guessed(struct pali__run *run, const struct pali__guided *active, int64_t first, int64_t count,
                                const int64_t *ids, pali_error **error)
{
    int64_t vocab_size = run->model->settings->text.vocab_size, row = active->row, n = 0;
    int64_t past = run->steps.kv->rows[row].length - count;
    const struct pali__answer *answer = &run->generation->answers[row];
    bool right = true;

    while (right && n < count && !run->finished[row] && !run->stopped) {
        const float *logits = run->steps.logits + (first + n) * vocab_size;
        if (run->guide.rows) { /* what may follow depends on what has been taken */
            TRY(compute_logits(run, first + n, (struct pali__guided[]){ guided_row(run, row) }, 1, error));
            logits = run->steps.logits;
        }
        if (run->stopped)
            break;
        TRY(add_chosen(run, row, logits, error));
        run->generation->timing.decode_tokens++;
        n++;
        right = n < count && answer->ids[answer->n_ids - 1] == ids[n];
    }
    pali__steps_roll_back(&run->steps, row, past + n);
    return PALI_OK;
}

/* A token more, or some if guesses were right, for each of the n active rows. */
static pali_status advance(struct pali__run *run, int64_t n, int64_t total, pali_error **error)
{
    int64_t vocab_size = run->model->settings->text.vocab_size, first = 0;

    TRY(pali__steps_decode(&run->steps, n, run->active_rows, run->counts, run->active_ids, error));
    if (total == n)
        TRY(compute_logits(run, 0, run->active, n, error));
    else if (!run->guide.rows)
        TRY(pali__steps_head(&run->steps, 0, total, error));
    for (int64_t i = 0; i < n && !run->stopped; first += run->counts[i++]) {
        if (total > n) {
            TRY(take_guessed(run, &run->active[i], first, run->counts[i], run->active_ids + first, error));
            continue;
        }
        TRY(add_chosen(run, run->active_rows[i], run->steps.logits + i * vocab_size, error));
        run->generation->timing.decode_tokens++;
    }
    return PALI_OK;
}

/* One step for every unfinished answer; `*active` tells how many there were. */
static pali_status decode_step(struct pali__run *run, int64_t *active, pali_error **error)
{
    int64_t n = 0, total = 0;

    for (int64_t row = 0; row < run->generation->rows; row++) {
        if (run->finished[row])
            continue;
        run->active_rows[n] = row;
        run->active[n] = guided_row(run, row);
        run->counts[n] = next_inputs(run, &run->active[n], run->active_ids + total);
        total += run->counts[n++];
    }
    *active = n;
    return n > 0 ? advance(run, n, total, error) : PALI_OK;
}

/* What each prompt left in its first row of the cache becomes the beginning of all its answers. */
static pali_status share_prompts(struct pali__run *run, pali_error **error)
{
    size_t n = (size_t)run->generation->rows;
    struct pali__kv_row *spare = run->n_samples > 1 ? pali__calloc(n, sizeof *spare) : NULL;

    if (run->n_samples == 1)
        return PALI_OK;
    if (!spare)
        return pali__no_memory(error, n * sizeof *spare);
    for (int64_t row = 0; row < run->generation->rows; row++)
        run->active_rows[row] = row - row % run->n_samples;
    pali__kv_reorder(run->steps.kv, run->generation->rows, run->active_rows, spare);
    pali__free(spare);
    return PALI_OK;
}

/* Runs a prompt, and chooses the first token of each of its answers. What may follow is asked for each. */
static pali_status begin_answers(struct pali__run *run, int64_t prompt, pali_error **error)
{
    int64_t first = prompt * run->n_samples;
    double begin = pali__run_seconds();

    TRY(pali__run_prompt(run, prompt, first, error));
    for (int64_t i = 0; i < run->n_samples && !run->stopped; i++) {
        struct pali__guided guided = guided_row(run, first + i);
        if (i == 0 || run->guide.rows)
            TRY(compute_logits(run, run->steps.pass.n_rows - 1, &guided, 1, error));
        if (!run->stopped)
            TRY(add_chosen(run, first + i, run->steps.logits, error));
    }
    run->generation->timing.prefill_s += pali__run_seconds() - begin;
    return PALI_OK;
}

pali_status pali__answer_by_choice(struct pali__run *run, pali_error **error)
{
    double begin;

    for (int64_t prompt = 0; prompt < run->prompts.rows && !run->stopped; prompt++)
        TRY(begin_answers(run, prompt, error));
    TRY(share_prompts(run, error));
    begin = pali__run_seconds();
    for (int64_t active = 1, step = 1; active > 0 && !run->stopped; step++) {
        if (run->hands_out_late)
            TRY(pali__watch_step(&run->watch, "samples", step, run->options.max_new_tokens, error));
        TRY(decode_step(run, &active, error));
    }
    run->generation->timing.decode_s = pali__run_seconds() - begin;
    return PALI_OK;
}
