/* SPDX-License-Identifier: BSD-2-Clause */
#include "tokenizer/piece_table.h"

#include <string.h>

enum { FIRST_SLOTS = 1024, FIRST_IDS = 512 };

void pali__piece_table_clear(struct pali__piece_table *table)
{
    pali__free(table->pieces);
    pali__free(table->slots);
    pali__text_clear(&table->pool);
    *table = (struct pali__piece_table){ 0 };
}

/* Eight bytes at a time, each step a multiplication whose high bits are folded back. */
static uint32_t hash_bytes(const char *bytes, size_t size)
{
    uint64_t hash = (uint64_t)size * UINT64_C(0x9E3779B97F4A7C15), word;
    for (; size >= sizeof word; bytes += sizeof word, size -= sizeof word) {
        memcpy(&word, bytes, sizeof word);
        hash = (hash ^ word) * UINT64_C(0xD6E8FEB86659FD93);
        hash ^= hash >> 32;
    }
    word = 0;
    for (size_t i = 0; i < size; i++)
        word |= (uint64_t)(unsigned char)bytes[i] << (8 * i);
    hash = (hash ^ word) * UINT64_C(0xD6E8FEB86659FD93);
    hash ^= hash >> 32;
    hash *= UINT64_C(0xD6E8FEB86659FD93);
    return (uint32_t)(hash >> 32);
}

/* The slot that holds the piece, or the empty one where it belongs. There is always an empty one. */
static struct pali__piece_slot *find_slot(const struct pali__piece_table *table, const char *bytes, size_t size,
                                          uint32_t hash)
{
    size_t mask = table->n_slots - 1;
    for (size_t at = hash & mask;; at = (at + 1) & mask) {
        struct pali__piece_slot *slot = &table->slots[at];
        if (slot->id < 0)
            return slot;
        if (slot->hash == hash && slot->size == size && memcmp(table->pool.data + slot->offset, bytes, size) == 0)
            return slot;
    }
}

int64_t pali__piece_table_find(const struct pali__piece_table *table, const char *bytes, size_t size)
{
    if (table->n_slots == 0)
        return -1;
    return find_slot(table, bytes, size, hash_bytes(bytes, size))->id;
}

const struct pali__piece *pali__piece_table_get(const struct pali__piece_table *table, int64_t id)
{
    if (id < 0 || (uint64_t)id >= table->n_ids || table->pieces[id].flags == 0)
        return NULL;
    return &table->pieces[id];
}

static pali_status grow_slots(struct pali__piece_table *table, pali_error **error)
{
    size_t n_slots = table->n_slots ? table->n_slots * 2 : FIRST_SLOTS;
    struct pali__piece_slot *slots = pali__malloc(n_slots * sizeof *slots);
    if (!slots)
        return pali__no_memory(error, n_slots * sizeof *slots);
    for (size_t i = 0; i < n_slots; i++)
        slots[i] = (struct pali__piece_slot){ .id = -1 };
    for (size_t i = 0; i < table->n_slots; i++) {
        if (table->slots[i].id < 0)
            continue;
        size_t at = table->slots[i].hash & (n_slots - 1);
        while (slots[at].id >= 0)
            at = (at + 1) & (n_slots - 1);
        slots[at] = table->slots[i];
    }
    pali__free(table->slots);
    table->slots = slots;
    table->n_slots = n_slots;
    return PALI_OK;
}

static pali_status grow_ids(struct pali__piece_table *table, size_t wanted, pali_error **error)
{
    size_t capacity = table->id_capacity ? table->id_capacity : FIRST_IDS;
    while (capacity < wanted)
        capacity *= 2;
    struct pali__piece *grown = pali__regrow(table->pieces, table->id_capacity * sizeof *grown,
                                             capacity * sizeof *grown);
    if (!grown)
        return pali__no_memory(error, capacity * sizeof *grown);
    memset(grown + table->id_capacity, 0, (capacity - table->id_capacity) * sizeof *grown);
    table->pieces = grown;
    table->id_capacity = capacity;
    return PALI_OK;
}

pali_status pali__piece_table_add(struct pali__piece_table *table, struct pali__slice bytes, int64_t id, uint32_t flags,
                                  int64_t *taken, pali_error **error)
{
    *taken = -1;
    if ((table->n_pieces + 1) * 2 > table->n_slots)
        TRY(grow_slots(table, error));
    if ((size_t)id >= table->id_capacity)
        TRY(grow_ids(table, (size_t)id + 1, error));

    uint32_t hash = hash_bytes(bytes.data, bytes.size);
    struct pali__piece_slot *slot = find_slot(table, bytes.data, bytes.size, hash);
    if (slot->id >= 0 || table->pieces[id].flags != 0) {
        *taken = slot->id >= 0 ? slot->id : id;
        return PALI_OK;
    }
    if (table->pool.size + bytes.size > UINT32_MAX || !pali__text_append(&table->pool, bytes.data, bytes.size))
        return pali__no_memory(error, bytes.size);
    uint32_t size = (uint32_t)bytes.size, offset = (uint32_t)(table->pool.size - bytes.size);
    table->pieces[id] = (struct pali__piece){ offset, size, offset, size, flags };
    *slot = (struct pali__piece_slot){ hash, (int32_t)id, offset, size };
    table->n_pieces++;
    if ((size_t)id >= table->n_ids)
        table->n_ids = (size_t)id + 1;
    return PALI_OK;
}
