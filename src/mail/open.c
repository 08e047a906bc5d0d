/* Opening mail as it arrives. Must not hand out plaintext before the last packet's tag is checked, nor take
 * memory because of a length that is not authenticated: memory grows with what has arrived. */
#include "base/error.h"
#include "base/reader.h"
#include "base/secret.h"
#include "mail/packet.h"
#include <stdlib.h>
#include <string.h>

static enum cella_status refuse(struct cella_error *error) {
    /* One sentence for every reason: whether it is another key or a changed byte is not told. */
    return cella_fail(error, CELLA_MAIL_REFUSED, "the mail does not open");
}

/* Room for `size` bytes of body and what follows it; the old memory is wiped. */
static enum cella_status reserve(struct cella_mail_opener *opener, uint64_t size) {
    if (size <= opener->body_capacity)
        return CELLA_OK;
    uint64_t capacity = size;
    if (opener->body_capacity > 0) {
        uint64_t limit = cella_mail_padded_size(CELLA_MAIL_PADDING_CLASS, opener->max_body);
        uint64_t wanted = opener->body_capacity * 2;
        wanted = wanted > opener->expected_size ? wanted : opener->expected_size;
        wanted = wanted > size + opener->in_hand ? wanted : size + opener->in_hand;
        wanted = wanted < limit ? wanted : limit;
        capacity = wanted > size ? wanted : size;
    }
    uint8_t *memory = malloc(capacity);
    if (memory == NULL)
        return CELLA_NO_MEMORY;
    if (opener->stream_size > 0)
        memcpy(memory, opener->body, opener->stream_size);
    cella_wipe_free(opener->body, opener->stream_size);
    opener->body = memory;
    opener->body_capacity = capacity;
    return CELLA_OK;
}

/* The next `want` bytes in one piece: in the chunk if they lie there whole, else gathered. NULL: not there
 * yet, or (failed) no memory. */
static const uint8_t *gather(struct cella_mail_opener *opener, struct cella_reader *chunk, size_t want) {
    size_t left = cella_reader_left(chunk);
    if (opener->hold_size == 0 && left >= want)
        return cella_read_view(chunk, want);
    if (want > opener->hold_capacity) {
        uint8_t *memory = realloc(opener->hold, want);
        if (memory == NULL) {
            opener->failed = true;
            return NULL;
        }
        opener->hold = memory;
        opener->hold_capacity = want;
    }
    size_t part = want - opener->hold_size < left ? want - opener->hold_size : left;
    cella_read_copy(chunk, opener->hold + opener->hold_size, part);
    opener->hold_size += part;
    if (opener->hold_size < want)
        return NULL;
    opener->hold_size = 0;
    return opener->hold;
}

/* Copies header bytes until the header and its preamble are whole. */
static enum cella_status read_head(struct cella_mail_opener *opener, struct cella_reader *chunk,
                                   struct cella_error *error) {
    for (;;) {
        struct cella_bytes start = CELLA_BYTES(opener->head, opener->head_filled);
        size_t missing = opener->head_size > 0 ? opener->head_size - opener->head_filled
                                               : cella_mail_header_missing(start);
        if (missing == 0 && opener->head_size > 0)
            return CELLA_OK;
        if (opener->head_filled + missing > CELLA_MAIL_HEADER_MAX + CELLA_MAIL_ACCEPT_SIZE)
            return cella_fail(error, CELLA_MAIL_MALFORMED, "the header is too large");
        size_t left = cella_reader_left(chunk);
        size_t part = missing < left ? missing : left;
        if (part > 0) {
            uint8_t *memory = realloc(opener->head, opener->head_filled + part);
            if (memory == NULL)
                return cella_fail(error, CELLA_NO_MEMORY, "%zu bytes", part);
            opener->head = memory;
            cella_read_copy(chunk, memory + opener->head_filled, part);
            opener->head_filled += part;
            continue;
        }
        if (missing > 0)
            break;
        size_t size = 0;
        enum cella_status status = cella_mail_header_parse(start, &opener->header, &size, error);
        if (status != CELLA_OK)
            return status;
        opener->head_size = size + cella_mail_preamble_size(opener->header.kind);
    }
    /* Bytes that can never become a header are refused at once, not when more have come. */
    struct cella_mail_header header;
    size_t size = 0;
    if (opener->head_size > 0 || opener->head_filled == 0)
        return CELLA_OK;
    enum cella_status status =
        cella_mail_header_parse(CELLA_BYTES(opener->head, opener->head_filled), &header, &size, error);
    return status == CELLA_TOO_SMALL ? CELLA_OK : status;
}

static bool head_whole(const struct cella_mail_opener *opener) {
    return opener->head_size > 0 && opener->head_filled == opener->head_size;
}

static enum cella_status start_packets(struct cella_mail_opener *opener, struct cella_error *error) {
    size_t size = 0;
    /* Once more, because growing moved the bytes that the views point to. */
    enum cella_status status =
        cella_mail_header_parse(CELLA_BYTES(opener->head, opener->head_size), &opener->header, &size, error);
    if (status == CELLA_OK)
        status = opener->ends.header(opener->ends.context, &opener->header, error);
    opener->header_read = status == CELLA_OK;
    return status;
}

/* The last packet is open: find the true size, and refuse what the format's own sealer would not make. */
static enum cella_status finish(struct cella_mail_opener *opener, struct cella_error *error) {
    if (opener->stream_size < CELLA_MAIL_TRAILER_SIZE)
        return refuse(error);
    struct cella_reader reader;
    uint64_t end = opener->stream_size - CELLA_MAIL_TRAILER_SIZE;
    cella_reader_init(&reader, CELLA_BYTES(opener->body + end, CELLA_MAIL_TRAILER_SIZE));
    uint64_t size = cella_read_u64(&reader);
    if (size > end || cella_mail_padded_size(opener->header.padding, size) != opener->stream_size)
        return refuse(error);
    /* All bytes of the padding are zero if the first is, and each equals the next. */
    const uint8_t *padding = opener->body + size;
    bool zeros = size == end || (padding[0] == 0 && memcmp(padding, padding + 1, end - size - 1) == 0);
    bool empty = opener->header.role == CELLA_MAIL_HELLO || opener->header.role == CELLA_MAIL_DONE;
    if (!zeros || (empty && size > 0))
        return refuse(error);
    /* Whoever carries the mail reads this, so it does not tell the size that padding hides. */
    if (size > opener->max_body)
        return cella_fail(error, CELLA_MAIL_TOO_LARGE, "the body is over max_mail_size of %llu bytes",
                          (unsigned long long)opener->max_body);
    opener->body_size = size;
    opener->complete = true;
    return CELLA_OK;
}

static enum cella_status open_packet(struct cella_mail_opener *opener, struct cella_bytes sealed,
                                     struct cella_error *error) {
    size_t size = sealed.size - cella_mail_packet_overhead(opener->header.kind, opener->index);
    uint64_t limit = cella_mail_padded_size(opener->header.padding, opener->max_body);
    if (opener->index > 0 && opener->stream_size + size > limit)
        return cella_fail(error, CELLA_MAIL_TOO_LARGE, "the body is over max_mail_size of %llu bytes",
                          (unsigned long long)opener->max_body);
    enum cella_status status = reserve(opener, opener->stream_size + size);
    if (status != CELLA_OK)
        return cella_fail(error, status, "no memory for a mail of more than %llu bytes",
                          (unsigned long long)opener->stream_size);
    uint8_t frame[CELLA_MAIL_FRAME_SIZE];
    for (size_t i = 0; i < sizeof frame; i++)
        frame[i] = (uint8_t)(opener->frame >> (8 * i));
    struct cella_bytes ad[2] = {opener->index == 0 ? CELLA_BYTES(opener->head, opener->head_size)
                                                   : (struct cella_bytes){0},
                                CELLA_BYTES(frame, sizeof frame)};
    status = opener->ends.packet(opener->ends.context, opener->index, ad, sealed,
                                 opener->body + opener->stream_size);
    if (status == CELLA_AUTHENTICATION)
        return refuse(error);
    if (status != CELLA_OK)
        return cella_fail(error, status, "packet %llu", (unsigned long long)opener->index);
    opener->stream_size += size;
    opener->index++;
    return (opener->frame & CELLA_MAIL_FRAME_LAST) != 0 ? finish(opener, error) : CELLA_OK;
}

/* One frame and its packet; *ret_more is false when the chunk is used up. */
static enum cella_status step(struct cella_mail_opener *opener, struct cella_reader *chunk, bool *ret_more,
                              struct cella_error *error) {
    *ret_more = false;
    if (opener->complete)
        return cella_reader_left(chunk) > 0 ? refuse(error) : CELLA_OK;
    if (!opener->frame_read) {
        const uint8_t *bytes = gather(opener, chunk, CELLA_MAIL_FRAME_SIZE);
        if (bytes == NULL)
            return opener->failed ? cella_fail(error, CELLA_NO_MEMORY, "frame") : CELLA_OK;
        struct cella_reader reader;
        cella_reader_init(&reader, CELLA_BYTES(bytes, CELLA_MAIL_FRAME_SIZE));
        opener->frame = cella_read_u32(&reader);
        if (!cella_mail_frame_valid(opener->header.kind, opener->index, opener->frame))
            return refuse(error);
        opener->frame_read = true;
    }
    size_t size = opener->frame & ~CELLA_MAIL_FRAME_LAST;
    const uint8_t *sealed = gather(opener, chunk, size);
    if (sealed == NULL)
        return opener->failed ? cella_fail(error, CELLA_NO_MEMORY, "packet") : CELLA_OK;
    opener->frame_read = false;
    opener->in_hand = cella_reader_left(chunk);
    *ret_more = true;
    return open_packet(opener, CELLA_BYTES(sealed, size), error);
}

enum cella_status cella_mail_opener_feed(struct cella_mail_opener *opener, struct cella_bytes bytes,
                                         struct cella_error *error) {
    struct cella_reader chunk;
    enum cella_status status = CELLA_OK;
    if (opener->failed)
        return refuse(error);
    cella_reader_init(&chunk, bytes);
    if (!opener->header_read) {
        status = read_head(opener, &chunk, error);
        if (status == CELLA_OK && head_whole(opener))
            status = start_packets(opener, error);
    }
    for (bool more = opener->header_read; more && status == CELLA_OK;)
        status = step(opener, &chunk, &more, error);
    opener->failed = status != CELLA_OK;
    return status;
}

void cella_mail_opener_deinit(struct cella_mail_opener *opener) {
    cella_wipe_free(opener->body, opener->stream_size);
    free(opener->head);
    free(opener->hold);
    *opener = (struct cella_mail_opener){0};
}
