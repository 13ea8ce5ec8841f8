/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Zip, as far as np.savez uses it (APPNOTE 6.3, sections 4.3.7, 4.3.12 and 4.3.16). The archive ends with a record that
 * says where the central directory is; each of its entries says where a member is. Sizes are taken from the central
 * directory: np.savez puts placeholders into the member's own header.
 */
#include "checkpoint/zip.h"

#include <stdint.h>
#include <string.h>

enum {
    LOCAL_SIZE = 30,   /* of a member's own header, without name and extra field */
    CENTRAL_SIZE = 46, /* of an entry in the central directory, likewise */
    END_SIZE = 22,     /* of the record at the end, without its comment */
    COMMENT_LIMIT = 65535,
    STORED = 0,
    IS_ENCRYPTED = 1
};

static const unsigned char local_magic[4] = { 'P', 'K', 3, 4 }, central_magic[4] = { 'P', 'K', 1, 2 },
                           end_magic[4] = { 'P', 'K', 5, 6 };

static uint32_t read_16(const unsigned char *at) { return (uint32_t)at[0] | (uint32_t)at[1] << 8; }
static uint32_t read_32(const unsigned char *at) { return read_16(at) | read_16(at + 2) << 16; }

/* CRC-32 of IEEE 802.3, four bits at a time. */
static uint32_t crc_32(const unsigned char *data, size_t size)
{
    uint32_t table[16], crc = 0xffffffffu;
    for (uint32_t i = 0; i < 16; i++) {
        table[i] = i;
        for (int bit = 0; bit < 4; bit++)
            table[i] = table[i] & 1 ? table[i] >> 1 ^ 0xedb88320u : table[i] >> 1;
    }
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

bool pali__zip_is(const unsigned char *data, size_t size)
{
    return size >= 4 && (memcmp(data, local_magic, 4) == 0 || memcmp(data, end_magic, 4) == 0);
}

pali_status pali__zip_open(struct pali__zip *zip, const unsigned char *data, size_t size, const char *path,
                           pali_error **error)
{
    *zip = (struct pali__zip){ .data = data, .size = size, .path = path };
    size_t end = size;
    for (size_t back = END_SIZE; back <= size && back <= END_SIZE + COMMENT_LIMIT && end == size; back++)
        if (memcmp(data + size - back, end_magic, 4) == 0)
            end = size - back;
    if (end == size)
        return pali__fail(error, PALI_ERROR_FORMAT, "'%s': the zip archive has no end record (truncated)", path);

    uint32_t n_members = read_16(data + end + 10), directory = read_32(data + end + 16);
    if (n_members == 0xffff || directory == 0xffffffffu)
        return pali__fail(error, PALI_ERROR_UNSUPPORTED,
                          "'%s': the zip archive has more members or bytes than a plain zip can count (zip64)", path);
    if (directory > end)
        return pali__fail(error, PALI_ERROR_FORMAT,
                          "'%s': the zip archive's directory should be at byte %lu, past its end record at byte %zu",
                          path, (unsigned long)directory, end);
    zip->at = directory;
    zip->n_left = n_members;
    return PALI_OK;
}

/* Where the member lies whose own header begins at byte `header`. */
static pali_status find_data(struct pali__zip *zip, struct pali__zip_member *member, uint32_t header,
                             pali_error **error)
{
    const int shown = member->name_size > 200 ? 200 : (int)member->name_size;
    if (header > zip->size || zip->size - header < LOCAL_SIZE ||
        memcmp(zip->data + header, local_magic, sizeof local_magic) != 0)
        return pali__fail(error, PALI_ERROR_FORMAT, "'%s': no zip member begins at byte %lu, where \"%.*s\" should",
                          zip->path, (unsigned long)header, shown, member->name);
    size_t begin = header + LOCAL_SIZE;
    begin += (size_t)read_16(zip->data + header + 26) + read_16(zip->data + header + 28);
    if (begin > zip->size || zip->size - begin < member->size)
        return pali__fail(error, PALI_ERROR_FORMAT,
                          "'%s': zip member \"%.*s\" has %zu bytes from byte %zu on, the file has %zu bytes", zip->path,
                          shown, member->name, member->size, begin, zip->size);
    member->data = zip->data + begin;
    /* Members that overlap would let a small file stand for any amount of work. */
    zip->n_bytes += member->size;
    if (zip->n_bytes > zip->size)
        return pali__fail(error, PALI_ERROR_FORMAT, "'%s': zip member \"%.*s\" overlaps another one", zip->path, shown,
                          member->name);
    return PALI_OK;
}

pali_status pali__zip_next(struct pali__zip *zip, struct pali__zip_member *member, pali_error **error)
{
    const unsigned char *entry = zip->data + zip->at;
    if (zip->size - zip->at < CENTRAL_SIZE || memcmp(entry, central_magic, sizeof central_magic) != 0)
        return pali__fail(error, PALI_ERROR_FORMAT, "'%s': the zip archive's directory has no entry at byte %zu",
                          zip->path, zip->at);
    const uint32_t flags = read_16(entry + 8), method = read_16(entry + 10), crc = read_32(entry + 16);
    const uint32_t packed_size = read_32(entry + 20), size = read_32(entry + 24), header = read_32(entry + 42);
    *member = (struct pali__zip_member){ (const char *)entry + CENTRAL_SIZE, read_16(entry + 28), NULL, size };
    const size_t entry_size = CENTRAL_SIZE + member->name_size + read_16(entry + 30) + read_16(entry + 32);
    if (zip->size - zip->at < entry_size)
        return pali__fail(error, PALI_ERROR_FORMAT, "'%s': the zip archive's directory is cut off at byte %zu",
                          zip->path, zip->size);

    const int shown = member->name_size > 200 ? 200 : (int)member->name_size;
    if (flags & IS_ENCRYPTED)
        return pali__fail(error, PALI_ERROR_UNSUPPORTED, "'%s': zip member \"%.*s\" is encrypted", zip->path, shown,
                          member->name);
    if (method != STORED)
        return pali__fail(error, PALI_ERROR_UNSUPPORTED,
                          "'%s': zip member \"%.*s\" is compressed (method %lu); np.savez(path, **np.load(path)) "
                          "writes it uncompressed",
                          zip->path, shown, member->name, (unsigned long)method);
    if (packed_size != size)
        return pali__fail(error, PALI_ERROR_FORMAT,
                          "'%s': zip member \"%.*s\" is stored and yet has two sizes, %lu and %lu bytes", zip->path,
                          shown, member->name, (unsigned long)packed_size, (unsigned long)size);
    TRY(find_data(zip, member, header, error));
    if (crc_32(member->data, member->size) != crc)
        return pali__fail(error, PALI_ERROR_FORMAT, "'%s': zip member \"%.*s\" is damaged: its CRC-32 differs",
                          zip->path, shown, member->name);
    zip->at += entry_size;
    zip->n_left--;
    return PALI_OK;
}
