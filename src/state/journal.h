/* Records and segments of the journal: how a change becomes sealed bytes and comes back. Knows keys and
 * bytes; must not: know what the changes mean, or where segments lie. Format: formats/journal.md. */
#ifndef CELLA_STATE_JOURNAL_H
#define CELLA_STATE_JOURNAL_H

#include "crypto/aead.h"
#include "state/source.h"
#include <stdbool.h>

#define CELLA_SEGMENT_HEADER_SIZE 1024 /* bytes at the start of each segment */
#define CELLA_RECORD_ALIGNMENT                                                                               \
    512 /* records begin and end at multiples of it, so no write touches an older one */
#define CELLA_RECORD_HEADER_SIZE    96
#define CELLA_RECORD_CONTENT_OFFSET 104 /* where the content stands in a record, behind its size */
#define CELLA_RECORD_MAX            ((size_t)256 << 20) /* bytes of a record's content */
#define CELLA_SEGMENT_SALT_SIZE     32

/* What a record is. Numbers are part of the format. */
enum cella_record_kind {
    CELLA_RECORD_CHANGES = 1,  /* of a group of transactions */
    CELLA_RECORD_INTENT = 2,   /* the next epoch is about to be taken */
    CELLA_RECORD_EPOCH = 3,    /* a new owner has begun */
    CELLA_RECORD_SNAPSHOT = 4, /* a snapshot is durable: everything up to its version may go */
    CELLA_RECORD_RESTORE = 5,  /* the owners brought an older head back */
    CELLA_RECORD_STOPPED = 6,  /* a fork was proven: the vault serves no more until it is restored */
};

/* A segment, as its clear header says; the header is part of what each record's tag authenticates. */
struct cella_segment {
    uint8_t vault_id[CELLA_VAULT_ID_SIZE];
    uint64_t lineage;
    uint64_t epoch; /* under which it was begun; its INTENT still belongs to the epoch before */
    uint64_t number;
    struct cella_head after;               /* the head that its first record follows */
    uint8_t salt[CELLA_SEGMENT_SALT_SIZE]; /* random, fresh for each segment */
    struct cella_key_info key_info;
};

/* Reads a header of CELLA_SEGMENT_HEADER_SIZE bytes without its key: what it says is unproven.
 * CELLA_DAMAGED: a byte was changed, or this is no segment. CELLA_NEWER_FORMAT. */
enum cella_status cella_segment_parse(struct cella_bytes header, struct cella_segment *ret_segment,
                                      struct cella_error *error);

/* One end of a segment, writing or reading. */
struct cella_journal {
    struct cella_segment segment;
    uint8_t header_digest[CELLA_DIGEST_SIZE];
    struct cella_aead aead;
    struct cella_head head; /* of the last record that was sealed or opened */
    uint64_t offset;        /* where the next record begins in the segment */
};

/* Begins a new segment: derives its key from `root_key` (HKDF over salt, vault, epoch and number) and makes
 * its header. The journal is zeroed or deinitialised before. */
enum cella_status cella_journal_begin(struct cella_journal *journal, const struct cella_segment *segment,
                                      const uint8_t root_key[CELLA_ROOT_KEY_SIZE],
                                      uint8_t ret_header[CELLA_SEGMENT_HEADER_SIZE]);
/* For reading a segment from its first record on. As parse, and CELLA_AUTHENTICATION: the key is not the one
 * that this header was made with (another machine's or signer's, or a header that nobody with a key made). */
enum cella_status cella_journal_load(struct cella_journal *journal, struct cella_bytes header,
                                     const uint8_t root_key[CELLA_ROOT_KEY_SIZE], struct cella_error *error);
/* Wipes; accepts a zeroed one. */
void cella_journal_deinit(struct cella_journal *journal);

/* `size` padded to its size class: multiples of CELLA_RECORD_ALIGNMENT, above 8 KiB eight classes to each
 * power of two. */
size_t cella_size_class(size_t size);
/* Bytes that a record with `content_size` bytes of content takes. */
size_t cella_record_size(size_t content_size);

/* Seals the next record (version head.version + 1, in `epoch`, which only an EPOCH record moves) into `out`
 * of cella_record_size(content.size) bytes and advances head and offset. The content may stand already where
 * it belongs, at out + CELLA_RECORD_CONTENT_OFFSET; then nothing is copied. Cannot repeat a nonce: the
 * version is the nonce, and a segment's key is used by one instance only. CELLA_ARGUMENT: too large, or an
 * epoch that this kind may not have. On failure nothing has moved and `out` holds no content. */
enum cella_status cella_journal_seal(struct cella_journal *journal, enum cella_record_kind kind,
                                     uint64_t epoch, struct cella_bytes content, uint8_t *out);

/* What the clear header of a record says, unproven until the record is opened. */
struct cella_record_header {
    size_t size; /* of the whole record */
    enum cella_record_kind kind;
    uint64_t epoch, version, offset;
    uint8_t previous[CELLA_DIGEST_SIZE];
};
/* `bytes` begin where a record may begin; CELLA_RECORD_HEADER_SIZE of them are enough. CELLA_NOT_FOUND: no
 * record of this segment begins here (the end, zeros, or old bytes of another segment). CELLA_DAMAGED: one
 * does, but it is cut or cannot be one of this format. */
enum cella_status cella_record_header_parse(const struct cella_journal *journal, struct cella_bytes bytes,
                                            struct cella_record_header *ret_header);

/* Opens the record at the begin of `bytes`, which may go on behind it, and advances head and offset. It must
 * lie at journal->offset and follow journal->head. The content is a view of `out` (room for the record's
 * size), which the caller wipes. CELLA_NOT_FOUND: as above. CELLA_DAMAGED: one begins here and does not open:
 * torn, cut or changed. CELLA_VAULT_SPLICED: it is genuine, but belongs to another place or follows another
 * head: records are missing, repeated or out of order. On failure nothing has moved and `out` holds nothing
 * of it. */
enum cella_status cella_journal_open(struct cella_journal *journal, struct cella_bytes bytes, uint8_t *out,
                                     struct cella_record_header *ret_header, struct cella_bytes *ret_content,
                                     struct cella_error *error);
/* Whether a genuine record of this segment begins at `bytes`, wherever it belongs: behind the end that open
 * found, at any multiple of CELLA_RECORD_ALIGNMENT, one shows that the journal was damaged and not just cut.
 * Costs next to nothing where none begins. `scratch` has room for its size; it is wiped. */
bool cella_journal_probe(struct cella_journal *journal, struct cella_bytes bytes, uint8_t *scratch);

/* The changes of a CHANGES record. A put has a value, which may be empty. */
struct cella_change {
    bool is_delete;
    struct cella_bytes key;
    struct cella_bytes value;
};
/* Bytes of one change in a record's content, and writing it there. `value` NULL: a delete. The key has 1 to
 * CELLA_MAP_KEY_MAX bytes, the value at most CELLA_MAP_VALUE_MAX. */
size_t cella_change_size(struct cella_bytes key, const struct cella_bytes *value);
size_t cella_change_write(uint8_t *out, struct cella_bytes key, const struct cella_bytes *value);
/* The next change of `content` from `*position` on; false at its end, CELLA_DAMAGED in *ret_status if it is
 * not well formed. */
bool cella_change_next(struct cella_bytes content, size_t *position, struct cella_change *ret_change,
                       enum cella_status *ret_status);

#endif
