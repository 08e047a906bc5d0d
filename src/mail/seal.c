/* Sealing mail: header, frames, packets, padding. Must not write to memory that anyone else can change. */
#include "base/error.h"
#include "base/secret.h"
#include "base/writer.h"
#include "mail/fixed.h"
#include "mail/packet.h"
#include <stdlib.h>
#include <string.h>

static size_t head_size(const struct cella_mail_sealer *sealer) {
    return cella_mail_header_size(&sealer->header) + cella_mail_preamble_size(sealer->header.kind);
}

size_t cella_mail_sealer_size(const struct cella_mail_sealer *sealer, size_t plain_size) {
    size_t size =
        CELLA_MAIL_FRAME_SIZE + cella_mail_packet_overhead(sealer->header.kind, sealer->index) + plain_size;
    return sealer->index == 0 ? size + head_size(sealer) : size;
}

/* The first packet of one-shot mail and of a session's opening: the handshake message itself. */
static enum cella_status seal_handshake(struct cella_mail_sealer *sealer, const struct cella_bytes clear[2],
                                        struct cella_bytes plain, bool last, uint8_t *out) {
    enum cella_status status = CELLA_OK;
    sealer->setup.prologue[0] = clear[0];
    sealer->setup.prologue[1] = clear[1];
    if (sealer->handshake->prepared)
        cella_noise_bind(sealer->handshake, clear);
    else
        status = cella_noise_handshake_initialize(sealer->handshake, &sealer->setup);
    if (status == CELLA_OK && sealer->fixed_ephemeral != NULL)
        status = cella_noise_fix_ephemeral(sealer->handshake, sealer->fixed_ephemeral);
    if (status == CELLA_OK)
        status = cella_noise_write_message(sealer->handshake, plain, out);
    if (status == CELLA_OK && !last) {
        status = cella_noise_split(sealer->handshake, &sealer->own, NULL);
        sealer->cipher = &sealer->own;
    }
    return status;
}

static enum cella_status seal_transport(struct cella_mail_sealer *sealer, const struct cella_bytes clear[2],
                                        struct cella_bytes plain, uint8_t *out) {
    if (sealer->lock != NULL)
        pthread_mutex_lock(sealer->lock);
    enum cella_status status = cella_noise_encrypt_at(
        sealer->cipher, sealer->header.number * CELLA_MAIL_PACKET_COUNT_MAX + sealer->index, clear, plain,
        out);
    if (sealer->lock != NULL)
        pthread_mutex_unlock(sealer->lock);
    return status;
}

enum cella_status cella_mail_sealer_packet(struct cella_mail_sealer *sealer, struct cella_bytes plain,
                                           bool last, uint8_t *out, struct cella_error *error) {
    size_t size = cella_mail_packet_overhead(sealer->header.kind, sealer->index) + plain.size;
    uint32_t frame = cella_mail_frame(size, last);
    if (sealer->header.kind == CELLA_MAIL_SESSION_OPEN && !last)
        return cella_fail(error, CELLA_MAIL_NOT_OPEN,
                          "the first mail of a session has room for %u bytes only",
                          CELLA_MAIL_PACKET_SIZE - CELLA_MAIL_TRAILER_SIZE);
    CELLA_ASSERT(cella_mail_frame_valid(sealer->header.kind, sealer->index, frame));
    struct cella_writer writer;
    cella_writer_init(&writer, out, cella_mail_sealer_size(sealer, plain.size));
    enum cella_status status = CELLA_OK;
    if (sealer->index == 0) {
        status = cella_mail_header_write(&writer, &sealer->header, error);
        cella_write_bytes(&writer, sealer->preamble, cella_mail_preamble_size(sealer->header.kind));
    }
    if (status != CELLA_OK)
        return status;
    struct cella_bytes clear[2] = {cella_writer_bytes(&writer), {0}};
    cella_write_u32(&writer, frame);
    clear[1] = CELLA_BYTES(out + clear[0].size, CELLA_MAIL_FRAME_SIZE);
    uint8_t *sealed = cella_write_space(&writer, size);
    CELLA_ASSERT(sealed != NULL);
    if (sealer->index == 0 && sealer->handshake != NULL)
        status = seal_handshake(sealer, clear, plain, last, sealed);
    else
        status = seal_transport(sealer, clear, plain, sealed);
    sealer->index++;
    return status == CELLA_OK ? CELLA_OK : cella_fail(error, status, "the mail could not be sealed");
}

size_t cella_mail_tail(enum cella_mail_padding padding, uint64_t body_size, uint64_t at, uint8_t *out,
                       size_t room) {
    uint64_t end = cella_mail_padded_size(padding, body_size);
    size_t size = end - at < room ? (size_t)(end - at) : room;
    memset(out, 0, size);
    for (size_t i = 0; i < CELLA_MAIL_TRAILER_SIZE; i++) {
        uint64_t place = end - CELLA_MAIL_TRAILER_SIZE + i;
        if (place >= at && place < at + size)
            out[place - at] = (uint8_t)(body_size >> (8 * i));
    }
    return size;
}

/* The packets that hold the end of the body, padding and trailer; `at` of the body is written already. */
static enum cella_status seal_rest(struct cella_mail_sealer *sealer, struct cella_bytes body, uint64_t at,
                                   uint8_t *out, struct cella_error *error) {
    uint64_t end = cella_mail_padded_size(sealer->header.padding, body.size);
    size_t room = end - at < CELLA_MAIL_PACKET_SIZE ? (size_t)(end - at) : CELLA_MAIL_PACKET_SIZE;
    uint8_t *plain = malloc(room);
    if (plain == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "%zu bytes", room);
    enum cella_status status = CELLA_OK;
    while (at < end && status == CELLA_OK) {
        size_t part = at < body.size ? (size_t)(body.size - at) : 0;
        if (part > 0)
            memcpy(plain, body.data + at, part);
        size_t size =
            part + cella_mail_tail(sealer->header.padding, body.size, at + part, plain + part, room - part);
        size_t used = cella_mail_sealer_size(sealer, size);
        at += size;
        status = cella_mail_sealer_packet(sealer, CELLA_BYTES(plain, size), at == end, out, error);
        out += used;
    }
    cella_wipe_free(plain, room);
    return status;
}

enum cella_status cella_mail_sealer_whole(struct cella_mail_sealer *sealer, struct cella_bytes body,
                                          uint8_t *out, struct cella_error *error) {
    enum cella_status status = CELLA_OK;
    uint64_t at = 0;
    while (body.size - at >= CELLA_MAIL_PACKET_SIZE && status == CELLA_OK) {
        size_t used = cella_mail_sealer_size(sealer, CELLA_MAIL_PACKET_SIZE);
        status = cella_mail_sealer_packet(sealer, CELLA_BYTES(body.data + at, CELLA_MAIL_PACKET_SIZE), false,
                                          out, error);
        at += CELLA_MAIL_PACKET_SIZE;
        out += used;
    }
    return status == CELLA_OK ? seal_rest(sealer, body, at, out, error) : status;
}

enum cella_status cella_mail_sealer_stream(struct cella_mail_sealer *sealer, struct cella_bytes stream,
                                           uint8_t *out, struct cella_error *error) {
    enum cella_status status = CELLA_OK;
    for (size_t at = 0; at < stream.size && status == CELLA_OK;) {
        size_t left = stream.size - at;
        size_t size = left < CELLA_MAIL_PACKET_SIZE ? left : CELLA_MAIL_PACKET_SIZE;
        size_t used = cella_mail_sealer_size(sealer, size);
        status =
            cella_mail_sealer_packet(sealer, CELLA_BYTES(stream.data + at, size), size == left, out, error);
        at += size;
        out += used;
    }
    return status;
}

void cella_mail_sealer_deinit(struct cella_mail_sealer *sealer) {
    cella_noise_cipher_deinit(&sealer->own);
}
