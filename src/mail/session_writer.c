/* The client's end: sealing a request whose body is written in pieces. Must not go on under a key that has
 * changed. */
#include "base/error.h"
#include "base/secret.h"
#include "mail/session.h"
#include "mail/session_internal.h"
#include <stdlib.h>
#include <string.h>

struct cella_mail_writer {
    struct cella_session_work work;
    cella_mail_output *output;
    void *output_context;
    uint64_t body_size;
    size_t filled;
    bool failed;
    bool finished;
    uint8_t plain[CELLA_MAIL_PACKET_SIZE];
    uint8_t context[CELLA_MAIL_CONTEXT_MAX];
    uint8_t envelope[CELLA_MAIL_ENVELOPE_MAX];
    char topic[CELLA_MAIL_TOPIC_MAX];
    uint8_t out[CELLA_MAIL_HEADER_MAX + CELLA_MAIL_FRAME_SIZE + CELLA_MAIL_SEALED_MAX];
};

/* The writer outlives the caller's buffers. */
static void keep(struct cella_bytes *view, void *place) {
    if (view->size > 0)
        memcpy(place, view->data, view->size);
    view->data = place;
}

enum cella_status cella_mail_session_writer(struct cella_mail_session *session,
                                            const struct cella_mail_request *request,
                                            cella_mail_output *output, void *output_context,
                                            struct cella_mail_writer **ret_writer,
                                            struct cella_error *error) {
    struct cella_mail_writer *writer = calloc(1, sizeof *writer);
    if (writer == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "a writer");
    enum cella_status status = cella_session_work_start(session, request, &writer->work, error);
    if (status != CELLA_OK) {
        free(writer);
        return status;
    }
    struct cella_mail_header *header = &writer->work.sealer.header;
    keep(&header->context, writer->context);
    keep(&header->envelope, writer->envelope);
    keep(&header->topic, writer->topic);
    writer->output = output;
    writer->output_context = output_context;
    *ret_writer = writer;
    return CELLA_OK;
}

uint64_t cella_mail_writer_sequence(const struct cella_mail_writer *writer) {
    return writer->work.sealer.header.sequence;
}

static enum cella_status write_packet(struct cella_mail_writer *writer, bool last,
                                      struct cella_error *error) {
    struct cella_mail_sealer *sealer = &writer->work.sealer;
    size_t size = cella_mail_sealer_size(sealer, writer->filled);
    CELLA_ASSERT(size <= sizeof writer->out);
    if (!cella_session_work_current(&writer->work))
        return cella_fail(error, CELLA_MAIL_SESSION_UNKNOWN,
                          "the session was ended while a mail was written");
    enum cella_status status = cella_mail_sealer_packet(sealer, CELLA_BYTES(writer->plain, writer->filled),
                                                        last, writer->out, error);
    writer->filled = 0;
    return status == CELLA_OK ? writer->output(writer->output_context, CELLA_BYTES(writer->out, size))
                              : status;
}

enum cella_status cella_mail_writer_write(struct cella_mail_writer *writer, struct cella_bytes piece,
                                          struct cella_error *error) {
    enum cella_status status = CELLA_OK;
    if (writer->failed || writer->finished)
        return cella_fail(error, CELLA_ARGUMENT, "the mail has failed or is finished");
    if (piece.size > CELLA_MAIL_BODY_MAX - writer->body_size)
        return cella_fail(error, CELLA_LIMIT, "a body has at most %llu bytes",
                          (unsigned long long)CELLA_MAIL_BODY_MAX);
    for (size_t at = 0; at < piece.size && status == CELLA_OK;) {
        if (writer->filled == CELLA_MAIL_PACKET_SIZE)
            status = write_packet(writer, false, error);
        size_t room = CELLA_MAIL_PACKET_SIZE - writer->filled;
        size_t part = piece.size - at < room ? piece.size - at : room;
        memcpy(writer->plain + writer->filled, piece.data + at, part);
        writer->filled += part;
        writer->body_size += part;
        at += part;
    }
    writer->failed = status != CELLA_OK;
    return status;
}

enum cella_status cella_mail_writer_finish(struct cella_mail_writer *writer, struct cella_error *error) {
    enum cella_mail_padding padding = writer->work.sealer.header.padding;
    enum cella_status status = CELLA_OK;
    if (writer->failed || writer->finished)
        return cella_fail(error, CELLA_ARGUMENT, "the mail has failed or is finished");
    uint64_t end = cella_mail_padded_size(padding, writer->body_size);
    for (uint64_t at = writer->body_size; at < end && status == CELLA_OK;) {
        if (writer->filled == CELLA_MAIL_PACKET_SIZE)
            status = write_packet(writer, false, error);
        size_t part = cella_mail_tail(padding, writer->body_size, at, writer->plain + writer->filled,
                                      CELLA_MAIL_PACKET_SIZE - writer->filled);
        writer->filled += part;
        at += part;
    }
    if (status == CELLA_OK)
        status = write_packet(writer, true, error);
    writer->failed = status != CELLA_OK;
    writer->finished = status == CELLA_OK;
    if (writer->finished)
        cella_session_work_finish(&writer->work);
    return status;
}

void cella_mail_writer_free(struct cella_mail_writer *writer) {
    if (writer == NULL)
        return;
    if (!writer->finished)
        cella_session_work_cancel(&writer->work);
    cella_session_work_deinit(&writer->work);
    cella_wipe_free(writer, sizeof *writer);
}
