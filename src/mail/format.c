/* Header, frames and padding of mail. Knows no keys. */
#include "mail/format.h"
#include "base/error.h"
#include "base/reader.h"
#include "base/writer.h"
#include "mail/packet.h"
#include <string.h>

static const uint8_t magic[4] = {'C', 'L', 'M', 'L'};
enum { VERSION = 1, PADDED_MIN = 256, TRAILER_SIZE = 8 };

bool cella_mail_topic_valid(struct cella_bytes topic) {
    if (topic.size == 0 || topic.size > CELLA_MAIL_TOPIC_MAX)
        return false;
    for (size_t i = 0; i < topic.size; i++) {
        uint8_t c = topic.data[i];
        bool allowed = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
        if (!allowed)
            return false;
    }
    return true;
}

/* Which roles travel in which kind, as bits. */
static bool role_fits(enum cella_mail_kind kind, enum cella_mail_role role) {
    static const uint8_t roles[] = {
        [CELLA_MAIL_ONE_SHOT] =
            1 << CELLA_MAIL_REQUEST | 1 << CELLA_MAIL_REPLY | 1 << CELLA_MAIL_DONE | 1 << CELLA_MAIL_POST,
        [CELLA_MAIL_SESSION_OPEN] = 1 << CELLA_MAIL_HELLO | 1 << CELLA_MAIL_REQUEST,
        [CELLA_MAIL_SESSION_ACCEPT] = 1 << CELLA_MAIL_HELLO | 1 << CELLA_MAIL_REPLY | 1 << CELLA_MAIL_DONE,
        [CELLA_MAIL_SESSION] = 1 << CELLA_MAIL_REQUEST | 1 << CELLA_MAIL_REPLY | 1 << CELLA_MAIL_DONE |
                               1 << CELLA_MAIL_POST | 1 << CELLA_MAIL_QUERY | 1 << CELLA_MAIL_ACK,
    };
    return kind >= CELLA_MAIL_ONE_SHOT && kind <= CELLA_MAIL_SESSION && role <= CELLA_MAIL_ACK &&
           (roles[kind] & 1 << role) != 0;
}

/* A hello and an ack have no topic, nor has the done that answers an ack in its session. */
static bool may_lack_topic(const struct cella_mail_header *header) {
    return header->role == CELLA_MAIL_HELLO || header->role == CELLA_MAIL_ACK ||
           (header->role == CELLA_MAIL_DONE && header->kind == CELLA_MAIL_SESSION && header->sequence == 0 &&
            header->envelope.size == 0);
}

/* NULL if the header says one thing only, else what is wrong with it. */
static const char *contradiction(const struct cella_mail_header *header) {
    bool session = header->kind == CELLA_MAIL_SESSION;
    bool answer = header->role == CELLA_MAIL_REPLY || header->role == CELLA_MAIL_DONE;
    bool bare = header->role == CELLA_MAIL_HELLO || header->role == CELLA_MAIL_ACK;
    if (!role_fits(header->kind, header->role))
        return "kind and role do not go together";
    if (header->padding != CELLA_MAIL_PADDING_NONE && header->padding != CELLA_MAIL_PADDING_CLASS)
        return "the padding is not known";
    if (session != (header->number > 0) || header->number > CELLA_MAIL_NUMBER_MAX)
        return "the mail number does not fit its kind";
    if ((header->role != CELLA_MAIL_POST && (session && answer) != (header->answers > 0)) ||
        header->answers > CELLA_MAIL_NUMBER_MAX)
        return "the number of the answered mail does not fit the role";
    if (header->generation > 0 && header->kind != CELLA_MAIL_ONE_SHOT)
        return "a mailbox generation outside one-shot mail";
    if (bare && (header->topic.size > 0 || header->envelope.size > 0 || header->sequence > 0))
        return "a hello or an ack with a topic, a sequence or an envelope";
    if (header->role == CELLA_MAIL_QUERY && header->sequence > 0)
        return "a query with a sequence";
    return NULL;
}

enum cella_status cella_mail_header_parse(struct cella_bytes mail, struct cella_mail_header *ret_header,
                                          size_t *ret_size, struct cella_error *error) {
    struct cella_reader reader;
    struct cella_mail_header header = {0};
    cella_reader_init(&reader, mail);
    const uint8_t *start = cella_read_view(&reader, sizeof magic);
    unsigned version = cella_read_u16(&reader);
    if (start != NULL && memcmp(start, magic, sizeof magic) != 0)
        return cella_fail(error, CELLA_MAIL_MALFORMED, "these bytes are no mail");
    if (!reader.failed && version > VERSION)
        return cella_fail(error, CELLA_NEWER_FORMAT, "mail of format version %u", version);
    if (!reader.failed && version != VERSION)
        return cella_fail(error, CELLA_MAIL_MALFORMED, "mail of format version %u", version);
    header.kind = cella_read_u8(&reader);
    header.role = cella_read_u8(&reader);
    header.padding = cella_read_u8(&reader);
    header.topic.size = cella_read_u8(&reader);
    header.context.size = cella_read_u16(&reader);
    header.envelope.size = cella_read_u32(&reader);
    cella_read_copy(&reader, header.session_id, sizeof header.session_id);
    header.number = cella_read_u64(&reader);
    header.answers = cella_read_u64(&reader);
    header.generation = cella_read_u64(&reader);
    header.sequence = cella_read_u64(&reader);
    header.birth = cella_read_u64(&reader);
    if (reader.failed)
        return cella_fail(error, CELLA_TOO_SMALL, "the mail ends in its header");
    /* What is wrong now stays wrong whatever follows, so it is said before more bytes are asked for. */
    const char *wrong = contradiction(&header);
    if (wrong == NULL && header.context.size > CELLA_MAIL_CONTEXT_MAX)
        wrong = "the context is larger than 8192 bytes";
    if (wrong == NULL && header.envelope.size > CELLA_MAIL_ENVELOPE_MAX)
        wrong = "the envelope is larger than 64 KiB";
    if (wrong != NULL)
        return cella_fail(error, CELLA_MAIL_MALFORMED, "%s", wrong);
    header.topic.data = cella_read_view(&reader, header.topic.size);
    header.context.data = cella_read_view(&reader, header.context.size);
    header.envelope.data = cella_read_view(&reader, header.envelope.size);
    if (reader.failed)
        return cella_fail(error, CELLA_TOO_SMALL, "the mail ends in its header");
    if (!(header.topic.size == 0 && may_lack_topic(&header)) && !cella_mail_topic_valid(header.topic))
        return cella_fail(error, CELLA_MAIL_MALFORMED, "the topic is not 1 to 255 letters, digits and '-'");
    *ret_header = header;
    *ret_size = reader.at;
    return CELLA_OK;
}

size_t cella_mail_header_missing(struct cella_bytes start) {
    size_t size = CELLA_MAIL_HEADER_FIXED;
    if (start.size >= size) {
        struct cella_reader reader;
        cella_reader_init(&reader, start);
        (void)cella_read_view(&reader, 9);
        size += cella_read_u8(&reader);
        size += cella_read_u16(&reader);
        size += cella_read_u32(&reader);
    }
    return size > start.size ? size - start.size : 0;
}

size_t cella_mail_header_size(const struct cella_mail_header *header) {
    return CELLA_MAIL_HEADER_FIXED + header->topic.size + header->context.size + header->envelope.size;
}

enum cella_status cella_mail_header_write(struct cella_writer *writer, const struct cella_mail_header *header,
                                          struct cella_error *error) {
    if (!(header->topic.size == 0 && may_lack_topic(header)) && !cella_mail_topic_valid(header->topic))
        return cella_fail(error, CELLA_MAIL_TOPIC, "topic of %zu bytes", header->topic.size);
    if (header->context.size > CELLA_MAIL_CONTEXT_MAX)
        return cella_fail(error, CELLA_LIMIT, "the context has %zu bytes, at most 8192 are allowed",
                          header->context.size);
    if (header->envelope.size > CELLA_MAIL_ENVELOPE_MAX)
        return cella_fail(error, CELLA_LIMIT, "the envelope has %zu bytes, at most 65536 are allowed",
                          header->envelope.size);
    const char *wrong = contradiction(header);
    if (wrong != NULL)
        return cella_fail(error, CELLA_ARGUMENT, "%s", wrong);
    cella_write_bytes(writer, magic, sizeof magic);
    cella_write_u16(writer, VERSION);
    cella_write_u8(writer, (uint8_t)header->kind);
    cella_write_u8(writer, (uint8_t)header->role);
    cella_write_u8(writer, (uint8_t)header->padding);
    cella_write_u8(writer, (uint8_t)header->topic.size);
    cella_write_u16(writer, (uint16_t)header->context.size);
    cella_write_u32(writer, (uint32_t)header->envelope.size);
    cella_write_bytes(writer, header->session_id, sizeof header->session_id);
    cella_write_u64(writer, header->number);
    cella_write_u64(writer, header->answers);
    cella_write_u64(writer, header->generation);
    cella_write_u64(writer, header->sequence);
    cella_write_u64(writer, header->birth);
    cella_write_bytes(writer, header->topic.data, header->topic.size);
    cella_write_bytes(writer, header->context.data, header->context.size);
    cella_write_bytes(writer, header->envelope.data, header->envelope.size);
    return writer->failed ? CELLA_TOO_SMALL : CELLA_OK;
}

uint64_t cella_mail_padded_size(enum cella_mail_padding padding, uint64_t body_size) {
    uint64_t size = body_size + TRAILER_SIZE;
    if (padding == CELLA_MAIL_PADDING_NONE)
        return size;
    if (size <= PADDED_MIN)
        return PADDED_MIN;
    /* Padmé: of the size's binary digits only as many as its exponent has digits may vary. */
    unsigned exponent = 63 - (unsigned)__builtin_clzll(size);
    unsigned kept = 32 - (unsigned)__builtin_clz(exponent);
    uint64_t step = UINT64_C(1) << (exponent - kept);
    return (size + step - 1) & ~(step - 1);
}

size_t cella_mail_preamble_size(enum cella_mail_kind kind) {
    return kind == CELLA_MAIL_SESSION_ACCEPT ? CELLA_MAIL_ACCEPT_SIZE : 0;
}

size_t cella_mail_packet_overhead(enum cella_mail_kind kind, uint64_t index) {
    bool handshake = kind == CELLA_MAIL_ONE_SHOT || kind == CELLA_MAIL_SESSION_OPEN;
    return handshake && index == 0 ? CELLA_MAIL_FIRST_OVERHEAD : CELLA_AEAD_TAG_SIZE;
}

uint64_t cella_mail_size(const struct cella_mail_header *header, uint64_t body_size) {
    uint64_t size = cella_mail_padded_size(header->padding, body_size);
    uint64_t packets = (size + CELLA_MAIL_PACKET_SIZE - 1) / CELLA_MAIL_PACKET_SIZE;
    return cella_mail_header_size(header) + cella_mail_preamble_size(header->kind) + size +
           packets * (CELLA_MAIL_FRAME_SIZE + CELLA_AEAD_TAG_SIZE) +
           cella_mail_packet_overhead(header->kind, 0) - CELLA_AEAD_TAG_SIZE;
}

uint32_t cella_mail_frame(size_t sealed_size, bool last) {
    return (uint32_t)sealed_size | (last ? CELLA_MAIL_FRAME_LAST : 0);
}

bool cella_mail_frame_valid(enum cella_mail_kind kind, uint64_t index, uint32_t frame) {
    size_t overhead = cella_mail_packet_overhead(kind, index);
    size_t size = frame & ~CELLA_MAIL_FRAME_LAST;
    bool last = (frame & CELLA_MAIL_FRAME_LAST) != 0;
    if (index >= CELLA_MAIL_PACKET_COUNT_MAX || (kind == CELLA_MAIL_SESSION_OPEN && !last))
        return false;
    if (!last)
        return size == overhead + CELLA_MAIL_PACKET_SIZE;
    return size > overhead && size <= overhead + CELLA_MAIL_PACKET_SIZE;
}

enum cella_status cella_mail_inspect(struct cella_bytes mail, struct cella_mail_shape *ret_shape,
                                     struct cella_error *error) {
    struct cella_mail_shape shape = {0};
    struct cella_reader reader;
    enum cella_status status = cella_mail_header_parse(mail, &shape.header, &shape.header_size, error);
    if (status == CELLA_TOO_SMALL)
        return cella_fail(error, CELLA_MAIL_MALFORMED, "the mail ends in its header");
    if (status != CELLA_OK)
        return status;
    enum cella_mail_kind kind = shape.header.kind;
    cella_reader_init(&reader, mail);
    (void)cella_read_view(&reader, shape.header_size + cella_mail_preamble_size(kind));
    for (bool last = false; !last; shape.packet_count++) {
        uint32_t frame = cella_read_u32(&reader);
        size_t size = frame & ~CELLA_MAIL_FRAME_LAST;
        if (reader.failed || !cella_mail_frame_valid(kind, shape.packet_count, frame))
            return cella_fail(error, CELLA_MAIL_MALFORMED, "packet %zu is cut or not well formed",
                              shape.packet_count);
        (void)cella_read_view(&reader, size);
        shape.padded_size += size - cella_mail_packet_overhead(kind, shape.packet_count);
        last = (frame & CELLA_MAIL_FRAME_LAST) != 0;
    }
    if (!cella_reader_done(&reader))
        return cella_fail(error, CELLA_MAIL_MALFORMED, "packet %zu is cut, or bytes follow the last packet",
                          shape.packet_count - 1);
    *ret_shape = shape;
    return CELLA_OK;
}

const char *cella_mail_kind_name(enum cella_mail_kind kind) {
    static const char *const names[] = {"unknown", "one-shot", "session-open", "session-accept", "session"};
    return names[kind <= CELLA_MAIL_SESSION ? kind : 0];
}

const char *cella_mail_role_name(enum cella_mail_role role) {
    static const char *const names[] = {"hello", "request", "reply", "done", "post", "query", "ack"};
    return role <= CELLA_MAIL_ACK ? names[role] : "unknown";
}
