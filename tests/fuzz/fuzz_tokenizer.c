/* SPDX-License-Identifier: BSD-2-Clause */
/* The input is a tokenizer.json. What opens is used: texts are encoded, and the ids, among others, decoded. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/tokenizer_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
    if (!condition)
        abort();
}

static void use(const struct pali__tokenizer *tokenizer, const char *text, size_t size)
{
    int64_t *ids = NULL;
    size_t n_ids = 0, decoded_size = 0;
    char *decoded = NULL;
    if (pali__tokenizer_encode(tokenizer, text, size, &ids, &n_ids, NULL) != PALI_OK)
        return;
    for (int skip = 0; skip < 2; skip++) {
        require(pali__tokenizer_decode(tokenizer, ids, n_ids, skip != 0, &decoded, &decoded_size, NULL) == PALI_OK);
        require(strlen(decoded) <= decoded_size);
        pali__free(decoded);
    }
    pali__free(ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char sample[] = "the cat <loc0001>  \n\n\n<image> \xE2\x96\x81\xE4\xB8\xAD \xC3\xA9<bos> aaaabbbb\0\t";
    struct pali__tokenizer *tokenizer = NULL;
    pali_error *error = NULL;
    char *text = pali__strndup((const char *)data, size);
    if (!text)
        return 0;
    pali_status status = pali__tokenizer_parse(&tokenizer, "fuzz", text, size, &error);
    require((status == PALI_OK) == (tokenizer != NULL) && (status == PALI_OK) == (error == NULL));
    if (tokenizer) {
        int64_t n_ids = pali__tokenizer_size(tokenizer);
        use(tokenizer, sample, sizeof sample - 1);
        use(tokenizer, text, size < 2000 ? size : 2000);
        for (int64_t id = -1; id <= n_ids && id < 1000; id++) {
            size_t piece_size;
            bool is_byte;
            require(pali__tokenizer_piece(tokenizer, id, false, &piece_size, &is_byte) != NULL);
        }
    }
    pali__tokenizer_free(tokenizer);
    pali_error_free(error);
    pali__free(text);
    return 0;
}
